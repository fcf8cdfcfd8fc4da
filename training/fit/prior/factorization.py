"""Factors of raters and movies by variational expectation-maximization.

The model of a rating is y = mean + q.p + b + g + noise. A member has k taste factors p and a generosity g; a movie has
k taste factors q and a quality b. The factors z = [p, g] of members have a normal prior with a full covariance, centred
on a regression on the members' features (regression-based latent factors, Agarwal and Chen, KDD 2009). The factors
w = [q, b] of movies have a normal prior with one variance per dimension, centred on a regression on the movies'
descriptions. The variances are learned too, so that superfluous dimensions shrink to zero (Lim and Teh, KDD Cup 2007).
Each side's posterior covariance enters the other side's update, which accounts for the uncertainty of members and
movies with few ratings. The noise of each member's ratings has a factor, so that movies' factors depend less on erratic
members (Lakshminarayanan, Bouchard and Archambeau, AISTATS 2011); members' posteriors are no better for it, and do
without. The noise of each movie's ratings is estimated too, but has no part in the sweeps, where movies that fit well
would gain ever more weight. The cost of a sweep is linear in the numbers of ratings, members and movies.

A sweep is one pass over partitions of members. Each partition computes the posterior of its members from the factors
of the movies, and returns only what the movies' update needs: sums over the raters of each movie. Sums within a
partition are in single precision, totals and the update of the movies in double precision.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from model.prediction.prior.rating_update import noise_factor
from training.data.passes.member_partition import MemberPartition
from training.data.passes.movie_statistics import MovieStatistics
from training.data.passes.passes import Passes

Array = NDArray[np.float64]
Single = NDArray[np.float32]

NOISE_FLOOR = 1e-4
SURE = 2.0
"""Number of standard errors by which the noise of members, or of movies, must vary more than by chance."""
SMALLEST_VARIANCE = 1e-6


@dataclass(frozen=True)
class KeptRatings:
    """Ratings of those raters of a partition that a prior is fitted to."""

    partition: MemberPartition
    """The partition, which has U raters."""
    kept: NDArray[np.bool_]
    """(U,) mask of the raters to fit to."""
    mean: float
    """Mean of all ratings, which is subtracted."""

    def __len__(self) -> int:
        """Return the number U of raters of the partition, kept or not."""
        return len(self.kept)

    def centred(self) -> sparse.csc_array:
        """Return the (R, M) ratings of the R raters who are kept, less the mean."""
        ratings = self.partition.ratings()
        ratings = ratings if self.kept.all() else ratings[self.kept]
        values = ratings.data - np.float32(self.mean)
        return sparse.csc_array((values, ratings.indices, ratings.indptr), shape=ratings.shape)

    def of_all(self, kept: NDArray[Any]) -> NDArray[Any]:
        """Return rows (U, ...) of all raters, given those (R, ...) of the kept ones; 0 for the others."""
        if self.kept.all():
            return kept
        rows = np.zeros((len(self.kept), *kept.shape[1:]), kept.dtype)
        rows[self.kept] = kept
        return rows


class SweepSums(NamedTuple):
    """Sums over the members of a partition; K = k + 1 factors, extended by a constant 1 to K + 1.

    The sums of each movie are over its raters, divided by the factors of their noise.
    """

    moments: Array
    """(M, P) sums of the packed second moments of the extended factors."""
    products: Array
    """(M, K + 1) sums of rating times extended factors."""
    squares: Array
    """(M,) sums of squared ratings."""
    errors: Array
    """(2,) sums over the members, by `_sums_of_errors`, of `MemberPosterior.errors`."""
    deviations: Array
    """(K, K) expected sum of the outer products of the members' deviations from their prior means."""
    members: int
    """Number of members with ratings."""


class Posterior(NamedTuple):
    """Posterior of the factors of N members, in single precision, or of N movies, in double precision."""

    mean: Array
    """(N, K) means."""
    cov: Array
    """(N, K, K) covariances."""


class MemberPosterior(NamedTuple):
    """Posterior of the factors of N members, in single precision, with the errors that it leaves of their ratings."""

    mean: Array
    """(N, K) means."""
    cov: Array
    """(N, K, K) covariances."""
    errors: Array
    """(N,) expected sums of the squared errors of ratings, divided by a typical member's noise."""
    ratings: Array
    """(N,) numbers of ratings."""


