"""The update by ratings is the posterior of a linear regression, and each member's own whoever else is updated."""

import numpy as np
import pytest

from model.prediction.prior.rating_update import FactorErrors, Movies, Rated, RatingUpdate, update_by_ratings

SIZE, DIRECTIONS = 5, 3
NOISE, NOISE_SPREAD = 0.6, 0.5
SHIFT_ALONE, BOTH = np.array([[1.0, 0.0]]), np.array([[1.0, 0.5]])


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(8)


@pytest.fixture
def covariance(random) -> np.ndarray:
    root = random.normal(size=(SIZE, SIZE))
    return root @ root.T + 0.1 * np.eye(SIZE)


def update(covariance, members: list[Rated], weights: np.ndarray) -> RatingUpdate:
    """The update of several members with the same weights."""
    movies = Movies(*(np.concatenate(parts) for parts in zip(*(member.movies for member in members), strict=True)))
    residual = np.concatenate([member.residual for member in members])
    counts = np.array([len(member.residual) for member in members])
    rated, weights = Rated(movies, residual), weights.repeat(len(members), axis=0)
    return update_by_ratings(FactorErrors.of(covariance, NOISE_SPREAD), rated, counts, weights)


def movies_of(random, count: int) -> Movies:
    direction = random.normal(size=(count, DIRECTIONS))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    noise, variance = NOISE * (0.5 + random.random(count)), 0.05 * random.random(count)
    return Movies(random.normal(size=(count, SIZE)), direction.astype(np.float32), noise, variance)


def error_of(movies: Movies) -> np.ndarray:
    """The variance of ratings by a typical member whose factors are known."""
    return movies.noise + movies.variance


def drawn(random, covariance, ratings: int, noise: float = 1.0) -> tuple[np.ndarray, Rated]:
    """A member's true errors of the factors, and ratings that follow from them and scatter more than others'."""
    truth = random.multivariate_normal(np.zeros(SIZE), covariance)
    movies = movies_of(random, ratings)
    scatter = np.sqrt(noise * movies.noise + movies.variance) * random.normal(size=ratings)
    return truth, Rated(movies, movies.factors[:, :-1] @ truth[:-1] + truth[-1] + scatter)


def test_it_is_the_conditional_distribution_of_the_factors(random, covariance):
    """By the other formula, for the joint normal distribution of factors and ratings."""
    _, rated = drawn(random, covariance, 4)
    updated = update(covariance, [rated], SHIFT_ALONE)
    design = np.column_stack([rated.movies.factors[:, :-1], np.ones(4)])
    gain = covariance @ design.T @ np.linalg.inv(design @ covariance @ design.T + np.diag(error_of(rated.movies)))
    left, posterior = rated.residual - design @ updated.shift[0], covariance - gain @ design @ covariance
    errors = (left**2 + np.einsum("ij,jk,ik->i", design, posterior, design)) / error_of(rated.movies)
    shrunk = (errors.sum() + 2 / NOISE_SPREAD) / (4 + 2 / NOISE_SPREAD)
    assert updated.noise == pytest.approx(shrunk)
    assert updated.shift[0] == pytest.approx(gain @ rated.residual)
    assert updated.reduction[0] == pytest.approx(gain @ design @ covariance)


def test_the_planted_factors_lie_about_the_posterior_as_its_covariance_says(random, covariance):
    pairs = [drawn(random, covariance, int(count)) for count in random.integers(1, 60, 2000)]
    updated = update(covariance, [rated for _, rated in pairs], SHIFT_ALONE)
    missed = np.array([truth for truth, _ in pairs]) - updated.shift
    scores = np.einsum("ni,nij,nj->n", missed, np.linalg.inv(covariance - updated.reduction), missed)
    assert scores.mean() == pytest.approx(SIZE, rel=0.05)


def test_members_whose_ratings_scatter_are_told_from_others(random, covariance):
    """The more ratings there are, the more their noise is; a typical member's is that of all in the mean."""
    planted = np.repeat([0.25, 1.0, 4.0], 200)
    for ratings, least in ((100, 2.5), (10, 1.3)):
        pairs = [drawn(random, covariance, ratings, noise) for noise in planted]
        noise = update(covariance, [rated for _, rated in pairs], SHIFT_ALONE).noise.reshape(3, -1).mean(axis=1)
        assert (noise[1:] > least * noise[:-1]).all()
        assert noise[1] == pytest.approx(1, rel=0.05)


