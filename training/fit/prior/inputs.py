"""Inputs of the regressions from plays and attributes: their number, their blocks, and the scaling of each block."""

import numpy as np
from numpy.typing import NDArray

from features.plays import names
from model.prediction.prior.member_inputs import MovieColumns
from training.fit.prior.kernel_ridge import Scaling

Array = NDArray[np.float64]

BLOCK_WEIGHTS = {"counts": 0.2, "means": 0.2, "deciles": 0.3, "genres": 0.6, "watching": 0.2, "taste": 0.7,
                 "embedding": 1.0, "attributes": 0.2}  # fmt: skip
"""Weight of each block of inputs in the kernel: square root of the summed variances of its scaled columns."""


def scaling_of(inputs: Array, movies: MovieColumns, sight: int) -> Scaling:
    """Return the scaling of inputs from plays and attributes, computed from (N, I) of them.

    `sight` is the number of dimensions of the play space that the RBF features use.
    """
    blocks = blocks_of(movies, inputs.shape[1] - input_count(movies))
    return Scaling(*standardise(inputs, blocks), rbf_mask_of(inputs, blocks, sight))


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


def input_count(movies: MovieColumns) -> int:
    """Return the number of inputs from plays."""
    return len(names(movies.names)) + int(movies.taste.shape[1] + movies.embedding.shape[1])


def _block(name: str) -> str:
    if name.startswith("log_plays"):
        return "counts"
    if name.startswith("movies:genre:"):
        return "genres"
    if "_decile_" in name:
        return "deciles"
    return "means" if name.startswith("movies:") else "watching"