@dataclass(frozen=True)
class Factors:
    """State of a factorization with M movies and K = k + 1 factors: k taste factors, and quality or generosity."""

    movies: Posterior
    """Posterior of the movies' factors."""
    movie_prior: Array
    """(M, K) prior means of the movies' factors."""
    movie_prior_var: Array
    """(K,) prior variances of the movies' factors."""
    member_prior: tuple[Array, ...]
    """(U, K) prior means of the members' factors, by partition."""
    member_prior_cov: Array
    """(K, K) prior covariance of the members' factors."""
    noise: float
    """Variance of the noise of a typical member's ratings."""
    noise_spread: float
    """Variance of the factors by which the noise of members' ratings differs from that."""
    movie_noise: Array
    """(M,) variance of the noise of each movie's ratings by a typical member."""
    statistics: MovieStatistics
    """Sums over all ratings, which stay the same."""

    @property
    def rank(self) -> int:
        """Number k of taste factors."""
        return len(self.movie_prior_var) - 1


def start(
    ratings: Sequence[KeptRatings],
    statistics: MovieStatistics,
    rank: int,
    random: np.random.Generator,
    movie_factors: Array | None = None,
) -> Factors:
    """Return factors to begin with, for ratings by partition.

    The movies have `movie_factors` (M, K) of another fit; without them, random tastes, and shrunk means as qualities.
    """
    count = statistics.ratings.sum()
    variance = max(statistics.centred_squares / max(count, 1), NOISE_FLOOR)
    size, movies = rank + 1, len(statistics.ratings)
    if movie_factors is None:
        tastes = random.normal(0, 0.1 * np.sqrt(variance), (movies, rank))
        movie_factors = np.concatenate([tastes, statistics.shrunk()[:, None]], axis=1)
    return Factors(
        Posterior(movie_factors, np.zeros((movies, size, size))),
        np.zeros((movies, size)),
        np.append(np.full(rank, 0.1 * variance), 0.3 * variance),
        tuple(np.zeros((len(part), size)) for part in ratings),
        np.diag(np.append(np.ones(rank), 0.2 * variance)),
        0.7 * variance,
        0.0,
        np.full(movies, 0.7 * variance),
        statistics,
    )


def sweep(passes: Passes, ratings: Sequence[KeptRatings], factors: Factors) -> Factors:
    """Update the factors of members, the factors of movies and all variances once."""
    sums = passes.sum(partial(_sweep_sums, MemberUpdate.of(factors)), ratings, factors.member_prior)
    packing, k = _packing(factors.rank + 2), factors.rank
    mass, cross = packing.design(sums.moments), packing.cross(sums.moments)
    right = sums.products[:, packing.designed] - cross
    movies = _posterior(np.diag(1 / factors.movie_prior_var), factors.movie_prior, mass, right, factors.noise)
    away = sums.squares + sums.moments[:, packing.place[k, k]] - 2 * sums.products[:, k]
    squared_errors, count = _squared_errors(movies, mass, right, away), factors.statistics.ratings
    total, rated = float(count.sum()), count > 0
    noise = max(float(squared_errors.sum()) / max(total, 1), NOISE_FLOOR)
    errors = squared_errors / noise
    movies_spread = _noise_spread(_sums_of_errors(errors, count), total, int(rated.sum()))
    squares = (movies.mean - factors.movie_prior)[rated] ** 2 + np.diagonal(movies.cov[rated], axis1=1, axis2=2)
    swept = replace(
        factors,
        movies=movies,
        movie_prior_var=np.maximum(squares.mean(axis=0), SMALLEST_VARIANCE),
        member_prior_cov=sums.deviations / max(sums.members, 1) + SMALLEST_VARIANCE * np.eye(k + 1),
        noise=noise,
        noise_spread=_noise_spread(sums.errors, total, sums.members),
        movie_noise=noise * noise_factor(errors, count, movies_spread),
    )
    return rotated(swept)


