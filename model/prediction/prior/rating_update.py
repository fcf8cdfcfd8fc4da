"""The update of members' predicted factors by their own ratings: the posterior of a Bayesian linear regression."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.prediction.prior.prior import taste_part

Array = NDArray[np.float64]


class RatedMovies(NamedTuple):
    """R movies that one member rated."""

    factors: Array
    """(R, K) taste factors and quality of the movies."""
    residual: Array
    """(R,) rating less what the prior and the offset predict without ratings."""
    variance: Array
    """(R,) variance of such a rating if the member's factors were known: noise, and uncertainty of the movie."""


@dataclass(frozen=True)
class RatingUpdate:
    """What ratings change in the predictions of N members, each with K factors."""

    shift: Array
    """(N, K) posterior means of the factors less the prior means, in the order of Taste.factors."""
    reduction: Array
    """(N, K, K) prior covariance of the factors less the posterior covariance."""

    def take(self, members: NDArray[np.int64]) -> "RatingUpdate":
        """Return a copy with the members of these numbers."""
        return RatingUpdate(self.shift.take(members, axis=0), self.reduction.take(members, axis=0))

    def rating(self, movies: Array) -> Array:
        """Return the (N,) rating points to add to the predictions of N movies, given their factors (N, K).

        The update is of one member or of N.
        """
        added: Array = taste_part(self.shift, movies) + self.shift[:, -1]
        return added

    def deviation(self, deviation: Array, movies: Array) -> Array:
        """Return the (N,) standard deviations of ratings about the updated predictions of N movies.

        `deviation` (N,) are those before the update, and `movies` (N, K) the movies' factors. Each row is independent
        of the others: a product of two matrices may round differently from that of a matrix and a vector.
        """
        design = _design(movies)
        explained = (np.matmul(self.reduction, design[:, :, None])[:, :, 0] * design).sum(axis=1)
        updated: Array = np.sqrt(deviation * deviation - explained)
        return updated


def update_by_ratings(covariance: Array, members: Sequence[RatedMovies], share: Array) -> RatingUpdate:
    """Return the update of N members by their ratings, each independent of the others.

    A residual is modelled as design . z + error, where z are the errors of the predicted factors, normal with the
    `covariance` (K, K), and the design has the movie's taste factors and 1 for generosity. `share` (N,) are shrinkage
    weights, 0 to 1, of the shift.
    """
    size = len(covariance)
    precision, right = np.empty((len(members), size, size)), np.empty((len(members), size, 1))
    inverse = np.linalg.inv(covariance)
    for number, (factors, residual, variance) in enumerate(members):
        design = _design(factors)
        weighted = (design / variance[:, None]).T
        precision[number] = inverse + weighted @ design
        right[number, :, 0] = weighted @ residual
    posterior = np.linalg.inv(precision)
    return RatingUpdate(np.matmul(posterior, right)[:, :, 0] * share[:, None], covariance - posterior)


def _design(movies: Array) -> Array:
    """Return (N, K) taste factors of movies, with 1 in place of their quality."""
    design = movies.copy()
    design[:, -1] = 1
    return design