def test_where_all_members_scatter_alike_one_member_is_like_the_others(random, covariance):
    rated = [drawn(random, covariance, 30, noise)[1] for noise in (0.1, 9.0)]
    movies, counts = (
        Movies(*map(np.concatenate, zip(*(each.movies for each in rated), strict=True))),
        np.array([30, 30]),
    )
    together = Rated(movies, np.concatenate([each.residual for each in rated]))
    alike = update_by_ratings(FactorErrors.of(covariance, 0.0), together, counts, BOTH.repeat(2, axis=0))
    assert alike.noise.tolist() == [1, 1]


def test_the_deviation_of_a_rating_falls_with_each_rating_and_never_below_the_noise(random, covariance):
    members = [drawn(random, covariance, 30)[1] for _ in range(100)]
    movies = movies_of(random, 10)
    design = np.column_stack([movies.factors[:, :-1], np.ones(10)])
    deviation = np.sqrt(error_of(movies) + ((design @ covariance) * design).sum(axis=1))
    asked = Movies(*(np.concatenate([column] * 100) for column in movies))
    before = deviation.mean()
    for count in (1, 2, 4, 8, 15, 30):
        some = [
            Rated(Movies(*(column[:count] for column in rated.movies)), rated.residual[:count]) for rated in members
        ]
        of_members = update(covariance, some, BOTH)
        updated = of_members.repeat(np.full(100, 10)).deviation(np.tile(deviation, 100), asked)
        assert updated.mean() < before
        assert (updated**2 > of_members.noise.repeat(10) * asked.noise + asked.variance).all()
        before = updated.mean()
    assert before < 0.8 * deviation.mean()


def test_a_weight_shrinks_the_shift_and_leaves_the_uncertainty(random, covariance):
    _, rated = drawn(random, covariance, 3)
    whole, half = (update(covariance, [rated], np.array([[share, 0.0]])) for share in (1.0, 0.5))
    assert half.shift == pytest.approx(whole.shift / 2)
    assert half.reduction.tobytes() == whole.reduction.tobytes()


def test_what_the_shift_leaves_of_similar_movies_counts_and_of_others_does_not(random, covariance):
    _, rated = drawn(random, covariance, 1)
    bare, both = (update(covariance, [rated], weights) for weights in (SHIFT_ALONE, BOTH))
    design = np.append(rated.movies.factors[0, :-1], 1)
    left = rated.residual[0] - design @ bare.shift[0]
    same, opposite = rated.movies.direction, -rated.movies.direction
    unplayed = np.zeros_like(same)
    for direction, share in ((same, 0.5), (opposite, 0.0), (unplayed, 0.0)):
        movie = Movies(random.normal(size=(1, SIZE)), direction, np.ones(1), np.ones(1))
        assert both.rating(movie)[0] - bare.rating(movie)[0] == pytest.approx(0.5 * share * left, abs=1e-6)


def test_members_and_movies_come_out_bit_by_bit_the_same_alone_and_in_company(random, covariance):
    rated = [drawn(random, covariance, int(count))[1] for count in random.integers(1, 700, 40)]
    together = update(covariance, rated, BOTH)
    counts = random.integers(1, 6, 40)
    movies = movies_of(random, int(counts.sum()))
    deviation = 100 + random.random(len(movies.factors))
    rating = together.repeat(counts).rating(movies)
    updated = together.repeat(counts).deviation(deviation, movies)
    ends = np.cumsum(counts)
    for place, (member, end) in enumerate(zip(rated, ends, strict=True)):
        alone = update(covariance, [member], BOTH)
        assert alone.shift.tobytes() == together.shift[[place]].tobytes()
        assert alone.reduction.tobytes() == together.reduction[[place]].tobytes()
        assert alone.noise.tobytes() == together.noise[[place]].tobytes()
        for row in range(end - counts[place], end):
            movie = Movies(*(column[[row]] for column in movies))
            assert alone.rating(movie).tobytes() == rating[[row]].tobytes()
            assert alone.deviation(deviation[[row]], movie).tobytes() == updated[[row]].tobytes()
