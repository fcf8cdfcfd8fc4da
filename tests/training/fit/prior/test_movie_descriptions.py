"""The regression on descriptions is fitted on rated movies, and shrunk as far as cross-validation asks for."""

from dataclasses import replace

import numpy as np
import pytest

from features.schema import Scale, Schema
from model.facts.facts import MovieFacts
from training.data.dataset import Dataset
from training.fit.prior.movie_descriptions import fit_description, year_attribute

MOVIES, GENRES = 200, 4


@pytest.fixture(scope="module")
def data(small_fit) -> Dataset:
    random = np.random.default_rng(1)
    genres = (random.random((MOVIES, GENRES)) < 0.4).astype(np.float32)
    genres[genres.sum(axis=1) == 0] = np.nan
    year = random.integers(1950, 2020, MOVIES).astype(np.float32)
    year[::17] = np.nan
    schema = Schema(Scale(1, 5, 4), (), (), tuple("abcd"), None)
    return replace(
        small_fit.table.data, schema=schema, release_year=year, genres=genres,
        movie_attributes=np.empty((MOVIES, 0), np.float32),
    )  # fmt: skip


@pytest.fixture(scope="module")
def effect(data) -> np.ndarray:
    """The first genre lifts, the second lowers, later movies are a little better."""
    genres = np.nan_to_num(data.genres, nan=0.4)
    year = np.nan_to_num(data.release_year, nan=1985)
    return (0.8 * genres[:, 0] - 0.6 * genres[:, 1] + (year - 1985) / 100)[:, None]


def fitted(data, targets, ratings=None):
    ratings = np.full(MOVIES, 50.0) if ratings is None else ratings
    return fit_description(data, targets, ratings, np.random.default_rng(0))


def test_planted_effects_are_recovered_on_movies_apart(data, effect):
    noisy = effect + 0.2 * np.random.default_rng(2).normal(size=effect.shape)
    description, out_of_fold = fitted(data, noisy)
    assert np.sqrt(np.mean((out_of_fold - effect) ** 2)) < 0.15
    year = len(description.weights) - GENRES
    assert description.weights[year, 0] == pytest.approx(0.8, abs=0.12)
    assert description.weights[year + 1, 0] == pytest.approx(-0.6, abs=0.12)


def test_where_descriptions_say_nothing_the_ridge_keeps_them_quiet(data):
    noise = np.random.default_rng(3).normal(size=(MOVIES, 1))
    _, out_of_fold = fitted(data, noise)
    assert np.sqrt(np.mean((out_of_fold - noise) ** 2)) < 1.05 * noise.std()


def test_a_movie_is_predicted_out_of_fold_without_its_own_target(data, effect):
    changed = effect.copy()
    changed[5] += 100
    without_outlier = fitted(data, effect)[1]
    with_outlier = fitted(data, changed)[1]
    assert abs(with_outlier[5, 0] - without_outlier[5, 0]) < 1


def test_movies_without_ratings_are_predicted_but_not_learned_from(data, effect):
    ratings = np.where(np.arange(MOVIES) < 150, 50.0, 0.0)
    spoilt = np.where(ratings[:, None] > 0, effect, 1e6)
    description, predictions = fitted(data, spoilt, ratings)
    assert np.abs(predictions[150:] - effect[150:]).max() < 0.5
    assert np.abs(description.intercept) < 5


def test_one_description_and_many_give_the_same_outputs(data, effect):
    description, _ = fitted(data, effect)
    many = description.predict(data.schema, data.release_year, data.genres, data.movie_attributes)
    for movie in (0, 1, 17):
        facts = MovieFacts(float(data.release_year[movie]), data.genres[movie], data.movie_attributes[movie])
        assert description.predict_one(data.schema, facts).tolist() == many[movie].tolist()
    assert description.predict_one(data.schema, None).tolist() == description.intercept.tolist()


def test_years_that_nobody_knows_or_that_are_all_alike_can_be_encoded():
    assert year_attribute(np.full(3, np.nan, np.float32)).knots == ()
    assert year_attribute(np.full(3, 1999, np.float32)).knots == (1999,)


@pytest.mark.parametrize("rated", [1, 2, 4])
def test_a_handful_of_rated_movies_leave_numbers(data, effect, rated):
    ratings = np.where(np.arange(MOVIES) < rated, 3.0, 0.0)
    description, predictions = fitted(data, effect, ratings)
    assert np.isfinite(predictions).all()
    assert np.isfinite(description.weights).all()
