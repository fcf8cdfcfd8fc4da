"""Scores of several splits, and by how much the choice of members changes them."""

import numpy as np
import pytest

from benchmarks.accuracy import RATIO, RATIO_ERROR, mean_scores, ratio_of_errors


def test_the_standard_error_of_a_ratio_is_how_much_it_differs_between_draws_of_members():
    random = np.random.default_rng(1)

    def draw() -> dict[str, float]:
        before = random.gamma(2, 2, 400)
        return ratio_of_errors(0.81 * before * random.uniform(0.5, 1.5, 400), before)

    drawn = [draw() for _ in range(60)]
    assert np.mean([ratio[RATIO] for ratio in drawn]) == pytest.approx(0.9, abs=0.003)
    assert np.mean([ratio[RATIO_ERROR] for ratio in drawn]) == pytest.approx(
        np.std([ratio[RATIO] for ratio in drawn]), rel=0.25
    )


def test_a_ratio_of_equal_errors_is_one_without_an_error():
    errors = np.random.default_rng(2).random(50)
    assert ratio_of_errors(errors, errors) == {RATIO: 1.0, RATIO_ERROR: 0.0}


def test_scores_of_splits_are_weighed_by_targets():
    split = {"targets": 300.0, "members": 7.0, "rmse": 0.9, RATIO_ERROR: 0.004}
    mean = mean_scores([split, split | {"targets": 100.0, "rmse": 0.8, RATIO_ERROR: 0.012}])
    assert mean == pytest.approx({"targets": 400.0, "rmse": 0.875, RATIO_ERROR: 0.004243}, abs=1e-6)
