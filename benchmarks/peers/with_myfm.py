"""Runs myFM (Bayesian factorization machine) on one split of the protocol, in its own environment."""

import sys
import time

import myfm
import numpy as np
from scipy import sparse

from benchmarks.peers.features import Split, read_split
from benchmarks.peers.settings import MYFM, MYFM_WITH_RATINGS, run_settings


def predict(split: Split, settings: dict[str, float]) -> np.ndarray:
    """(T,) ratings by a model of those settings: a member is its features, with `ids` also its id."""
    people, titles = len(split.members[0]), len(split.movies)
    parts, widths = [sparse.csr_matrix(np.concatenate(split.members))], split.widths
    if settings.get("implicit"):
        parts, widths = [_shares(split.played), *parts], (titles, *widths)
    if settings.get("ids"):
        parts, widths = [sparse.vstack([sparse.eye(people)] * 2), *parts], (people, *widths)
    members = sparse.hstack(parts).tocsr()
    movies = sparse.hstack([sparse.eye(titles), sparse.csr_matrix(split.movies)]).tocsr()
    groups = [width for width in (*widths, titles, split.movies.shape[1]) if width]
    shown = (1 - split.half) * people  # the plays of the other half than the rating's
    model = myfm.MyFMRegressor(rank=int(settings["rank"]), random_seed=1)
    blocks = [myfm.RelationBlock(shown + split.member, members), myfm.RelationBlock(split.movie, movies)]
    model.fit(
        sparse.csr_matrix((len(split.rating), 0)), split.rating, X_rel=blocks, n_iter=int(settings["iterations"]),
        n_kept_samples=int(settings["iterations"]) * 3 // 4, group_shapes=groups,
    )  # fmt: skip
    asked = [myfm.RelationBlock(split.asked_member, members), myfm.RelationBlock(split.asked_movie, movies)]
    return np.asarray(model.predict(sparse.csr_matrix((len(split.asked_movie), 0)), X_rel=asked))


def _shares(played: tuple[sparse.csr_array, sparse.csr_array]) -> sparse.csr_matrix:
    """(2 N, M) plays of both halves, each row of length 1."""
    stacked = sparse.csr_matrix(sparse.vstack(played))
    return sparse.diags(1 / np.sqrt(np.maximum(stacked.sum(axis=1).A1, 1))) @ stacked


if __name__ == "__main__":
    sys.exit(run_settings(MYFM, MYFM_WITH_RATINGS, predict, read_split, time.monotonic))
