"""The update by ratings is the posterior of a linear regression, and each member's own whoever else is updated."""

import numpy as np
import pytest

from model.prediction.prior.rating_update import RatedMovies, RatingUpdate, update_by_ratings

SIZE = 5
NOISE = 0.6


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(8)


@pytest.fixture
def covariance(random) -> np.ndarray:
    root = random.normal(size=(SIZE, SIZE))
    return root @ root.T + 0.1 * np.eye(SIZE)


def drawn(random, covariance, ratings: int) -> tuple[np.ndarray, RatedMovies]:
    """A member's true errors of the factors, and ratings that follow from them."""
    truth = random.multivariate_normal(np.zeros(SIZE), covariance)
    movies, variance = random.normal(size=(ratings, SIZE)), NOISE + random.random(ratings)
    residual = movies[:, :-1] @ truth[:-1] + truth[-1] + np.sqrt(variance) * random.normal(size=ratings)
    return truth, RatedMovies(movies, residual, variance)


def test_it_is_the_conditional_distribution_of_the_factors(random, covariance):
    """By the other formula, for the joint normal distribution of factors and ratings."""
    _, rated = drawn(random, covariance, 4)
    update = update_by_ratings(covariance, [rated], np.ones(1))
    design = np.column_stack([rated.factors[:, :-1], np.ones(4)])
    gain = covariance @ design.T @ np.linalg.inv(design @ covariance @ design.T + np.diag(rated.variance))
    assert update.shift[0] == pytest.approx(gain @ rated.residual)
    assert update.reduction[0] == pytest.approx(gain @ design @ covariance)


def test_the_planted_factors_lie_about_the_posterior_as_its_covariance_says(random, covariance):
    pairs = [drawn(random, covariance, int(count)) for count in random.integers(1, 60, 2000)]
    update = update_by_ratings(covariance, [rated for _, rated in pairs], np.ones(len(pairs)))
    missed = np.array([truth for truth, _ in pairs]) - update.shift
    scores = np.einsum("ni,nij,nj->n", missed, np.linalg.inv(covariance - update.reduction), missed)
    assert scores.mean() == pytest.approx(SIZE, rel=0.05)


def test_the_deviation_of_a_rating_falls_with_each_rating_and_never_below_the_noise(random, covariance):
    _, rated = drawn(random, covariance, 30)
    movies = random.normal(size=(10, SIZE))
    design = np.column_stack([movies[:, :-1], np.ones(10)])
    deviation = np.sqrt(NOISE + ((design @ covariance) * design).sum(axis=1))
    before = deviation
    for count in range(1, 31):
        some = RatedMovies(*(column[:count] for column in rated))
        updated = update_by_ratings(covariance, [some], np.ones(1)).deviation(deviation, movies)
        assert (updated <= before + 1e-12).all()
        assert (updated > np.sqrt(NOISE)).all()
        before = updated
    assert (before < 0.9 * deviation).all()


def test_a_weight_shrinks_the_shift_and_leaves_the_uncertainty(random, covariance):
    _, rated = drawn(random, covariance, 3)
    whole, half = (update_by_ratings(covariance, [rated], np.array([share])) for share in (1.0, 0.5))
    assert half.shift == pytest.approx(whole.shift / 2)
    assert half.reduction.tobytes() == whole.reduction.tobytes()


def test_members_and_movies_come_out_bit_by_bit_the_same_alone_and_in_company(random, covariance):
    rated = [drawn(random, covariance, int(count))[1] for count in random.integers(1, 200, 40)]
    together = update_by_ratings(covariance, rated, np.ones(40))
    movies, deviation = random.normal(size=(40, SIZE)), 10 + random.random(40)
    rating, updated = together.rating(movies), together.deviation(deviation, movies)
    for place, member in enumerate(rated):
        alone = update_by_ratings(covariance, [member], np.ones(1))
        assert alone.shift.tobytes() == together.shift[[place]].tobytes()
        assert alone.reduction.tobytes() == together.reduction[[place]].tobytes()
        assert alone.rating(movies)[[place]].tobytes() == rating[[place]].tobytes()
        assert alone.deviation(deviation, movies)[[place]].tobytes() == updated[[place]].tobytes()
        own = together.take(np.full(40, place))
        assert isinstance(own, RatingUpdate)
        assert own.deviation(deviation, movies).tobytes() == alone.deviation(deviation, movies).tobytes()
