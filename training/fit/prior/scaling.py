"""How far each input of a member reaches in the regression from facts to factors."""

import numpy as np
from numpy.typing import NDArray

from features.plays import names
from model.prediction.prior.member_inputs import MovieColumns

Array = NDArray[np.float64]

BLOCK_WEIGHTS = {"counts": 0.2, "means": 0.2, "deciles": 0.3, "genres": 0.6, "watching": 0.2, "taste": 0.7,
                 "embedding": 1.0, "attributes": 0.2}  # fmt: skip
"""How far the inputs of a block reach in the kernel: their columns' standard deviations, root-summed."""


def standardise(inputs: Array, blocks: NDArray[np.str_]) -> tuple[Array, Array]:
    """Centre and scale (I,) of each of the (N, I) inputs, so that each block reaches as far as its weight says."""
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


def sight_of(inputs: Array, blocks: NDArray[np.str_], kept: int) -> Array:
    """(I,) by what bumps multiply each scaled input, for (N, I) inputs.

    Of the space of plays they see the leading dimensions, so enlarged that the block reaches as far as before.
    """
    sight = np.ones(len(blocks))
    embedding = np.flatnonzero(blocks == "embedding")
    variance = inputs[:, embedding].var(axis=0)
    share = variance[:kept].sum() / max(variance.sum(), 1e-12)
    if 0 < share < 1:
        sight[embedding[:kept]] = 1 / np.sqrt(share)
        sight[embedding[kept:]] = 0
    return sight


def blocks_of(movies: MovieColumns, attributes: int) -> NDArray[np.str_]:
    """The block of each input."""
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
