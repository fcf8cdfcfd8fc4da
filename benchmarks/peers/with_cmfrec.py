"""Runs cmfrec (collective matrix factorization) on one split of the protocol, in its own environment."""

import sys
import time

import cmfrec
import numpy as np
import pandas

from benchmarks.peers.features import Split, read_split
from benchmarks.peers.settings import CMFREC, CMFREC_WITH_RATINGS, run_settings

BLOCK = 100_000


def predict(split: Split, settings: dict[str, float]) -> np.ndarray:
    """(T,) ratings by a model of those settings: members without ratings come as new users, by features."""
    given = {name: value for name, value in settings.items() if name != "dimensions"}
    members, movies = np.unique(split.member), np.unique(split.movie)
    model = cmfrec.CMF(method="als", nthreads=-1, verbose=False, random_state=1, use_float=False, **given)
    model.fit(
        pandas.DataFrame({"UserId": split.member, "ItemId": split.movie, "Rating": split.rating}),
        U=_with_ids("UserId", members, split.members[0][members]),
        I=_with_ids("ItemId", movies, split.movies[movies]),
    )
    known = np.isin(split.asked_movie, split.movie)
    rate = np.isin(split.asked_member, split.member)
    predicted = np.full(len(split.asked_movie), split.rating.mean())
    predicted[known & rate] = model.predict(split.asked_member[known & rate], split.asked_movie[known & rate])
    asked = np.flatnonzero(known & ~rate)
    for start in range(0, len(asked), BLOCK):
        part = asked[start : start + BLOCK]
        predicted[part] = model.predict_cold_multiple(
            item=split.asked_movie[part], U=split.members[0][split.asked_member[part]]
        )
    return predicted


def _with_ids(name: str, ids: np.ndarray, values: np.ndarray) -> pandas.DataFrame:
    frame = pandas.DataFrame(values, columns=[f"f{place}" for place in range(values.shape[1])])
    frame[name] = ids
    return frame


if __name__ == "__main__":
    sys.exit(run_settings(CMFREC, CMFREC_WITH_RATINGS, predict, read_split, time.monotonic))
