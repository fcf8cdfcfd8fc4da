"""The update of predictions by members' own ratings: posterior of the factors, then residuals of similar movies."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.prediction.prior.prior import taste_part

Array = NDArray[np.float64]

MOST_NEIGHBOURS = 500
"""Maximum number of rated movies whose residuals a prediction looks at, which limits the time of large requests."""
NEIGHBOUR_STRENGTH = 1.0
"""Number of made-up residuals of 0, of an equal movie, by which the mean residual of similar movies is shrunk."""


class Movies(NamedTuple):
    """What the update needs of N movies, with K factors and E dimensions of the embedding of who plays what."""

    factors: Array
    """(N, K) taste factors and quality."""
    direction: NDArray[np.floating]
    """(N, E) unit vector of the movie in the embedding; zeros if nobody played it."""


class Rated(NamedTuple):
    """R movies that one member rated."""

    movies: Movies
    """The movies."""
    residual: Array
    """(R,) rating less what the prior and the offset predict without ratings."""
    variance: Array
    """(R,) variance of such a rating if the member's factors were known: noise, and uncertainty of the movie."""


@dataclass(frozen=True)
class RatingUpdate:
    """What ratings change in N predictions, of one member or of U members, each with K factors."""

    shift: Array
    """(U, K) posterior means of the factors less the prior means, in the order of Taste.factors."""
    reduction: Array
    """(U, K, K) prior covariance of the factors less the posterior covariance."""
    neighbours: tuple[tuple[NDArray[np.floating], Array], ...]
    """Directions (R, E) of each member's rated movies and (R,) weighted residuals that the shift leaves."""
    counts: NDArray[np.int64] | None = None
    """(U,) number of predictions of each member, one member after the other; None for one member."""

    def repeat(self, counts: NDArray[np.int64]) -> "RatingUpdate":
        """Return the update of `counts[n]` predictions for each member n."""
        return replace(self, counts=counts)

    def rating(self, movies: Movies) -> Array:
        """Return the (N,) rating points to add to the predictions of N movies; each is independent of the others."""
        shift = self._of_rows(self.shift)
        added: Array = taste_part(shift, movies.factors) + shift[:, -1]
        counts, end = [len(added)] if self.counts is None else self.counts.tolist(), 0
        for count, (directions, residual) in zip(counts, self.neighbours, strict=True):
            start, end = end, end + count
            added[start:end] += _of_neighbours(movies.direction[start:end], directions, residual)
        return added

    def deviation(self, deviation: Array, factors: Array) -> Array:
        """Return the (N,) standard deviations of ratings about the updated predictions of N movies.

        `deviation` (N,) are those before the update, and `factors` (N, K) those of the movies. Each row is independent
        of the others: a product of two matrices may round differently from that of a matrix and a vector.
        """
        design = _design(factors)
        reduction = self._of_rows(self.reduction)
        explained = (np.matmul(reduction, design[:, :, None])[:, :, 0] * design).sum(axis=1)
        updated: Array = np.sqrt(deviation * deviation - explained)
        return updated

    def _of_rows(self, of_members: Array) -> Array:
        return of_members if self.counts is None else of_members.repeat(self.counts, axis=0)


def update_by_ratings(covariance: Array, members: Sequence[Rated], weights: Array) -> RatingUpdate:
    """Return the update of U members by their ratings, each independent of the others.

    A residual is modelled as design . z + error, where z are the errors of the predicted factors, normal with the
    `covariance` (K, K), and the design has the movie's taste factors and 1 for generosity. `weights` (U, 2), 0 to 1,
    shrink the shift of the factors and what the residuals of similar movies add.
    """
    size = len(covariance)
    precision, right = np.empty((len(members), size, size)), np.empty((len(members), size, 1))
    inverse = np.linalg.inv(covariance)
    designs = [_design(rated.movies.factors) for rated in members]
    for number, (rated, design) in enumerate(zip(members, designs, strict=True)):
        weighted = (design / rated.variance[:, None]).T
        precision[number] = inverse + weighted @ design
        right[number, :, 0] = weighted @ rated.residual
    posterior = np.linalg.inv(precision)
    shift = np.matmul(posterior, right)[:, :, 0] * weights[:, :1]
    neighbours = tuple(
        _neighbours(rated, rated.residual - design @ own, float(weight))
        for rated, design, own, weight in zip(members, designs, shift, weights[:, 1], strict=True)
    )
    return RatingUpdate(shift, covariance - posterior, neighbours)


def _neighbours(rated: Rated, residual: Array, weight: float) -> tuple[NDArray[np.floating], Array]:
    count = len(residual)
    if weight == 0:
        return rated.movies.direction[:0], residual[:0]
    chosen = np.arange(min(count, MOST_NEIGHBOURS)) * count // min(count, MOST_NEIGHBOURS)
    return rated.movies.direction[chosen], weight * residual[chosen]


def _of_neighbours(direction: NDArray[np.floating], directions: NDArray[np.floating], residual: Array) -> Array:
    """Return (N,) shrunk means of residuals (R,) of rated movies, weighted by squared positive cosine similarity.

    `direction` (N, E) are those of the movies to predict, and `directions` (R, E) those of the rated movies.
    """
    similarity = np.matmul(directions, direction[:, :, None])[:, :, 0].astype(np.float64)
    weight = np.maximum(similarity, 0) ** 2
    mean: Array = (weight * residual).sum(axis=1) / (weight.sum(axis=1) + NEIGHBOUR_STRENGTH)
    return mean


def _design(factors: Array) -> Array:
    """Return (N, K) taste factors of movies, with 1 in place of their quality."""
    design = factors.copy()
    design[:, -1] = 1
    return design
