"""The update of predictions by members' own ratings: posterior of the factors, then residuals of similar movies."""

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
    """R movies that members rated, one member after the other."""

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
    neighbours: tuple["Neighbours", ...]
    """What the shift leaves of each member's ratings."""
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
        for count, neighbours in zip(counts, self.neighbours, strict=True):
            start, end = end, end + count
            added[start:end] += neighbours.mean(movies.direction[start:end])
        return added

    def deviation(self, deviation: Array, factors: Array) -> Array:
        """Return the (N,) standard deviations of ratings about the updated predictions of N movies.

        `deviation` (N,) are those before the update, and `factors` (N, K) those of the movies. Each row is independent
        of the others: a product of two matrices may round differently from that of a matrix and a vector.
        """
        design = design_of(factors)
        reduction = self._of_rows(self.reduction)
        explained = (np.matmul(reduction, design[:, :, None])[:, :, 0] * design).sum(axis=1)
        updated: Array = np.sqrt(deviation * deviation - explained)
        return updated

    def _of_rows(self, of_members: Array) -> Array:
        return of_members if self.counts is None else of_members.repeat(self.counts, axis=0)


def update_by_ratings(covariance: Array, rated: Rated, counts: NDArray[np.int64], weights: Array) -> RatingUpdate:
    """Return the update of U members by their ratings, each independent of the others.

    A residual is modelled as design . z + error, where z are the errors of the predicted factors, normal with the
    `covariance` (K, K), and the design has the movie's taste factors and 1 for generosity. `counts` (U,) are the
    numbers of ratings. `weights` (U, 2), 0 to 1, shrink the shift of the factors and what the residuals of similar
    movies add.
    """
    size, ends = len(covariance), np.cumsum(counts).tolist()
    own = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
    precision, right = np.empty((len(own), size, size)), np.empty((len(own), size, 1))
    design = design_of(rated.movies.factors)
    weighted = design / rated.variance[:, None]
    for number, ratings in enumerate(own):
        np.matmul(weighted[ratings].T, design[ratings], out=precision[number])
        np.matmul(weighted[ratings].T, rated.residual[ratings, None], out=right[number])
    posterior = np.linalg.inv(precision + np.linalg.inv(covariance))
    shift = np.matmul(posterior, right)[:, :, 0] * weights[:, :1]
    neighbours = tuple(
        Neighbours.of(rated.movies.direction[ratings], rated.residual[ratings] - design[ratings] @ of_member, weight)
        for ratings, of_member, weight in zip(own, shift, weights[:, 1].tolist(), strict=True)
    )
    return RatingUpdate(shift, covariance - posterior, neighbours)


class Neighbours(NamedTuple):
    """Residuals of one member's ratings of R movies, which count for similar movies."""

    directions: NDArray[np.floating]
    """(R, E) directions of the rated movies."""
    residuals: NDArray[np.floating]
    """(R, 2) weighted residuals, then 1."""

    @staticmethod
    def of(directions: NDArray[np.floating], residual: Array, weight: float) -> "Neighbours":
        """Return at most MOST_NEIGHBOURS of R rated movies, evenly spread, with their residuals times `weight`."""
        if len(residual) > MOST_NEIGHBOURS:
            chosen = np.arange(MOST_NEIGHBOURS) * len(residual) // MOST_NEIGHBOURS
            directions, residual = directions[chosen], residual[chosen]
        residuals = np.ones((len(residual), 2), directions.dtype)
        residuals[:, 0] = weight * residual
        return Neighbours(directions, residuals)

    def mean(self, direction: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return (N,) shrunk means of the residuals, weighted by squared positive cosine similarity.

        `direction` (N, E) are those of the movies to predict.
        """
        weight = np.matmul(self.directions, direction[:, :, None])
        np.maximum(weight, 0, out=weight)
        weight *= weight
        sums = np.matmul(self.residuals.T, weight)[:, :, 0]
        mean: NDArray[np.floating] = sums[:, 0] / (sums[:, 1] + NEIGHBOUR_STRENGTH)
        return mean


def design_of(factors: Array) -> Array:
    """Return (N, K) taste factors of movies, with 1 in place of their quality."""
    design = factors.copy()
    design[:, -1] = 1
    return design
