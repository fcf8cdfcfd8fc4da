"""The update of predictions by members' own ratings: posterior of the factors, then residuals of similar movies."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.prediction.prior.prior import taste_part

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

MOST_NEIGHBOURS = 500
"""Maximum number of rated movies whose residuals a prediction looks at, which limits the time of large requests."""
NEIGHBOUR_STRENGTH = 1.0
"""Number of made-up residuals of 0, of an equal movie, by which the mean residual of similar movies is shrunk."""


class FactorErrors(NamedTuple):
    """Distribution of the errors of members' K predicted factors, normal about 0, and of the noise of their ratings."""

    covariance: Array
    """(K, K) covariance."""
    precision: Array
    """(K, K) inverse of the covariance."""
    noise_spread: float
    """Variance of the factors by which the noise of members' ratings differs from a typical member's."""

    @staticmethod
    def of(covariance: Array, noise_spread: float) -> "FactorErrors":
        """Return the distribution with a (K, K) covariance."""
        return FactorErrors(covariance, np.asarray(np.linalg.inv(covariance), np.float64), noise_spread)


class Movies(NamedTuple):
    """What the update needs of N movies, with K factors and E dimensions of the embedding of who plays what."""

    factors: Array
    """(N, K) taste factors and quality."""
    direction: NDArray[np.floating]
    """(N, E) unit vector of the movie in the embedding; zeros if nobody played it."""
    noise: Array
    """(N,) variance of the noise of a typical member's rating."""
    variance: Array
    """(N,) variance of a rating due to the uncertainty of the movie's factors."""


class Rated(NamedTuple):
    """R movies that members rated, one member after the other."""

    movies: Movies
    """The movies."""
    residual: Array
    """(R,) rating less what the prior and the offset predict without ratings."""


@dataclass(frozen=True)
class RatingUpdate:
    """What ratings change in N predictions, of one member or of U members, each with K factors."""

    shift: Array
    """(U, K) posterior means of the factors less the prior means, in the order of Taste.factors."""
    reduction: Array
    """(U, K, K) prior covariance of the factors less the posterior covariance."""
    noise: Array
    """(U,) factor of the noise of the member's ratings; a typical member's is 1."""
    neighbours: "Neighbours"
    """What the shift leaves of the members' ratings."""
    counts: Counts | None = None
    """(U,) number of predictions of each member, one member after the other; None for one member."""

    def repeat(self, counts: Counts) -> "RatingUpdate":
        """Return the update of `counts[n]` predictions for each member n."""
        return replace(self, counts=counts)

    def rating(self, movies: Movies) -> Array:
        """Return the (N,) rating points to add to the predictions of N movies; each is independent of the others."""
        shift = self.shift if self.counts is None else self.shift.repeat(self.counts, axis=0)
        added: Array = taste_part(shift, movies.factors) + shift[:, -1]
        added += self.neighbours.means(movies.direction, self._counts_of(len(added)))
        return added

    def deviation(self, deviation: Array, movies: Movies) -> Array:
        """Return the (N,) standard deviations of ratings about the updated predictions of N movies.

        `deviation` (N,) are those before the update. Each row is independent of the others: a product of two matrices
        may round differently from that of a matrix and a vector.
        """
        design = design_of(movies.factors)
        explained = np.empty((*design.shape, 1))
        for reduction, own in zip(self.reduction, _slices(self._counts_of(len(design))), strict=True):
            np.matmul(reduction, design[own, :, None], out=explained[own])
        noise = self.noise if self.counts is None else self.noise.repeat(self.counts)
        added = (noise - 1) * movies.noise
        updated: Array = np.sqrt(deviation * deviation - (explained[:, :, 0] * design).sum(axis=1) + added)
        return updated

    def _counts_of(self, predictions: int) -> Counts:
        return np.array([predictions]) if self.counts is None else self.counts


def update_by_ratings(errors: FactorErrors, rated: Rated, counts: Counts, weights: Array) -> RatingUpdate:
    """Return the update of U members by their ratings, each independent of the others.

    A residual is modelled as design . z + noise, where z are the `errors` of the predicted factors, and the design has
    the movie's taste factors and 1 for generosity. By how much the noise of a member's ratings differs from that of
    others is estimated from what the posterior leaves of the residuals. `counts` (U,) are the numbers of ratings, at
    least 1. `weights` (U, 2), 0 to 1, shrink the shift of the factors and what the residuals of similar movies add.
    """
    size, design = len(errors.covariance), design_of(rated.movies.factors)
    right = np.concatenate([design, rated.residual[:, None]], axis=1)
    left = (right / (rated.movies.noise + rated.movies.variance)[:, None]).T
    products = np.empty((len(counts), size + 1, size + 1))
    for own, product in zip(_slices(counts), products, strict=True):
        np.matmul(left[:, own], right[own], out=product)
    posterior = np.asarray(np.linalg.inv(products[:, :-1, :-1] + errors.precision), np.float64)
    mean = np.matmul(posterior, products[:, :-1, -1:])[:, :, 0]
    squared_errors = _squared_errors(products, errors.precision, mean, posterior)
    noise = noise_factor(squared_errors, counts, errors.noise_spread)
    shift = mean * weights[:, :1]
    rest = rated.residual - (design * shift.repeat(counts, axis=0)).sum(axis=1)
    rest = (rest * weights[:, 1].repeat(counts)).astype(rated.movies.direction.dtype)
    neighbours = Neighbours(rated.movies.direction, rest, counts).limited()
    return RatingUpdate(shift, errors.covariance - posterior, noise, neighbours)


