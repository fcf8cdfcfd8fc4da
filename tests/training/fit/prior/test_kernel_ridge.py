"""A kernel regression finds a smooth function, and its out-of-fold prediction of a row never saw the row's fold."""

import numpy as np
import pytest

from training.fit.prior.kernel_ridge import fit
from training.settings import KernelSettings

SETTINGS = KernelSettings(ridges=(0.1, 1.0, 10.0, 1000.0), gamma=1.0, amplitude=2.0, landmarks=150)
ROWS = 1200


def truth(inputs: np.ndarray) -> np.ndarray:
    return np.stack([inputs[:, 0] - 0.5 * inputs[:, 1], np.sin(2 * inputs[:, 0]) + inputs[:, 1] ** 2], axis=1)


@pytest.fixture(scope="module")
def world():
    random = np.random.default_rng(1)
    inputs = random.uniform(-1.5, 1.5, (ROWS, 2))
    return inputs, truth(inputs) + 0.3 * random.normal(size=(ROWS, 2)), random.permutation(ROWS) % 3


def fitted(world, settings=SETTINGS, targets=None):
    inputs, given, folds = world
    return fit(
        inputs, given if targets is None else targets, np.ones(len(inputs)), np.zeros(2), np.ones(2), settings, folds,
        np.random.default_rng(2),
    )  # fmt: skip


def test_a_planted_smooth_function_is_recovered(world):
    regression, out_of_fold = fitted(world)
    fresh = np.random.default_rng(9).uniform(-1.4, 1.4, (500, 2))
    assert np.sqrt(np.mean((regression.predict(fresh)[0] - truth(fresh)) ** 2)) < 0.08
    assert np.sqrt(np.mean((out_of_fold - truth(world[0])) ** 2)) < 0.12


def test_a_row_is_predicted_out_of_fold_without_its_own_fold(world):
    """Targets of one fold are spoilt: nothing said of that fold changes, all else does."""
    one_ridge = KernelSettings(ridges=(1.0,), gamma=1.0, amplitude=2.0, landmarks=150)
    _, targets, folds = world
    spoilt = np.where((folds == 1)[:, None], 100 + targets, targets)
    before, after = fitted(world, one_ridge)[1], fitted(world, one_ridge, spoilt)[1]
    assert after[folds == 1] == pytest.approx(before[folds == 1], abs=1e-4)
    assert (np.abs(after - before)[folds != 1] > 1).all()


def test_beyond_most_rows_a_part_is_learned_from_and_every_row_is_predicted(world):
    capped = SETTINGS.model_copy(update={"ridges": (1.0,), "most_rows": ROWS // 2})
    regression, out_of_fold = fitted(world, capped)
    assert np.sqrt(np.mean((out_of_fold - truth(world[0])) ** 2)) < 0.16
    first = world[0][:1]
    changes = []
    for row in range(0, ROWS, 20):  # whoever is left out changes nothing that is learned
        spoilt = world[1].copy()
        spoilt[row] += 1000
        changes.append(
            not np.allclose(fitted(world, capped, spoilt)[0].predict(first)[0], regression.predict(first)[0])
        )
    assert 0.3 < np.mean(changes) < 0.7
    assert fitted(world, SETTINGS.model_copy(update={"most_rows": ROWS}))[1].tobytes() == fitted(world)[1].tobytes()


def test_noise_alone_takes_the_strongest_ridge(world):
    noise = np.random.default_rng(3).normal(size=(ROWS, 2))
    regression, _ = fitted(world, targets=noise)
    assert np.abs(regression.predict(world[0])[0]).max() < 0.5


def test_one_row_and_many_give_the_same_outputs(world):
    regression, _ = fitted(world)
    outputs, distance = (values[0] for values in regression.predict_apart(world[0][5:6]))
    assert outputs == pytest.approx(
        regression.predict(world[0])[0][5], abs=1e-5
    )  # its RBF features are of single precision
    assert distance == pytest.approx(regression.predict(world[0])[1][5], abs=2e-3)


def test_what_is_unknown_counts_as_the_centre(world):
    regression, _ = fitted(world)
    without_input, centre = (regression.predict(np.array([[first, 0.4]]))[0] for first in (np.nan, 0))
    assert without_input == pytest.approx(centre)


def test_the_distance_is_that_to_the_nearest_landmark(world):
    regression, _ = fitted(world)
    distances = regression.predict_apart(np.array([[0.0, far] for far in (3.0, 10.0, 1000.0)]))[1].tolist()
    expected = [np.linalg.norm(regression.landmarks - [0.0, far], axis=1).min() for far in (3.0, 10.0, 1000.0)]
    assert distances == pytest.approx(expected)
    assert regression.predict_apart(regression.landmarks[:1])[1][0] == pytest.approx(0, abs=2e-3)


def test_ten_rows_are_enough_for_numbers(world):
    inputs, targets, folds = world
    regression, out_of_fold = fitted((inputs[:10], targets[:10], folds[:10]))
    assert np.isfinite(out_of_fold).all()
    assert np.isfinite(regression.predict(inputs)[0]).all()


def test_rbf_features_use_only_what_the_mask_leaves(world):
    inputs, given, folds = world
    regression, _ = fit(
        inputs, given, np.ones(len(inputs)), np.zeros(2), np.ones(2), SETTINGS, folds, np.random.default_rng(2),
        np.array([2.0, 0.0]),
    )  # fmt: skip
    for outputs in (regression.predict, regression.predict_apart):
        there, further = (outputs(np.array([[0.5, place]]))[0] for place in (0.0, 1.0))
        assert further - there == pytest.approx(regression.linear[1:], abs=1e-4)
