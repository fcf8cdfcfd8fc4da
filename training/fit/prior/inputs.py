"""Inputs of the regressions from members' plays and attributes to their factors, and the scaling of these inputs."""

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from features.movies import MOVIE
from features.plays import VIEW, names, of_table
from model.prediction.prior.member_inputs import MovieColumns, join_plays
from training.data.never_rater_views import Views

Array = NDArray[np.float64]


def play_features(views: Views, columns: NDArray[np.float32], column_names: list[str]) -> Array:
    """Return (V, F) features of the visible plays of each view; zeros for views without plays."""
    movies = pl.LazyFrame(columns, schema=column_names).with_row_index(MOVIE).with_columns(pl.col(MOVIE).cast(pl.Int32))
    table = of_table(views.plays.lazy(), movies, column_names).collect(engine="streaming")
    features = np.zeros((len(views.member), len(names(column_names))))
    features[table[VIEW].to_numpy()] = table.drop(VIEW).to_numpy()
    return features


def play_inputs(views: Views, features: Array, movies: MovieColumns) -> Array:
    """Return (V, I) inputs of the regressions from the visible plays of each view."""
    pairs = (views.plays[VIEW].to_numpy(), views.plays[MOVIE].to_numpy())
    shape = (len(views.member), len(movies.columns))
    shown = sparse.csr_array((np.ones(len(pairs[0])), pairs), shape=shape)
    return join_plays(
        features,
        shown @ movies.taste.astype(np.float64),
        shown @ movies.embedding.astype(np.float64),
        shown @ movies.squared_weight.astype(np.float64),
        views.play_count,
    )


BLOCK_WEIGHTS = {"counts": 0.2, "means": 0.2, "deciles": 0.3, "genres": 0.6, "watching": 0.2, "taste": 0.7,
                 "embedding": 1.0, "attributes": 0.2}  # fmt: skip
"""Weight of each block of inputs in the kernel: square root of the summed variances of its scaled columns."""


def standardise(inputs: Array, blocks: NDArray[np.str_]) -> tuple[Array, Array]:
    """Return the centre and scale (I,) of (N, I) inputs that give each block its weight in BLOCK_WEIGHTS."""
    known = np.isfinite(inputs)
    count = np.maximum(known.sum(axis=0), 1)
    centre = np.nan_to_num(inputs).sum(axis=0) / count
    variance = (np.nan_to_num(inputs - centre) ** 2).sum(axis=0) / count
    embedding = blocks == "embedding"
    variance[embedding] = variance[embedding].mean() if embedding.any() else 0
    scale = np.zeros(len(blocks))
    for block, weight in BLOCK_WEIGHTS.items():
        alive = (blocks == block) & (variance > 1e-10)
        scale[alive] = weight / np.sqrt(max(alive.sum(), 1) * variance[alive])
    return centre, scale


def rbf_mask_of(inputs: Array, blocks: NDArray[np.str_], kept: int) -> Array:
    """Return (I,) the factors by which scaled inputs are multiplied in the RBF features, for (N, I) inputs.

    Only the first `kept` dimensions of the play space are used, scaled up so that the block keeps its weight.
    """
    rbf_mask = np.ones(len(blocks))
    embedding = np.flatnonzero(blocks == "embedding")
    variance = inputs[:, embedding].var(axis=0)
    share = variance[:kept].sum() / max(variance.sum(), 1e-12)
    if 0 < share < 1:
        rbf_mask[embedding[:kept]] = 1 / np.sqrt(share)
        rbf_mask[embedding[kept:]] = 0
    return rbf_mask


def blocks_of(movies: MovieColumns, attributes: int) -> NDArray[np.str_]:
    """Return the name of each input's block."""
    tasted, embedded = movies.taste.shape[1], movies.embedding.shape[1]
    features = [_block(name) for name in names(movies.names)]
    return np.array([*features, *["taste"] * tasted, *["embedding"] * embedded, *["attributes"] * attributes])


def _block(name: str) -> str:
    if name.startswith("log_plays"):
        return "counts"
    if name.startswith("movies:genre:"):
        return "genres"
    if "_decile_" in name:
        return "deciles"
    return "means" if name.startswith("movies:") else "watching"
