"""Planted factors are recovered, as by a plain dense computation, and dimensions that nothing needs die out."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import sparse

from model.prediction.prior.rating_update import noise_factor
from tests.training.fit.conftest import partitions_of
from training.data.passes.movie_statistics import MovieStatistics, movie_statistics
from training.data.passes.passes import Passes
from training.fit.prior.factorization import (
    NOISE_FLOOR,
    SMALLEST_VARIANCE,
    SURE,
    Factors,
    KeptRatings,
    MemberPosterior,
    MemberUpdate,
    Posterior,
    rotated,
    start,
    sweep,
)

MEMBERS, MOVIES, TRUE_RANK, NOISE = 500, 120, 2, 0.25
MEAN = 3.25
"""Mean of all ratings."""


@dataclass(frozen=True)
class World:
    truth: np.ndarray
    """What is truly felt, less the mean rating."""
    rated: np.ndarray
    """Which pairs are rated."""
    values: np.ndarray
    """The ratings less their mean; 0 elsewhere."""


@dataclass(frozen=True)
class Kept:
    """Ratings by partition, and sums over all of them."""

    ratings: list[KeptRatings]
    statistics: MovieStatistics


def kept_ratings(passes: Passes, world: World, parts: int = 3, kept: np.ndarray | None = None) -> Kept:
    """The ratings of the members selected by a mask, of partitions of all members."""
    kept = np.ones(len(world.rated), bool) if kept is None else kept
    partitions = partitions_of(passes, world.rated, MEAN + world.values, parts)
    statistics = movie_statistics(passes, partitions, np.where(kept, 1, 0), 2).without(0)
    return Kept([KeptRatings(part, kept[part.raters], statistics.mean) for part in partitions], statistics)


@pytest.fixture(scope="module")
def world() -> World:
    random = np.random.default_rng(7)
    taste = random.normal(size=(MEMBERS, TRUE_RANK)) @ (0.6 * random.normal(size=(MOVIES, TRUE_RANK))).T
    generosity, quality = 0.4 * random.normal(size=MEMBERS), 0.5 * random.normal(size=MOVIES)
    truth = taste + generosity[:, None] + quality
    rated = random.random(truth.shape) < 0.3
    noisy = truth + np.sqrt(NOISE) * random.normal(size=truth.shape)
    mean = noisy[rated].mean()
    return World(truth - mean, rated, np.where(rated, noisy - mean, 0))


@pytest.fixture(scope="module")
def kept(world, passes) -> Kept:
    kept = kept_ratings(passes, world)
    assert len(kept.ratings) >= 3
    return kept


def factors_of(passes: Passes, kept: Kept, rank: int, sweeps: int, seed: int = 0) -> Factors:
    factors = start(kept.ratings, kept.statistics, rank, np.random.default_rng(seed))
    for _ in range(sweeps):
        factors = sweep(passes, kept.ratings, factors)
    return factors


def members_of(kept: Kept, factors: Factors) -> MemberPosterior:
    """The posterior of all members who are kept."""
    update = MemberUpdate.of(factors)
    parts = [
        update.posterior(ratings.centred(), prior[ratings.kept])
        for ratings, prior in zip(kept.ratings, factors.member_prior, strict=True)
    ]
    return MemberPosterior(*map(np.concatenate, zip(*parts, strict=True)))


@pytest.fixture(scope="module")
def fitted(kept, passes) -> Factors:
    return factors_of(passes, kept, 6, 40)


def predicted(members: np.ndarray, factors: Factors) -> np.ndarray:
    movies = factors.movies.mean
    return members[:, :-1] @ movies[:, :-1].T + members[:, -1:] + movies[:, -1]


def error(values: np.ndarray, world) -> float:
    """Root mean squared error of the pairs that nobody rated, against what is truly felt."""
    return float(np.sqrt(np.mean((values - world.truth)[~world.rated] ** 2)))


def test_unseen_pairs_are_predicted_far_better_than_by_member_and_movie_means(world, kept, fitted):
    values, ones = world.values, world.rated
    movie = values.sum(axis=0) / ones.sum(axis=0)
    member = ((values - movie) * ones).sum(axis=1, keepdims=True) / (ones.sum(axis=1, keepdims=True) + 2)
    ours = predicted(members_of(kept, fitted).mean, fitted)
    assert error(ours, world) < 0.35 * error(movie + member, world)
    assert error(ours, world) < 0.25


class Dense:
    """The same updates row by row, in double precision and without partitions."""

    def __init__(self, world: World, factors: Factors, prior: np.ndarray) -> None:
        self.values, self.rated = world.values, world.rated
        self.movies, self.movie_cov = factors.movies.mean.copy(), factors.movies.cov.copy()
        self.movie_prior, self.movie_prior_var = factors.movie_prior, factors.movie_prior_var
        self.member_prior, self.member_prior_cov, self.noise = prior, factors.member_prior_cov, factors.noise
        self.noise_spread = factors.noise_spread

    def rows(self, values, rated, noise, mean, cov, inverse, prior):
        """The posterior of each row: of members given movies, or the other way round."""
        means, covs = [], []
        for row, which, variance, centre in zip(values, rated, noise, prior, strict=True):
            left, right = inverse.copy(), inverse @ centre
            for place in np.flatnonzero(which):
                design = np.append(mean[place, :-1], 1)
                other = np.zeros_like(cov[place])
                other[:-1, :-1] = cov[place, :-1, :-1]
                left += (np.outer(design, design) + other) / variance[place]
                right += design * (row[place] - mean[place, -1]) / variance[place]
                right[:-1] -= cov[place, :-1, -1] / variance[place]
            covs.append(np.linalg.inv(left))
            means.append(covs[-1] @ right)
        return np.array(means), np.array(covs)

    def sweep(self) -> None:
        inverse = np.linalg.inv(self.member_prior_cov)
        noise, count = np.full(self.rated.shape, self.noise), self.rated.sum(axis=1)
        movies = self.movies, self.movie_cov
        members, cov = self.rows(self.values, self.rated, noise, *movies, inverse, self.member_prior)
        errors = self.squared_errors(members, cov).sum(axis=1) / self.noise
        noise *= noise_factor(errors, count, self.noise_spread)[:, None]
        inverse = np.diag(1 / self.movie_prior_var)
        movies = self.rows(self.values.T, self.rated.T, noise.T, members, cov, inverse, self.movie_prior)
        self.movies, self.movie_cov = movies
        weighted = self.noise * (self.squared_errors(members, cov) / noise).sum(axis=0)
        self.noise, raters = weighted.sum() / count.sum(), self.rated.sum(axis=0)
        self.noise_spread, of_movies = spread_beyond_chance(errors, count), weighted / self.noise
        self.movie_noise = self.noise * noise_factor(of_movies, raters, spread_beyond_chance(of_movies, raters))
        squares = (self.movies - self.movie_prior) ** 2 + np.diagonal(self.movie_cov, axis1=1, axis2=2)
        self.movie_prior_var = np.maximum(squares.mean(axis=0), SMALLEST_VARIANCE)
        away = members - self.member_prior
        self.member_prior_cov = (away.T @ away + cov.sum(axis=0)) / len(away) + SMALLEST_VARIANCE * np.eye(len(inverse))

    def squared_errors(self, members, cov):
        """The expected squared errors of the ratings; 0 elsewhere."""
        errors = np.zeros(self.rated.shape)
        for pair in np.argwhere(self.rated):
            errors[tuple(pair)] = self.squared_error(members, cov, *pair)
        return errors

    def squared_error(self, members, cov, member, movie) -> float:
        """The expected squared error of one rating."""
        p, q = members[member, :-1], self.movies[movie, :-1]
        of_p, of_q = cov[member, :-1, :-1], self.movie_cov[movie, :-1, :-1]
        crossed = 2 * p @ self.movie_cov[movie, :-1, -1] + 2 * q @ cov[member, :-1, -1]
        varies = np.sum(of_p * of_q) + p @ of_q @ p + q @ of_p @ q + crossed
        varies += cov[member, -1, -1] + self.movie_cov[movie, -1, -1]
        return (self.values[member, movie] - p @ q - members[member, -1] - self.movies[movie, -1]) ** 2 + varies


def spread_beyond_chance(errors: np.ndarray, count: np.ndarray) -> float:
    """The variance of the factors of the noise, if a chi-squared test finds that errors vary by more than chance."""
    away = np.sum(count * (errors / count * count.sum() / errors.sum() - 1) ** 2) / 2
    chance = len(count) + SURE * np.sqrt(2 * len(count))
    return float(np.clip(2 * (away - chance) / count.sum(), 0, 1))


@pytest.mark.parametrize("sweeps", [0, 4])
def test_a_sweep_is_that_of_a_plain_dense_computation(world, passes, sweeps):
    """Some members are left out, as those of a fold are: it is as if there were no such members."""
    few = World(world.truth[:80, :25], world.rated[:80, :25], world.values[:80, :25])
    random = np.random.default_rng(3)
    learned = random.random(80) < 0.75
    kept = kept_ratings(passes, few, kept=learned)
    begun = replace(
        start(kept.ratings, kept.statistics, 3, random),
        member_prior=tuple(0.3 * random.normal(size=(len(part), 4)) for part in kept.ratings),
        movie_prior=0.3 * random.normal(size=(25, 4)),
        noise_spread=0.4,
    )
    for _ in range(sweeps):
        begun = sweep(passes, kept.ratings, begun)
    centred = MEAN + few.values[learned] - kept.statistics.mean
    own = World(few.truth[learned], few.rated[learned], np.where(few.rated[learned], centred, 0))
    dense = Dense(own, begun, np.concatenate(begun.member_prior)[learned])
    dense.sweep()
    names = ("movie_prior_var", "member_prior_cov", "noise", "noise_spread", "movie_noise")
    plain = replace(
        begun, movies=Posterior(dense.movies, dense.movie_cov), **{name: getattr(dense, name) for name in names}
    )
    ours, expected = sweep(passes, kept.ratings, begun), rotated(plain)
    for values, same in zip(arrays(ours), arrays(expected), strict=True):
        assert values == pytest.approx(same, rel=1e-5, abs=2e-6)


def arrays(factors: Factors) -> list[np.ndarray]:
    return [
        *factors.movies, factors.movie_prior, factors.movie_prior_var, *factors.member_prior, factors.member_prior_cov,
        factors.movie_noise, np.array([factors.noise, factors.noise_spread]),
    ]  # fmt: skip


def test_other_partitions_change_nothing_but_the_rounding(world, passes, kept, fitted):
    whole = kept_ratings(passes, world, parts=1)
    again = factors_of(passes, whole, 6, 40)
    ours, theirs = (predicted(members_of(*of).mean, of[1]) for of in ((kept, fitted), (whole, again)))
    assert ours == pytest.approx(theirs, abs=2e-5)


def test_members_who_are_left_out_change_no_bit(world, passes):
    learned = np.arange(MEMBERS) % 3 > 0
    spoilt = np.where(learned[:, None] | ~world.rated, world.values, -world.values)
    first, other = (
        factors_of(passes, kept_ratings(passes, replace(world, values=values), kept=learned), 3, 3)
        for values in (world.values, spoilt)
    )
    assert [array.tobytes() for array in arrays(first)] == [array.tobytes() for array in arrays(other)]


def test_the_noise_is_estimated_and_found_to_be_the_same_for_all(fitted):
    assert fitted.noise == pytest.approx(NOISE, rel=0.05)
    assert fitted.noise_spread == 0
    assert fitted.movie_noise == pytest.approx(fitted.noise)


def test_members_whose_ratings_scatter_are_told_from_others_and_movies_depend_less_on_them(world, passes):
    random, planted = np.random.default_rng(11), np.where(np.arange(MEMBERS) % 2, 1.8, 0.2)
    scatter = np.sqrt(planted[:, None] * 2 * NOISE) * random.normal(size=world.rated.shape)
    kept = kept_ratings(passes, replace(world, values=np.where(world.rated, world.truth + scatter, 0)))
    factors = factors_of(passes, kept, 6, 20)
    assert factors.noise_spread == pytest.approx(np.var(planted), rel=0.2)
    members = members_of(kept, factors)
    noise = noise_factor(members.errors, members.ratings, factors.noise_spread)
    assert noise[planted > 1].mean() / noise[planted < 1].mean() > 5
    alike = start(kept.ratings, kept.statistics, 6, np.random.default_rng(0))
    for _ in range(20):
        alike = replace(sweep(passes, kept.ratings, alike), noise_spread=0.0)
    away = [error(predicted(members_of(kept, of).mean, of), world) for of in (factors, alike)]
    assert away[0] < 0.97 * away[1]


def test_movies_whose_ratings_scatter_are_told_from_others(world, passes):
    random, planted = np.random.default_rng(12), np.where(np.arange(MOVIES) % 2, 1.6, 0.4)
    scatter = np.sqrt(planted * NOISE) * random.normal(size=world.rated.shape)
    kept = kept_ratings(passes, replace(world, values=np.where(world.rated, world.truth + scatter, 0)))
    factors = factors_of(passes, kept, 6, 20)
    erratic, calm = factors.movie_noise[planted > 1], factors.movie_noise[planted < 1]
    assert erratic.mean() == pytest.approx(1.6 * NOISE, rel=0.1)
    assert calm.mean() < 0.6 * NOISE
    assert erratic.min() > calm.max()


def test_superfluous_dimensions_die_out(fitted):
    strength = np.sqrt((fitted.movies.mean[:, :-1] ** 2).mean(axis=0))
    assert (strength[:TRUE_RANK] > 0.4).all()
    assert (strength[TRUE_RANK:] < 0.05).all()


def test_taste_is_turned_so_that_members_have_unit_variance_and_movies_are_uncorrelated(fitted):
    size = fitted.rank
    assert fitted.member_prior_cov[:size, :size] == pytest.approx(np.eye(size), abs=1e-3)
    products = fitted.movies.mean[:, :size].T @ fitted.movies.mean[:, :size]
    assert products == pytest.approx(np.diag(np.diag(products)), abs=1e-6 * np.trace(products))


def test_turning_changes_no_prediction_and_turns_prior_means_along(passes, kept):
    random = np.random.default_rng(1)
    factors = factors_of(passes, kept, 3, 1)
    skewed = replace(
        factors,
        member_prior_cov=np.cov(random.normal(size=(4, 9))),
        member_prior=tuple(random.normal(size=prior.shape) for prior in factors.member_prior),
    )
    turned = rotated(skewed)
    before, after = (predicted(members_of(kept, of).mean, of) for of in (skewed, turned))
    assert after == pytest.approx(before, abs=1e-4)
    before, after = (predicted(np.concatenate(of.member_prior), of) for of in (skewed, turned))
    assert after == pytest.approx(before, abs=1e-9)


def test_covariances_shrink_with_ratings_and_stay_proper(fitted, kept, world):
    covariances = members_of(kept, fitted).cov
    spread = np.trace(covariances, axis1=1, axis2=2)
    assert np.corrcoef(spread, world.rated.sum(axis=1))[0, 1] < -0.5
    assert (np.linalg.eigvalsh(covariances) > 0).all()
    assert (np.linalg.eigvalsh(fitted.movies.cov) > 0).all()


def test_members_without_a_rating_stay_at_what_is_expected_of_them(fitted):
    prior = np.random.default_rng(0).normal(size=(2, 7))
    members = MemberUpdate.of(fitted).posterior(sparse.csc_array((2, MOVIES), dtype=np.float32), prior)
    assert members.mean == pytest.approx(prior, abs=1e-5)
    assert members.cov[0] == pytest.approx(fitted.member_prior_cov, abs=1e-5)


def test_the_same_seed_gives_the_same_factors(passes, kept):
    means = [factors_of(passes, kept, 3, 1, seed).movies.mean.tobytes() for seed in (3, 3, 4)]
    assert means[0] == means[1] != means[2]


def test_ratings_that_are_all_alike_leave_finite_factors(passes):
    alike = World(np.zeros((30, 10)), np.ones((30, 10), bool), np.zeros((30, 10)))
    kept = kept_ratings(passes, alike)
    factors = factors_of(passes, kept, 4, 10)
    assert np.abs(predicted(members_of(kept, factors).mean, factors)).max() < 1e-3
    assert factors.noise >= NOISE_FLOOR
