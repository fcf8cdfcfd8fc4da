"""Play space: a truncated singular value decomposition of members' weighted plays."""

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from model.prediction.prior.member_inputs import PRIOR_EMBEDDING

OVERSAMPLING = 10
POWER_STEPS = 4


def embed(
    members: NDArray[np.int64], movies: NDArray[np.int64], movie_count: int, size: int, random: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (M, size) weighted right singular vectors and (M,) squared weights of the movies, from P plays.

    `members` (P,) and `movies` (P,) are the pairs that were played. Plays are weighted by the movie's inverse document
    frequency, and each member's row is divided by its norm. The decomposition is randomized (Halko, Martinsson and
    Tropp, SIAM Review 2011).
    """
    plays = np.bincount(movies, minlength=movie_count)
    _, owner = np.unique(members, return_inverse=True)
    people = int(owner.max(initial=-1)) + 1
    weight = np.log((people + 1) / (plays + 1)) + 1 if people else np.ones(movie_count)
    matrix = sparse.csr_array((weight[movies], (owner, movies)), shape=(people, movie_count))
    length = np.sqrt((matrix.multiply(matrix)).sum(axis=1) + PRIOR_EMBEDDING)
    matrix = sparse.csr_array((matrix.data / np.repeat(length, np.diff(matrix.indptr)), matrix.indices, matrix.indptr),
                              shape=matrix.shape)  # fmt: skip
    width = min(size, *matrix.shape)
    vectors = np.zeros((movie_count, size))
    if width:
        vectors[:, :width] = _right_vectors(matrix, width, random)
    return (vectors * weight[:, None]).astype(np.float32), (weight**2).astype(np.float32)


def _right_vectors(matrix: sparse.csr_array, width: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Return (M, width) leading right singular vectors, each with a positive entry of largest magnitude."""
    transposed = matrix.T.tocsr()
    sketch_width = min(width + OVERSAMPLING, *matrix.shape)
    basis = np.linalg.qr(transposed @ random.standard_normal((matrix.shape[0], sketch_width)))[0]
    for _ in range(POWER_STEPS):
        basis = np.linalg.qr(transposed @ (matrix @ basis))[0]
    small = matrix @ basis
    values, vectors = linalg.eigh(small.T @ small)
    order = np.argsort(-values)[:width]
    singular_vectors = basis @ vectors[:, order]
    signs = np.sign(singular_vectors[np.abs(singular_vectors).argmax(axis=0), np.arange(width)])
    return np.asarray(singular_vectors * signs)
