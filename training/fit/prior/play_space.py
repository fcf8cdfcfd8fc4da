"""Play space: a truncated singular value decomposition of members' weighted plays."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from model.prediction.prior.member_inputs import PRIOR_EMBEDDING
from training.data.passes.member_partition import MemberPartition
from training.data.passes.passes import Passes

Array = NDArray[np.float64]

OVERSAMPLING = 10
POWER_STEPS = 5


@dataclass(frozen=True)
class KeptPlays:
    """Plays of those members of a partition that a prior is fitted to."""

    partition: MemberPartition
    """The partition, which has P members."""
    kept: NDArray[np.bool_]
    """(P,) mask of the members to fit to."""

    def matrix(self) -> sparse.csc_array:
        """Return a row for each of these members, with a 1 for each movie played."""
        plays = self.partition.plays()
        return plays if self.kept.all() else plays[self.kept]


class PlayCounts(NamedTuple):
    """Numbers of plays and of members who play."""

    plays: Array
    """(M,) number of plays of each movie."""
    members: int
    """Number of members with plays."""


class Product(NamedTuple):
    """Product of a matrix with the plays' second moments."""

    values: Array
    """(M, D) A'A times a matrix (M, D), where A holds the normalised rows of the members."""


def embed(
    passes: Passes, plays: Sequence[KeptPlays], size: int, random: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (M, size) weighted right singular vectors and (M,) squared weights of the movies.

    `plays` are those of each partition's members. Plays are weighted by the movie's
    inverse document frequency, and each member's row is divided by its norm. The decomposition is randomized (Halko,
    Martinsson and Tropp, SIAM Review 2011); each of its power steps is a pass.
    """
    counts = passes.sum(_counts, plays)
    movies, members = len(counts.plays), counts.members
    weight = np.log((members + 1) / (counts.plays + 1)) + 1 if members else np.ones(movies)
    width = min(size, members, movies)
    vectors = np.zeros((movies, size))
    if width:
        vectors[:, :width] = _right_vectors(passes, plays, weight, width, min(width + OVERSAMPLING, movies), random)
    return (vectors * weight[:, None]).astype(np.float32), (weight**2).astype(np.float32)


def _right_vectors(
    passes: Passes,
    plays: Sequence[KeptPlays],
    weight: Array,
    width: int,
    sketch_width: int,
    random: np.random.Generator,
) -> Array:
    """Return (M, width) leading right singular vectors, each with a positive entry of largest magnitude."""

    def multiplied(matrix: Array) -> Array:
        weighted = (weight[:, None] * matrix).astype(np.float32)
        squares = (weight**2).astype(np.float32)
        return weight[:, None] * passes.sum(partial(_product, weighted, squares), plays).values

    basis = random.standard_normal((len(weight), sketch_width))
    for _ in range(POWER_STEPS):
        basis = np.linalg.qr(multiplied(basis))[0]
    values, vectors = linalg.eigh(basis.T @ multiplied(basis))
    order = np.argsort(-values)[:width]
    singular_vectors = basis @ vectors[:, order]
    signs = np.sign(singular_vectors[np.abs(singular_vectors).argmax(axis=0), np.arange(width)])
    return np.asarray(singular_vectors * signs)


def _counts(kept: KeptPlays) -> PlayCounts:
    plays = kept.matrix()
    return PlayCounts(np.diff(plays.indptr).astype(np.float64), len(np.unique(plays.indices)))


def _product(weighted: NDArray[np.float32], squares: NDArray[np.float32], kept: KeptPlays) -> Product:
    """Multiply the weighted matrix (M, D) by the plays of a partition, and the result by their transpose."""
    plays = kept.matrix()
    squared_length = plays @ squares + np.float32(PRIOR_EMBEDDING)
    return Product((plays.T @ ((plays @ weighted) / squared_length[:, None])).astype(np.float64))