def rotated(factors: Factors) -> Factors:
    """Transform taste so that members' prior covariance is the identity and movies' dimensions are uncorrelated.

    Predictions don't change. Without this step, a diagonal covariance would be an inadequate prior for movies.
    """
    k = factors.rank
    root = np.linalg.cholesky(factors.member_prior_cov[:k, :k])
    tastes = factors.movies.mean[:, :k] @ root
    values, vectors = np.linalg.eigh(tastes.T @ tastes)
    order = np.argsort(-values)
    signs = np.where(vectors[np.abs(vectors).argmax(axis=0), np.arange(k)] < 0, -1.0, 1.0)
    movie_turn, member_turn = np.eye(k + 1), np.eye(k + 1)
    movie_turn[:k, :k] = (root @ (vectors * signs)[:, order]).T
    member_turn[:k, :k] = np.linalg.inv(movie_turn[:k, :k]).T
    return replace(
        factors,
        movies=Posterior(factors.movies.mean @ movie_turn.T, movie_turn @ factors.movies.cov @ movie_turn.T),
        movie_prior=factors.movie_prior @ movie_turn.T,
        movie_prior_var=np.maximum((movie_turn**2) @ factors.movie_prior_var, SMALLEST_VARIANCE),
        member_prior=tuple(prior @ member_turn.T for prior in factors.member_prior),
        member_prior_cov=member_turn @ factors.member_prior_cov @ member_turn.T,
    )


class MemberUpdate(NamedTuple):
    """All that the posterior of a member depends on, besides the member's ratings and prior mean."""

    extended: Single
    """(M, K + 1) means of the movies' extended factors."""
    moments: Single
    """(M, P) packed second moments of the movies' extended factors."""
    inverse: Array
    """(K, K) inverse of the members' prior covariance."""
    noise: float
    """Variance of the noise of a typical member's ratings."""
    noise_spread: float
    """Variance of the factors by which the noise of members' ratings differs from that."""

    @staticmethod
    def of(factors: Factors) -> "MemberUpdate":
        """Return the update of members given the current factors of movies."""
        extended, moments = _extended(*factors.movies)
        return MemberUpdate(
            extended.astype(np.float32),
            moments.astype(np.float32),
            np.asarray(np.linalg.inv(factors.member_prior_cov), np.float64),
            factors.noise,
            factors.noise_spread,
        )

    def posterior(self, ratings: sparse.csc_array, prior: Array) -> MemberPosterior:
        """Return the posterior of R members from their ratings (R, M), less the mean of all, and prior means (R, K).

        It is in single precision.
        """
        packing, quality = _packing(self.extended.shape[1]), self.extended.shape[1] - 2
        ones = _with(ratings, np.ones_like(ratings.data))
        sums, products, count = ones @ self.moments, ratings @ self.extended, ones.sum(axis=1)
        mass, right = packing.design(sums), products[:, packing.designed] - packing.cross(sums)
        mean, cov = _posterior(self.inverse.astype(np.float32), prior.astype(np.float32), mass, right, self.noise)
        away = _squares(ratings).sum(axis=1) + sums[:, packing.place[quality, quality]] - 2 * products[:, quality]
        errors = _squared_errors(Posterior(mean, cov), mass, right, away) / self.noise
        return MemberPosterior(mean, cov, errors, np.asarray(count, np.float64))


def _sweep_sums(update: MemberUpdate, ratings: KeptRatings, prior: Array) -> SweepSums:
    """Update the members of a partition, and return the sums over them."""
    prior, centred = prior[ratings.kept], ratings.centred()
    members = update.posterior(centred, prior)
    extended, moments = _extended(members.mean, members.cov)
    weight = (1 / noise_factor(members.errors, members.ratings, update.noise_spread)).astype(np.float32)
    ones, deviation = _with(centred, np.ones_like(centred.data)), members.mean - prior
    return SweepSums(
        (ones.T @ (moments * weight[:, None])).astype(np.float64),
        (centred.T @ (extended * weight[:, None])).astype(np.float64),
        (_squares(centred).T @ weight).astype(np.float64),
        _sums_of_errors(members.errors, members.ratings),
        deviation.T @ deviation + members.cov.sum(axis=0, dtype=np.float64),
        len(prior),
    )


def _posterior(
    inverse: NDArray[np.floating],
    prior: NDArray[np.floating],
    mass: NDArray[np.floating],
    right: NDArray[np.floating],
    noise: float,
) -> Posterior:
    """Return the posterior of N rows of factors, given the other side's factors.

    `inverse` (K, K) is the inverse of the prior covariance and `prior` (N, K) has the prior means. `mass` (N, K, K) and
    `right` (N, K) are the left and right side of the normal equations of each row.
    """
    cov = np.linalg.inv(inverse + mass / noise)
    cov = (cov + cov.transpose(0, 2, 1)) / 2
    return Posterior(np.einsum("ijk,ik->ij", cov, prior @ inverse + right / noise), cov)


