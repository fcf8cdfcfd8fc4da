"""A kernel regression finds a smooth function, and its out-of-fold prediction of a row never saw the row's fold."""

from dataclasses import dataclass

import numpy as np
import pytest

from model.prediction.prior.kernel_regression import KernelRegression, squared_distances
from training.fit.prior.kernel_ridge import FittedRegression, Rows, Scaling, draw, fit, means_of_neighbours
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


@dataclass(frozen=True)
class Part:
    """Rows of one partition, in memory."""

    inputs: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    folds: np.ndarray

    def __len__(self) -> int:
        return len(self.inputs)


def rows_of(part: Part, chosen: np.ndarray) -> Rows:
    return Rows(part.inputs[chosen], part.targets[chosen], part.weights[chosen])


def parts_of(world, parts: int = 3) -> list[Part]:
    inputs, targets, folds = world
    return [
        Part(*of_part)
        for of_part in zip(
            *(np.array_split(values, parts) for values in (inputs, targets, np.ones(len(inputs)), folds)), strict=True
        )
    ]


def fitted(
    passes, world, settings=SETTINGS, targets=None, mask=(1.0, 1.0), parts=3
) -> tuple[KernelRegression, np.ndarray, FittedRegression]:
    """The regression, its out-of-fold predictions, and all of the fit."""
    inputs, given, folds = world
    sources = parts_of((inputs, given if targets is None else targets, folds), parts)
    scaling = Scaling(np.zeros(2), np.ones(2), np.array(mask))
    fit_ = fit(passes, rows_of, sources, scaling, settings, 3, np.random.default_rng(2))
    return fit_.regression(), np.concatenate([fit_.out_of_fold(rows_of, source) for source in sources]), fit_


def test_a_planted_smooth_function_is_recovered(passes, world):
    regression, out_of_fold, _ = fitted(passes, world)
    fresh = np.random.default_rng(9).uniform(-1.4, 1.4, (500, 2))
    assert np.sqrt(np.mean((regression.predict(fresh)[0] - truth(fresh)) ** 2)) < 0.08
    assert np.sqrt(np.mean((out_of_fold - truth(world[0])) ** 2)) < 0.12


def test_a_row_is_predicted_out_of_fold_without_its_own_fold(passes, world):
    """Targets of one fold are spoilt: nothing said of that fold changes, all else does."""
    one_ridge = KernelSettings(ridges=(1.0,), gamma=1.0, amplitude=2.0, landmarks=150)
    _, targets, folds = world
    spoilt = np.where((folds == 1)[:, None], 100 + targets, targets)
    before, after = fitted(passes, world, one_ridge)[1], fitted(passes, world, one_ridge, spoilt)[1]
    assert after[folds == 1] == pytest.approx(before[folds == 1], abs=1e-4)
    assert (np.abs(after - before)[folds != 1] > 1).all()


