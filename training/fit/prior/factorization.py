"""Factors of raters and movies by variational expectation-maximization.

The model of a rating is y = mean + q.p + b + g + noise. A member has k taste factors p and a generosity g; a movie has
k taste factors q and a quality b. The factors z = [p, g] of members have a normal prior with a full covariance, centred
on a regression on the members' features (regression-based latent factors, Agarwal and Chen, KDD 2009). The factors
w = [q, b] of movies have a normal prior with one variance per dimension, centred on a regression on the movies'
descriptions. The variances are learned too, so that superfluous dimensions shrink to zero (Lim and Teh, KDD Cup 2007).
Each side's posterior covariance enters the other side's update, which accounts for the uncertainty of members and
movies with few ratings. The cost of a sweep is linear in the numbers of ratings, members and movies.
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
    """R ratings as sparse (members, movies) matrices with the same sparsity pattern."""

    values: sparse.csr_array
    """Rating minus the mean of all ratings."""
    ones: sparse.csr_array
    """1 for every rating."""

    @staticmethod
    def of(members: NDArray[np.int64], movies: NDArray[np.int64], values: Array, shape: tuple[int, int]) -> "Ratings":
        """Build the matrices from (R,) rows of members and movies, and ratings from which the mean was subtracted."""
        return Ratings(
            sparse.csr_array((values, (members, movies)), shape=shape),
            sparse.csr_array((np.ones_like(values), (members, movies)), shape=shape),
        )

    def transposed(self) -> "Ratings":
        """Return the transposed matrices, with movies as rows."""
        return Ratings(self.values.T.tocsr(), self.ones.T.tocsr())


class Factorization:
    """Posterior means (K,) and covariances (K, K) of the factors of U members and M movies; K = rank + 1."""

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
        """Update the factors of members, the factors of movies and all variances once."""
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
        """Return (K, K) the expected mean outer product of the errors of (N, K) predictions for `members` (N,)."""
        deviation = self.member_mean[members] - predicted
        return np.asarray((deviation.T @ deviation + self.member_cov[members].sum(axis=0)) / max(len(members), 1))

    def _update_members(self) -> Array:
        """Update the posterior of members given movies; return (U, K, K) summed second moments of the rated movies."""
        mean, cov, k = self.movie_mean, self.movie_cov, self.rank
        design, design_cov = _with_intercept(mean, cov, k)
        mass = _sum_of_squares(self.by_member.ones, design, design_cov)
        quality = mean[:, k]
        right = self.by_member.values @ design - self.by_member.ones @ (design * quality[:, None] + _pad(cov[:, :k, k]))
        inverse = np.linalg.inv(self.member_prior_cov)
        self.member_mean, self.member_cov = _posterior(inverse, self.member_prior, mass, right, self.noise)
        return mass

    def _update_movies(self) -> Array:
        """Update the posterior of movies given members; return (M, K, K) summed second moments of their raters."""
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
        """Set the noise variance to the mean squared error expected under both posteriors."""
        k, member, movie = self.rank, self.member_mean, self.movie_mean
        ones, values = self.by_movie.ones, self.by_movie.values
        given, rated = self.by_member.values.sum(axis=1), self.by_member.ones.sum(axis=1)
        # E(y - g - w.[p,1])^2 for independent w and [p,g], with the square expanded into sums over each movie
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
        """Transform taste so that members' prior covariance is the identity and movies' dimensions are uncorrelated.

        Predictions don't change. Without this step, a diagonal covariance would be an inadequate prior for movies.
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
    """Return the means and covariances with the last factor, an additive effect, replaced by the constant 1."""
    design = mean.copy()
    design[:, k] = 1
    design_cov = cov.copy()
    design_cov[:, k, :] = 0
    design_cov[:, :, k] = 0
    return design, design_cov


def _pad(columns: Array) -> Array:
    """Append a column of zeros."""
    return np.concatenate([columns, np.zeros((len(columns), 1))], axis=1)


def _sum_of_squares(ones: sparse.csr_array, design: Array, design_cov: Array) -> Array:
    """Return (rows, K, K) the sum of design design' + covariance over the nonzero columns of each row."""
    size = design.shape[1]
    upper = np.triu_indices(size)
    packed = (design[:, :, None] * design[:, None, :] + design_cov)[:, upper[0], upper[1]]
    sums = ones @ packed
    full = np.empty((len(sums), size, size))
    full[:, upper[0], upper[1]] = sums
    full[:, upper[1], upper[0]] = sums
    return full


def _posterior(inverse: Array, prior: Array, mass: Array, right: Array, noise: float) -> tuple[Array, Array]:
    """Return the posterior means (rows, K) and covariances (rows, K, K) of one side's factors given the other."""
    cov = np.linalg.inv(inverse + mass / noise)
    cov = (cov + cov.transpose(0, 2, 1)) / 2
    mean = np.einsum("ijk,ik->ij", cov, prior @ inverse + right / noise)
    return mean, cov