def _squared_errors(
    rows: Posterior, mass: NDArray[np.floating], right: NDArray[np.floating], away: NDArray[np.floating]
) -> Array:
    """Return the (N,) expected sums of the squared errors of ratings of N rows with these normal equations.

    Each is the sum of E(y - b - z.[q,1])^2 for independent z and [q,b], with the square expanded; `away` (N,) are the
    terms without z. For movies, g and [p,1] take the place of b and [q,1].
    """
    second = np.einsum("ijk,ijk->i", mass, rows.mean[:, :, None] * rows.mean[:, None, :] + rows.cov)
    return np.asarray(np.maximum(away - 2 * (right * rows.mean).sum(axis=1) + second, 0), np.float64)


def _sums_of_errors(errors: NDArray[np.floating], ratings: Array) -> Array:
    """Return the (2,) sums over N rows of `errors`, and of their squares divided by the numbers of ratings, (N,) each.

    The errors are sums of squared errors, divided by the variance of the noise.
    """
    return np.array([np.sum(errors, dtype=np.float64), np.sum(errors**2 / np.maximum(ratings, 1), dtype=np.float64)])


def _noise_spread(errors: Array, ratings: float, rows: int) -> float:
    """Return the variance, relative to the squared mean, of the noise of the ratings of N members or movies.

    Variance by chance doesn't count. `errors` (2,) is from `_sums_of_errors`, `ratings` is the number of all ratings,
    and `rows` is N. By the method of moments (DerSimonian and Laird, Controlled Clinical Trials 1986), with normal
    noise: the mean of n squared errors has a relative variance of 2 / n.
    """
    total, squares = errors.tolist()
    if total <= 0:
        return 0.0
    excess = (squares * (ratings / total) ** 2 - ratings) / 2 - rows - SURE * np.sqrt(2 * rows)
    return float(np.clip(2 * excess / ratings, 0, 1))


def _with(matrix: sparse.csc_array, data: Single) -> sparse.csc_array:
    """Return a matrix with other values in place of those that are stored."""
    return sparse.csc_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def _squares(matrix: sparse.csc_array) -> sparse.csc_array:
    return _with(matrix, matrix.data**2)


def _extended(mean: Array, cov: Array) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return means (N, K + 1), extended by a constant 1, and packed second moments (N, P) of the extended factors."""
    packing = _packing(mean.shape[1] + 1)
    extended = np.concatenate([mean, np.ones((len(mean), 1), mean.dtype)], axis=1)
    moments = extended[:, packing.rows] * extended[:, packing.columns]
    varies = packing.columns < mean.shape[1]
    moments[:, varies] += cov[:, packing.rows[varies], packing.columns[varies]]
    return extended, moments


class Packing(NamedTuple):
    """Positions of the entries of symmetric matrices in their packed upper triangles, which have P entries.

    The matrices are second moments of k taste factors, an additive factor (quality or generosity) and a constant 1.
    """

    rows: NDArray[np.int64]
    """(P,) row of each entry."""
    columns: NDArray[np.int64]
    """(P,) column of each entry."""
    place: NDArray[np.int64]
    """(K + 1, K + 1) position of each matrix element."""
    designed: NDArray[np.int64]
    """(K,) positions of the taste factors and the constant, which multiply the factors of the other side."""

    def design(self, packed: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return (N, K, K) second moments of the taste factors and the constant, from (N, P) packed ones."""
        return packed[:, self.place[np.ix_(self.designed, self.designed)]]

    def cross(self, packed: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return (N, K) expected products of quality or generosity with each taste factor and with the constant 1.

        `packed` (N, P) holds the second moments of N movies or members.
        """
        return packed[:, self.place[self.designed, -2]]


@lru_cache
def _packing(size: int) -> Packing:
    """Return the positions for matrices of `size` = K + 1 rows."""
    rows, columns = np.triu_indices(size)
    place = np.empty((size, size), np.int64)
    place[rows, columns] = place[columns, rows] = np.arange(len(rows))
    return Packing(rows, columns, place, np.delete(np.arange(size), size - 2))