def test_beyond_most_rows_a_part_is_learned_from_and_every_row_is_predicted(passes, world):
    capped = SETTINGS.model_copy(update={"ridges": (1.0,), "most_rows": ROWS // 2})
    regression, out_of_fold, _ = fitted(passes, world, capped)
    assert np.sqrt(np.mean((out_of_fold - truth(world[0])) ** 2)) < 0.16
    first = world[0][:1]
    changes = []
    for row in range(0, ROWS, 20):  # whoever is left out changes nothing that is learned
        spoilt = world[1].copy()
        spoilt[row] += 1000
        changes.append(
            not np.allclose(fitted(passes, world, capped, spoilt)[0].predict(first)[0], regression.predict(first)[0])
        )
    assert 0.3 < np.mean(changes) < 0.7
    assert (
        fitted(passes, world, SETTINGS.model_copy(update={"most_rows": ROWS}))[1].tobytes()
        == fitted(passes, world)[1].tobytes()
    )


def test_noise_alone_takes_the_strongest_ridge(passes, world):
    noise = np.random.default_rng(3).normal(size=(ROWS, 2))
    regression, _, _ = fitted(passes, world, targets=noise)
    assert np.abs(regression.predict(world[0])[0]).max() < 0.5


def test_one_row_and_many_give_the_same_outputs(passes, world):
    regression, _, _ = fitted(passes, world)
    outputs, distance = (values[0] for values in regression.predict_by_row(world[0][5:6]))
    assert outputs == pytest.approx(
        regression.predict(world[0])[0][5], abs=1e-5
    )  # its RBF features are of single precision
    assert distance == pytest.approx(regression.predict(world[0])[1][5], abs=2e-3)


def test_what_is_unknown_counts_as_the_centre(passes, world):
    regression, _, _ = fitted(passes, world)
    without_input, centre = (regression.predict(np.array([[first, 0.4]]))[0] for first in (np.nan, 0))
    assert without_input == pytest.approx(centre)


def test_the_distance_is_that_to_the_nearest_landmark(passes, world):
    regression, _, _ = fitted(passes, world)
    distances = regression.predict_by_row(np.array([[0.0, far] for far in (3.0, 10.0, 1000.0)]))[1].tolist()
    expected = [np.linalg.norm(regression.landmarks - [0.0, far], axis=1).min() for far in (3.0, 10.0, 1000.0)]
    assert distances == pytest.approx(expected)
    assert regression.predict_by_row(regression.landmarks[:1])[1][0] == pytest.approx(0, abs=2e-3)


def test_ten_rows_are_enough_for_numbers(passes, world):
    inputs, targets, folds = world
    regression, out_of_fold, _ = fitted(passes, (inputs[:10], targets[:10], folds[:10]))
    assert np.isfinite(out_of_fold).all()
    assert np.isfinite(regression.predict(inputs)[0]).all()


def test_landmarks_are_means_of_neighbours_which_no_row_can_be_read_from(passes, world):
    """With too few rows to be near to each other, a landmark is a row."""
    inputs = np.concatenate([np.random.default_rng(4).uniform(-1.5, 1.5, (5000, 2)), [[40.0, 40.0]]])  # the last is far
    rows = inputs, truth(inputs), np.arange(len(inputs)) % 3
    for given, rows_alone in ((world, 150), (rows, 0)):
        distances = squared_distances(fitted(passes, given)[0].landmarks, given[0]).min(axis=1)
        assert np.sum(distances < 1e-9) == rows_alone
    means = means_of_neighbours(inputs, len(inputs), 20, np.random.default_rng(3))
    assert np.linalg.norm(means[:-1] - inputs[:-1], axis=1).max() < 0.5
    assert np.linalg.norm(means[-1]) < 5


def test_rbf_features_use_only_what_the_mask_leaves(passes, world):
    regression, _, _ = fitted(passes, world, mask=(2.0, 0.0))
    for outputs in (regression.predict, regression.predict_by_row):
        there, further = (outputs(np.array([[0.5, place]]))[0] for place in (0.0, 1.0))
        assert further - there == pytest.approx(regression.linear[1:], abs=1e-4)


def test_other_partitions_and_partitions_without_rows_change_nothing_but_the_rounding(passes, world):
    whole = fitted(passes, world, parts=1)[1]
    assert fitted(passes, world, parts=7)[1] == pytest.approx(whole, abs=1e-3)
    empty = parts_of(tuple(values[:0] for values in world), 1)
    scaling = Scaling(np.zeros(2), np.ones(2), np.ones(2))
    sources = [*empty, *parts_of(world), *empty]
    again = fit(passes, rows_of, sources, scaling, SETTINGS, 3, np.random.default_rng(2))
    assert np.concatenate([again.out_of_fold(rows_of, source) for source in sources]) == pytest.approx(whole, abs=1e-3)


def test_the_error_from_the_equations_is_that_of_the_predictions(passes, world):
    _, out_of_fold, fit_ = fitted(passes, world)
    assert fit_.error == pytest.approx(np.sum((out_of_fold - world[1]) ** 2), rel=1e-4)


def test_rows_are_drawn_evenly_from_all_partitions():
    drawn = draw([50, 0, 100], 60, np.random.default_rng(0))
    assert [len(part) for part in drawn] == pytest.approx([20, 0, 40], abs=8)
    assert sum(map(len, drawn)) == 60
    assert all((np.diff(part) > 0).all() for part in drawn)
    assert [part.tolist() for part in draw([2, 1], 3, np.random.default_rng(0))] == [[0, 1], [0]]
