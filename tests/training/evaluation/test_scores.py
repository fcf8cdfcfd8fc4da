"""Scores against numbers worked out by hand, and against the protocol's own where its file is at hand."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from training.evaluation import scores

PROTOCOL = Path(__file__).parents[4] / "shared" / "protocol" / "never_rater.py"


def numbers(*values: float) -> np.ndarray:
    return np.array(values, float)


def test_errors_of_ratings():
    assert scores.rmse(numbers(1, 2, 3), numbers(1, 4, 3)) == pytest.approx(np.sqrt(4 / 3))
    assert scores.mean_absolute_error(numbers(1, 2, 3), numbers(1, 4, 4)) == 1


def test_rank_correlation_is_the_mean_over_members_with_enough_different_targets():
    member = np.array([1] * 5 + [2] * 5 + [3] * 4 + [4] * 5)
    truth = numbers(1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2, 3, 4, 2, 2, 2, 2, 2)
    predicted = numbers(1, 2, 3, 4, 5, 5, 4, 3, 2, 2.5, 4, 3, 2, 1, 1, 2, 3, 4, 5)
    assert scores.rank_correlation(member, predicted, truth) == pytest.approx((1 - 0.9) / 2)


def test_predictions_that_are_all_alike_rank_nothing():
    member, truth = np.ones(5, np.int64), numbers(1, 2, 3, 4, 5)
    assert scores.rank_correlation(member, np.ones(5), truth) == 0
    assert scores.rank_correlation(np.arange(5), truth, truth) == 0


def test_the_ranking_gain_is_that_of_the_best_order_for_who_ranks_best_and_less_for_others():
    member = np.array([1] * 5 + [2] * 5 + [3] * 4 + [4] * 5)
    truth = numbers(1, 2, 3, 4, 5, 1, 1, 1, 1, 5, 1, 2, 3, 4, 2, 2, 2, 2, 2)
    predicted = numbers(1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 4, 3, 2, 1, 1, 2, 3, 4, 5)
    last_of_five = 1 / np.log2(6)
    assert scores.ranking_gain(member, predicted, truth, 1.0) == pytest.approx((1 + last_of_five) / 2)
    assert scores.ranking_gain(np.arange(5), truth[:5], truth[:5], 1.0) == 0


def test_the_ranking_gain_looks_at_ten_movies():
    truth = np.append(np.ones(10), 5.0)
    assert scores.ranking_gain(np.ones(11, np.int64), -np.arange(11.0), truth, 1.0) == 0


def test_fixed_intervals_hold_nine_in_ten_ratings_within_the_scale():
    truth = np.linspace(1, 5, 1001)
    lower, upper = scores.fixed_interval(np.full(1001, 3.0), truth, 1.0, 5.0)
    assert scores.coverage(lower, upper, truth) == pytest.approx(0.9, abs=0.002)
    assert scores.fixed_interval(numbers(1), numbers(3), 1.0, 5.0) == (1.0, 3.0)


def test_the_area_under_the_curve_is_the_share_of_pairs_in_order():
    label = np.array([True, True, False, False])
    assert scores.area_under_curve(label, numbers(4, 2, 3, 1)) == 0.75
    assert scores.area_under_curve(label, numbers(1, 1, 1, 1)) == 0.5
    assert scores.area_under_curve(np.ones(3, bool), numbers(1, 2, 3)) == 0.5


def test_the_calibration_error_is_the_mean_gap_of_bins_of_equal_count():
    label = np.arange(30) % 2 == 0
    assert scores.calibration_error(label, np.full(30, 0.5)) == 0
    assert scores.calibration_error(label, np.full(30, 0.9)) == pytest.approx(0.4)
    assert scores.calibration_error(np.array([True]), numbers(0.25)) == 0.75


def test_coverage_counts_the_ends_as_within():
    assert scores.coverage(numbers(1, 2, 3), numbers(2, 3, 4), numbers(1, 3, 4.5)) == pytest.approx(2 / 3)


def test_widths_are_those_between_ratings_that_exist():
    steps = numbers(1, 2, 3, 4, 5)
    assert scores.mean_width(numbers(1.5), numbers(4.2), steps) == 2
    assert scores.mean_width(numbers(2.1), numbers(2.9), steps) == 0
    assert scores.mean_width(numbers(1), numbers(5), steps) == 4
    assert scores.mean_width(numbers(1.5), numbers(4.2), np.linspace(1, 5, 60)) == pytest.approx(2.7)


@pytest.mark.skipif(not PROTOCOL.is_file(), reason="the protocol's own scorer is not at hand")
def test_the_protocol_counts_the_same():
    spec = importlib.util.spec_from_file_location("never_rater", PROTOCOL)
    protocol = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(protocol)
    random = np.random.default_rng(0)
    member, truth = random.integers(0, 60, 900), random.integers(1, 6, 900).astype(float)
    predicted = np.round(truth + random.normal(size=900), 1)
    found = scores.rank_correlation(member, predicted, truth)
    assert found == pytest.approx(protocol.rank_correlation(member, truth, predicted))
    enjoyed, probability = truth >= 4, np.clip(predicted / 5, 0, 1)
    assert scores.area_under_curve(enjoyed, probability) == pytest.approx(protocol.auc(enjoyed, probability))
    expected = protocol.calibration_error(enjoyed, probability)
    assert scores.calibration_error(enjoyed, probability) == pytest.approx(expected)
    lower, upper, steps = predicted - 1.3, predicted + 0.8, np.arange(1.0, 6)
    assert scores.mean_width(lower, upper, steps) == pytest.approx(protocol.width(lower, upper, steps))


def test_a_planted_gain_lies_within_its_interval_and_no_gain_does_too():
    random, member = np.random.default_rng(0), np.repeat(np.arange(400), 20)
    truth = random.normal(size=8000)
    noise, more = random.normal(size=8000), random.normal(size=8000)
    low, high = scores.gain_interval(member, truth + noise, truth + 1.25 * more, truth, np.random.default_rng(1))
    assert low < 20 < high
    low, high = scores.gain_interval(member, truth + noise, truth + more, truth, np.random.default_rng(1))
    assert low < 0 < high


def test_equal_predictions_gain_nothing_for_sure():
    truth = np.random.default_rng(0).normal(size=100)
    interval = scores.gain_interval(np.arange(100), truth, truth, truth, np.random.default_rng(1))
    assert interval == pytest.approx((0, 0))


def test_a_planted_difference_of_errors_lies_within_its_interval():
    random, member = np.random.default_rng(0), np.repeat(np.arange(400), 20)
    truth = random.normal(size=8000)
    first, second = truth + 1.25 * random.normal(size=8000), truth + random.normal(size=8000)
    low, high = scores.difference_interval(member, first, second, truth, np.random.default_rng(1))
    assert 0.2 < low < 0.25 < high < 0.3
    assert scores.difference_interval(member, first, first, truth, np.random.default_rng(1)) == (0, 0)


def test_members_are_drawn_with_all_their_ratings():
    """Errors that members share make the interval wider than as many that are independent do."""
    random, member = np.random.default_rng(0), np.repeat(np.arange(100), 50)
    truth, shared = np.zeros(5000), np.repeat(random.normal(size=100), 50)
    alone = random.permutation(shared)
    widths = [
        np.ptp(scores.difference_interval(member, errors, truth + 1, truth, np.random.default_rng(1)))
        for errors in (shared, alone)
    ]
    assert widths[0] > 3 * widths[1]


def test_a_gain_is_in_percent_of_the_simpler_error():
    assert scores.gain_percent(0.9, 1.0) == pytest.approx(10)
    assert scores.gain_percent(0.0, 0.0) == 0