def noise_factor(errors: NDArray[np.floating], counts: NDArray[np.number], spread: float) -> Array:
    """Return the (N,) factors of the noise of ratings of members, or of movies, shrunk to 1.

    `errors` (N,) are the expected sums of the squared errors of their ratings, divided by the variance of typical
    ones, and `counts` (N,) the numbers of ratings. The mean of n squared errors varies by 2 / n by chance,
    and the factors by `spread`, so that the mean is shrunk as if by 2 / spread ratings of a typical member.
    """
    return np.asarray((spread * np.maximum(errors, 0) + 2) / (spread * counts + 2))


def _squared_errors(products: Array, precision: Array, mean: Array, posterior: Array) -> Array:
    """Return the (U,) expected sums of the squared errors of ratings, divided by their variances.

    The square is expanded into sums. `products` (U, K + 1, K + 1) are those of design and residual, divided by the
    variances; `mean` (U, K) and the covariance `posterior` (U, K, K) solve their normal equations.
    """
    fit = mean * (products[:, :-1, -1] + np.matmul(mean[:, None, :], precision)[:, 0])
    certain = (precision * posterior).reshape(len(mean), -1).sum(axis=1)
    return np.asarray(products[:, -1, -1] - fit.sum(axis=1) + len(precision) - certain)


class Neighbours(NamedTuple):
    """Residuals of R ratings, one member after the other, which count for similar movies."""

    direction: NDArray[np.floating]
    """(R, E) directions of the rated movies."""
    residual: NDArray[np.floating]
    """(R,) weighted residuals."""
    counts: Counts
    """(U,) number of ratings of each member, at least 1."""

    def limited(self) -> "Neighbours":
        """Return at most MOST_NEIGHBOURS ratings of each member, evenly spread."""
        if self.counts.max() <= MOST_NEIGHBOURS:
            return self
        counts = np.minimum(self.counts, MOST_NEIGHBOURS)
        chosen = np.concatenate(
            [
                own.start + np.arange(most) * (own.stop - own.start) // most
                for own, most in zip(_slices(self.counts), counts.tolist(), strict=True)
            ]
        )
        return Neighbours(self.direction[chosen], self.residual[chosen], counts)

    def means(self, direction: NDArray[np.floating], predictions: Counts) -> NDArray[np.floating]:
        """Return (N,) shrunk means of the residuals, weighted by squared positive cosine similarity.

        `direction` (N, E) are those of the movies to predict, `predictions[n]` of them for member n.
        """
        lengths = self.counts.repeat(predictions)
        weight = np.empty(int(lengths.sum()), direction.dtype)
        product = np.empty_like(weight)
        members = list(zip(_slices(self.counts), _slices(predictions), _slices(self.counts * predictions), strict=True))
        for own, asked, pairs in members:
            similarity = weight[pairs].reshape(-1, own.stop - own.start, 1)
            np.matmul(self.direction[own], direction[asked, :, None], out=similarity)
        np.maximum(weight, 0, out=weight)
        weight *= weight
        for own, _, pairs in members:
            shape = -1, own.stop - own.start
            np.multiply(weight[pairs].reshape(shape), self.residual[own], out=product[pairs].reshape(shape))
        starts = np.cumsum(lengths) - lengths
        mean: NDArray[np.floating] = np.add.reduceat(product, starts) / (
            np.add.reduceat(weight, starts) + NEIGHBOUR_STRENGTH
        )
        return mean


def _slices(counts: Counts) -> Iterator[slice]:
    """Yield the place of each member's rows, `counts[n]` of them for member n."""
    end = 0
    for count in counts.tolist():
        start, end = end, end + count
        yield slice(start, end)


def design_of(factors: Array) -> Array:
    """Return (N, K) taste factors of movies, with 1 in place of their quality."""
    design = factors.copy()
    design[:, -1] = 1
    return design
