"""Runs myFM (Bayesian factorization machine) on one split of the protocol, in its own environment."""

import sys
import time

import myfm
import numpy as np
from scipy import sparse

from benchmarks.peers.features import Split, read_split
from benchmarks.peers.settings import MYFM, run_settings


def predict(split: Split, settings: dict[str, float]) -> np.ndarray:
    """(T,) ratings by a model of those settings: a member is its features, never its id."""
    people = len(split.members[0])
    members = sparse.csr_matrix(np.concatenate(split.members))
    movies = sparse.hstack([sparse.eye(len(split.movies)), sparse.csr_matrix(split.movies)]).tocsr()
    groups = [width for width in (*split.widths, len(split.movies), split.movies.shape[1]) if width]
    shown = (1 - split.half) * people  # the plays of the other half than the rating's
    model = myfm.MyFMRegressor(rank=int(settings["rank"]), random_seed=1)
    blocks = [myfm.RelationBlock(shown + split.member, members), myfm.RelationBlock(split.movie, movies)]
    model.fit(
        sparse.csr_matrix((len(split.rating), 0)), split.rating, X_rel=blocks, n_iter=int(settings["iterations"]),
        n_kept_samples=int(settings["iterations"]) * 3 // 4, group_shapes=groups,
    )  # fmt: skip
    asked = [myfm.RelationBlock(split.asked_member, members), myfm.RelationBlock(split.asked_movie, movies)]
    return np.asarray(model.predict(sparse.csr_matrix((len(split.asked_movie), 0)), X_rel=asked))


if __name__ == "__main__":
    sys.exit(run_settings(MYFM, predict, read_split, time.monotonic))
