"""Intervals hold nine of ten ratings and probabilities rise with the prediction, on draws that no fit has seen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.schema import Scale
from model.calibration import Calibration, Curve
from model.evidence import MemberEvidence, MovieEvidence
from training.calibration import fit_curve, fit_reach

PLAYS, RATED, UNKNOWN = MemberEvidence.PLAYS, MovieEvidence.RATED, MovieEvidence.UNKNOWN
WIDE = Scale(-1e9, 1e9, 0)


def draws(seed: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictions, their standard deviations, and ratings with noise of heavy tails."""
    random = np.random.default_rng(seed)
    deviation = random.uniform(0.3, 2, count)
    prediction = random.normal(size=count)
    return prediction, deviation, prediction + 0.7 * deviation * random.standard_t(5, count)


@pytest.mark.parametrize("seed", range(3))
def test_fresh_ratings_fall_within_the_interval_nine_times_of_ten(seed):
    prediction, deviation, rating = draws(seed, 4000)
    calibration = Calibration({(PLAYS, RATED): fit_reach(rating - prediction, deviation)}, {})
    prediction, deviation, rating = draws(seed + 100, 4000)
    kinds = np.full(4000, int(RATED), np.int8)
    lower, upper = calibration.interval(prediction, deviation, PLAYS, kinds, WIDE)
    assert 0.88 < np.mean((rating >= lower) & (rating <= upper)) < 0.92


def test_with_few_ratings_the_interval_is_as_wide_as_the_widest_error():
    assert fit_reach(np.array([0.1, -3.0]), np.ones(2)) == (3, 3)
    assert fit_reach(np.arange(1.0, 20), np.ones(19)) == (18, 18)


def test_intervals_are_cut_to_the_scale_and_follow_what_is_known_of_each_movie():
    calibration = Calibration({(PLAYS, RATED): (1, 2), (PLAYS, UNKNOWN): (3, 3)}, {})
    kinds = np.array([RATED, UNKNOWN, RATED], np.int8)
    lower, upper = calibration.interval(np.array([3, 3, 4.5]), np.array([0.5, 0.5, 1]), PLAYS, kinds, Scale(1, 5, 4))
    assert lower.tolist() == [2.5, 1.5, 3.5]
    assert upper.tolist() == [4, 4.5, 5]


def test_a_probability_is_as_often_right_as_it_says():
    random = np.random.default_rng(0)
    rating = random.uniform(1, 5, 40_000)
    chance = 1 / (1 + np.exp(-2 * (rating - 3.5)))
    curve = fit_curve(rating[::2], (random.random(40_000) < chance)[::2])
    assert np.abs(curve(rating[1::2]) - chance[1::2]).mean() < 0.02


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(1, 5), st.booleans()), min_size=1, max_size=300))
def test_a_curve_rises_within_0_and_1_whatever_it_is_fitted_to(rows):
    rating, enjoyed = (np.array(column) for column in zip(*rows, strict=True))
    curve = fit_curve(rating.astype(float), enjoyed)
    assert (np.diff(curve.at) > 0).all()
    assert (np.diff(curve.value) >= 0).all()
    found = curve(np.linspace(0, 6, 50))
    assert (np.diff(found) >= 0).all()
    assert ((found >= 0) & (found <= 1)).all()


def test_beyond_its_points_a_curve_is_level():
    assert Curve((2.0, 3.0), (0.25, 0.75))(np.array([1, 2.5, 9])).tolist() == [0.25, 0.5, 0.75]
