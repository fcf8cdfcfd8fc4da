"""Planted factors are recovered, and dimensions that nothing needs die out."""

import numpy as np
import pytest

from training.fit.prior.factorization import Factorization, Ratings

MEMBERS, MOVIES, TRUE_RANK, NOISE = 500, 120, 2, 0.25


@pytest.fixture(scope="module")
def world():
    random = np.random.default_rng(7)
    taste = random.normal(size=(MEMBERS, TRUE_RANK)) @ (0.6 * random.normal(size=(MOVIES, TRUE_RANK))).T
    generosity, quality = 0.4 * random.normal(size=MEMBERS), 0.5 * random.normal(size=MOVIES)
    truth = taste + generosity[:, None] + quality
    rated = random.random(truth.shape) < 0.3
    members, movies = np.nonzero(rated)
    noisy = truth[rated] + np.sqrt(NOISE) * random.normal(size=rated.sum())
    return truth - noisy.mean(), rated, Ratings.of(members, movies, noisy - noisy.mean(), truth.shape)


@pytest.fixture(scope="module")
def fitted(world) -> Factorization:
    factors = Factorization(world[2], 6, np.random.default_rng(0))
    for _ in range(40):
        factors.sweep()
    return factors


def predicted(factors: Factorization) -> np.ndarray:
    design = factors.member_mean.copy()
    movies = factors.movie_mean
    return design[:, :-1] @ movies[:, :-1].T + design[:, -1:] + movies[:, -1]


def error(values: np.ndarray, world) -> float:
    """Root mean squared error of the pairs that nobody rated, against what is truly felt."""
    truth, rated, _ = world
    return float(np.sqrt(np.mean((values - truth)[~rated] ** 2)))


def test_unseen_pairs_are_predicted_far_better_than_by_member_and_movie_means(world, fitted):
    values, ones = world[2].values.toarray(), world[2].ones.toarray()
    movie = values.sum(axis=0) / ones.sum(axis=0)
    member = ((values - movie) * ones).sum(axis=1, keepdims=True) / (ones.sum(axis=1, keepdims=True) + 2)
    assert error(predicted(fitted), world) < 0.35 * error(movie + member, world)
    assert error(predicted(fitted), world) < 0.25


def test_the_noise_is_estimated(fitted):
    assert fitted.noise == pytest.approx(NOISE, rel=0.05)


def test_superfluous_dimensions_die_out(fitted):
    strength = np.sqrt((fitted.movie_mean[:, :-1] ** 2).mean(axis=0))
    assert (strength[:TRUE_RANK] > 0.4).all()
    assert (strength[TRUE_RANK:] < 0.05).all()


def test_taste_is_turned_so_that_members_have_unit_variance_and_movies_are_uncorrelated(fitted):
    size = fitted.rank
    assert fitted.member_prior_cov[:size, :size] == pytest.approx(np.eye(size), abs=1e-3)
    products = fitted.movie_mean[:, :size].T @ fitted.movie_mean[:, :size]
    assert products == pytest.approx(np.diag(np.diag(products)), abs=1e-6 * np.trace(products))


def test_turning_changes_no_prediction(world):
    factors = Factorization(world[2], 3, np.random.default_rng(1))
    factors.sweep()
    before = predicted(factors)
    factors._rotate()
    assert predicted(factors) == pytest.approx(before, abs=1e-9)


def test_covariances_shrink_with_ratings_and_stay_proper(fitted, world):
    spread = np.trace(fitted.member_cov, axis1=1, axis2=2)
    ratings = world[2].ones.sum(axis=1)
    assert np.corrcoef(spread, ratings)[0, 1] < -0.5
    assert (np.linalg.eigvalsh(fitted.member_cov) > 0).all()
    assert (np.linalg.eigvalsh(fitted.movie_cov) > 0).all()


def test_members_without_a_rating_stay_at_what_is_expected_of_them(world):
    truth, _, ratings = world
    values, ones = ratings.values.toarray(), ratings.ones.toarray()
    values[0], ones[0] = 0, 0
    members, movies = np.nonzero(ones)
    factors = Factorization(
        Ratings.of(members, movies, values[members, movies], truth.shape), 2, np.random.default_rng(0)
    )
    factors.sweep()
    assert factors.member_mean[0] == pytest.approx(factors.member_prior[0])


def test_the_same_seed_gives_the_same_factors(world):
    means = []
    for seed in (3, 3, 4):
        factors = Factorization(world[2], 3, np.random.default_rng(seed))
        factors.sweep()
        means.append(factors.movie_mean.tobytes())
    assert means[0] == means[1] != means[2]


def test_ratings_that_are_all_alike_leave_finite_factors():
    members, movies = np.nonzero(np.ones((30, 10)))
    factors = Factorization(Ratings.of(members, movies, np.zeros(300), (30, 10)), 4, np.random.default_rng(0))
    for _ in range(10):
        factors.sweep()
    assert np.abs(predicted(factors)).max() < 1e-3
    assert factors.noise > 0
