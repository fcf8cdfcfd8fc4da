"""Factors of raters and movies by variational expectation-maximization.

A rating is y = mean + q.p + b + g + noise, with taste p (k numbers) and generosity g of the member, taste q and
quality b of the movie. Members' z = [p, g] have a normal prior around a regression on their features (regression-based
latent factors, Agarwal and Chen, KDD 2009) with one full covariance; movies' w = [q, b] have one around a regression on
their description with one variance for each dimension, learned too, so that superfluous dimensions shrink to zero (Lim
and Teh, KDD Cup 2007). Each side's posterior covariance enters the other side's update, so that members and movies of
few ratings count with their uncertainty. The cost of a sweep is linear in ratings, members and movies.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[np.float64]

NOISE_FLOOR = 1e-4
SMALLEST_VARIANCE = 1e-6


@dataclass
class Ratings:
    """R ratings as sparse (members, movies) matrices of one pattern."""

    values: sparse.csr_array
    """Rating less mean."""
    ones: sparse.csr_array
    """1 for every rating."""

    @staticmethod
    def of(members: NDArray[np.int64], movies: NDArray[np.int64], values: Array, shape: tuple[int, int]) -> "Ratings":
        """Ratings given as (R,) members, movies and values; `values` are less the mean already."""
        return Ratings(
            sparse.csr_array((values, (members, movies)), shape=shape),
            sparse.csr_array((np.ones_like(values), (members, movies)), shape=shape),
        )

    def transposed(self) -> "Ratings":
        """The transposed matrices, with movies as rows."""
        return Ratings(self.values.T.tocsr(), self.ones.T.tocsr())


class Factorization:
    """Posterior means and covariances of members (U) and movies (M), K = k + 1 numbers each."""

    def __init__(self, ratings: Ratings, rank: int, random: np.random.Generator) -> None:
        self.by_member, self.by_movie = ratings, ratings.transposed()
        users, movies = ratings.values.shape
        size = rank + 1
        self.rank = rank
        self.count = ratings.values.nnz
        variance = max(float(np.mean(ratings.values.data**2)), NOISE_FLOOR)
        self.noise = 0.7 * variance
        self.member_mean, self.member_cov = np.zeros((users, size)), np.zeros((users, size, size))
        self.movie_mean = np.zeros((movies, size))
        self.movie_mean[:, :rank] = random.normal(0, 0.1 * np.sqrt(variance), (movies, rank))
        per_movie = np.maximum(self.by_movie.ones.sum(axis=1), 1)
        self.movie_mean[:, rank] = self.by_movie.values.sum(axis=1) / (per_movie + 5)
        self.movie_cov = np.zeros((movies, size, size))
        self.member_prior = np.zeros((users, size))
        self.movie_prior = np.zeros((movies, size))
        self.member_prior_cov = np.diag(np.append(np.ones(rank), 0.2 * variance))
        self.movie_prior_var = np.append(np.full(rank, 0.1 * variance), 0.3 * variance)

    def sweep(self) -> None:
        """One update of members, movies and all variances."""
        rank = self.rank
        mass_members = self._update_members()
        mass_movies = self._update_movies()
        self._update_noise(mass_movies)
        rated = mass_movies[:, rank, rank] > 0
        deviation = self.movie_mean[rated] - self.movie_prior[rated]
        self.movie_prior_var = np.maximum(
            np.mean(deviation**2 + np.diagonal(self.movie_cov[rated], axis1=1, axis2=2), axis=0), SMALLEST_VARIANCE
        )
        active = mass_members[:, rank, rank] > 0
        deviation = self.member_mean[active] - self.member_prior[active]
        cov = (deviation.T @ deviation + self.member_cov[active].sum(axis=0)) / max(active.sum(), 1)
        self.member_prior_cov = cov + SMALLEST_VARIANCE * np.eye(rank + 1)
        self._rotate()

    def spread_about(self, predicted: Array, members: NDArray[np.int64]) -> Array:
        """(K, K) expected mean outer product of the members' factors less (N, K) predictions; `members` (N,) rows."""
        deviation = self.member_mean[members] - predicted
        return np.asarray((deviation.T @ deviation + self.member_cov[members].sum(axis=0)) / max(len(members), 1))

    def _update_members(self) -> Array:
        """Posterior of members given movies; returns each member's sum of second moments of its movies."""
        mean, cov, k = self.movie_mean, self.movie_cov, self.rank
        design, design_cov = _with_intercept(mean, cov, k)
        mass = _sum_of_squares(self.by_member.ones, design, design_cov)
        quality = mean[:, k]
        right = self.by_member.values @ design - self.by_member.ones @ (design * quality[:, None] + _pad(cov[:, :k, k]))
        inverse = np.linalg.inv(self.member_prior_cov)
        self.member_mean, self.member_cov = _posterior(inverse, self.member_prior, mass, right, self.noise)
        return mass

    def _update_movies(self) -> Array:
        """Posterior of movies given members; returns each movie's sum of second moments of its members."""
        mean, cov, k = self.member_mean, self.member_cov, self.rank
        design, design_cov = _with_intercept(mean, cov, k)
        mass = _sum_of_squares(self.by_movie.ones, design, design_cov)
        generosity = mean[:, k]
        right = self.by_movie.values @ design - self.by_movie.ones @ (
            design * generosity[:, None] + _pad(cov[:, :k, k])
        )
        inverse = np.diag(1 / self.movie_prior_var)
        self.movie_mean, self.movie_cov = _posterior(inverse, self.movie_prior, mass, right, self.noise)
        return mass

    def _update_noise(self, mass: Array) -> None:
        """Mean squared error expected under both posteriors."""
        k, member, movie = self.rank, self.member_mean, self.movie_mean
        ones, values = self.by_movie.ones, self.by_movie.values
        given, rated = self.by_member.values.sum(axis=1), self.by_member.ones.sum(axis=1)
        # E(y - g - w.[p,1])^2 with w and [p,g] independent: squares expanded into sums by movie
        design, _ = _with_intercept(member, self.member_cov, k)
        second = np.einsum("ijk,ijk->", mass, movie[:, :, None] * movie[:, None, :] + self.movie_cov)
        generosity = member[:, k]
        cross = values @ design - ones @ (design * generosity[:, None] + _pad(self.member_cov[:, :k, k]))
        generosity_squares = (
            np.sum(values.data**2)
            - 2 * np.sum(given * generosity)
            + np.sum(rated * (generosity**2 + self.member_cov[:, k, k]))
        )
        total = generosity_squares - 2 * np.sum(cross * movie) + second
        self.noise = max(float(total) / max(self.count, 1), NOISE_FLOOR)

    def _rotate(self) -> None:
        """Rotate taste so that members' covariance is the identity and movies' dimensions are uncorrelated.

        Predictions stay the same; only then is a diagonal covariance an adequate prior for movies.
        """
        k = self.rank
        root = np.linalg.cholesky(self.member_prior_cov[:k, :k])
        tastes = self.movie_mean[:, :k] @ root
        values, vectors = np.linalg.eigh(tastes.T @ tastes)
        order = np.argsort(-values)
        signs = np.where(vectors[np.abs(vectors).argmax(axis=0), np.arange(k)] < 0, -1.0, 1.0)
        movie_turn, member_turn = np.eye(k + 1), np.eye(k + 1)
        movie_turn[:k, :k] = (root @ (vectors * signs)[:, order]).T
        member_turn[:k, :k] = np.linalg.inv(movie_turn[:k, :k]).T
        self.movie_mean, self.movie_prior = self.movie_mean @ movie_turn.T, self.movie_prior @ movie_turn.T
        self.movie_cov = movie_turn @ self.movie_cov @ movie_turn.T
        self.movie_prior_var = np.maximum((movie_turn**2) @ self.movie_prior_var, SMALLEST_VARIANCE)
        self.member_mean, self.member_prior = self.member_mean @ member_turn.T, self.member_prior @ member_turn.T
        self.member_cov = member_turn @ self.member_cov @ member_turn.T
        self.member_prior_cov = member_turn @ self.member_prior_cov @ member_turn.T


