"""The short way into LightGBM says bit by bit what LightGBM's own Python says."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from model.prediction.trees import Forest


@pytest.fixture(scope="module")
def booster(small):
    forest = small.model.trees.booster
    assert forest is not None
    return forest


@pytest.fixture(scope="module")
def features(booster) -> np.ndarray:
    """Rows with unknowns, as requests have them."""
    random = np.random.default_rng(5)
    rows = random.normal(size=(300, booster.num_feature())).astype(np.float32)
    rows[random.random(rows.shape) < 0.2] = np.nan
    return rows


@pytest.mark.parametrize("rows", [0, 1, 20, 300])
def test_it_says_what_the_booster_says(booster, features, rows):
    predictions = Forest(booster).predict(features[:rows])
    assert len(predictions) == rows
    if rows:
        assert predictions.tobytes() == np.asarray(booster.predict(features[:rows], num_threads=1)).tobytes()


def test_rows_that_lie_apart_in_memory_are_read_right(booster, features):
    apart = np.asfortranarray(features)[::3]
    assert Forest(booster).predict(apart).tobytes() == Forest(booster).predict(features[::3].copy()).tobytes()


def test_many_threads_may_ask_at_once(booster, features):
    forest = Forest(booster)
    expected = forest.predict(features).tobytes()
    with ThreadPoolExecutor(4) as pool:
        assert all(predictions.tobytes() == expected for predictions in pool.map(forest.predict, [features] * 40))


def test_rows_of_another_width_are_refused(booster, features):
    with pytest.raises(ValueError, match="features"):
        Forest(booster).predict(features[:, 1:])