def _with_intercept(mean: Array, cov: Array, k: int) -> tuple[Array, Array]:
    """[factors, 1] and its covariance: the last number, an additive effect, is replaced by 1."""
    design = mean.copy()
    design[:, k] = 1
    design_cov = cov.copy()
    design_cov[:, k, :] = 0
    design_cov[:, :, k] = 0
    return design, design_cov


def _pad(columns: Array) -> Array:
    """The columns with a column of zeros after them."""
    return np.concatenate([columns, np.zeros((len(columns), 1))], axis=1)


def _sum_of_squares(ones: sparse.csr_array, design: Array, design_cov: Array) -> Array:
    """(rows, K, K) for each row the sum over its columns of design design' + covariance."""
    size = design.shape[1]
    upper = np.triu_indices(size)
    packed = (design[:, :, None] * design[:, None, :] + design_cov)[:, upper[0], upper[1]]
    sums = ones @ packed
    full = np.empty((len(sums), size, size))
    full[:, upper[0], upper[1]] = sums
    full[:, upper[1], upper[0]] = sums
    return full


def _posterior(inverse: Array, prior: Array, mass: Array, right: Array, noise: float) -> tuple[Array, Array]:
    """Means (rows, K) and covariances (rows, K, K) of the factors of one side given the other."""
    cov = np.linalg.inv(inverse + mass / noise)
    cov = (cov + cov.transpose(0, 2, 1)) / 2
    mean = np.einsum("ijk,ik->ij", cov, prior @ inverse + right / noise)
    return mean, cov
