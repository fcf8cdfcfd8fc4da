"""Fits kernel ridge regressions by the Nyström method, with out-of-fold predictions."""

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from model.prediction.prior.kernel_regression import KernelRegression, squared_distances
from training.settings import KernelSettings

Array = NDArray[np.float64]

ROWS_PER_LANDMARK = 4
JITTER = 1e-6
CHUNK = 4096


def fit(
    inputs: Array,
    targets: Array,
    weights: Array,
    centre: Array,
    scale: Array,
    settings: KernelSettings,
    folds: NDArray[np.int64],
    random: np.random.Generator,
    rbf_mask: Array | None = None,
) -> tuple[KernelRegression, Array]:
    """Fit a regression to all rows, and return it with (N, K) out-of-fold predictions.

    `inputs` is (N, D), `targets` (N, K), `weights` (N,) and `folds` (N,) the fold of each row; `centre` and `scale`
    (D,) standardise the inputs. `rbf_mask` (D,) multiplies the scaled inputs in the RBF features; ones by default. The
    ridge penalty is the candidate with the smallest out-of-fold squared error. `random` draws the landmarks, and the
    rows to fit to if there are more than `settings.most_rows`.
    """
    rbf_mask = np.ones(inputs.shape[1]) if rbf_mask is None else rbf_mask
    scaled = np.nan_to_num((inputs - centre) * scale)
    count = min(settings.landmarks, max(len(scaled) // ROWS_PER_LANDMARK, 1))
    places = np.sort(random.choice(len(scaled), count, replace=False))
    landmarks = scaled[places] * rbf_mask
    size, width = scaled.shape[1], scaled.shape[1] + count + 1
    penalty = np.zeros((width, width))
    penalty[np.arange(size), np.arange(size)] = 1
    between = np.exp(-settings.gamma * squared_distances(landmarks, landmarks))
    penalty[size:-1, size:-1] = settings.amplitude * between
    used = np.ones(len(scaled), bool)
    if len(scaled) > settings.most_rows:
        used[random.permutation(len(scaled))[settings.most_rows :]] = False
    names = np.unique(folds)
    grams = {name: np.zeros((width, width)) for name in names}
    rights = {name: np.zeros((width, targets.shape[1])) for name in names}
    for name in names:
        rows = np.flatnonzero((folds == name) & used)
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            design = _design(scaled[part], rbf_mask, landmarks, settings)
            root = np.sqrt(weights[part])[:, None]
            weighted = design * root
            grams[name] += weighted.T @ weighted
            rights[name] += weighted.T @ (targets[part] * root)
    total_gram = np.sum(list(grams.values()), axis=0)
    total_right = np.sum(list(rights.values()), axis=0)
    out_of_fold = np.empty((len(settings.ridges), *targets.shape))
    for name in names:
        gram, right = total_gram - grams[name], total_right - rights[name]
        solutions = np.concatenate([_solve(gram + ridge * penalty, right) for ridge in settings.ridges], axis=1)
        rows = np.flatnonzero(folds == name)
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            predictions = _design(scaled[part], rbf_mask, landmarks, settings) @ solutions
            out_of_fold[:, part] = predictions.reshape(len(part), len(settings.ridges), -1).transpose(1, 0, 2)
    errors = [float(np.sum(weights[:, None] * (predictions - targets) ** 2)) for predictions in out_of_fold]
    best = int(np.argmin(errors))
    solution = _solve(total_gram + settings.ridges[best] * penalty, total_right)
    regression = KernelRegression(
        centre, scale, settings.gamma, rbf_mask, landmarks, solution[-1], solution[:size],
        settings.amplitude * solution[size:-1],
    )  # fmt: skip
    return regression, out_of_fold[best]


def _design(scaled: Array, rbf_mask: Array, landmarks: Array, settings: KernelSettings) -> Array:
    """Return (N, D + L + 1) the scaled inputs, the RBF features of L landmarks, and a column of ones as intercept."""
    rbf_features = settings.amplitude * np.exp(-settings.gamma * squared_distances(scaled * rbf_mask, landmarks))
    return np.concatenate([scaled, rbf_features, np.ones((len(scaled), 1))], axis=1)


def _solve(gram: Array, right: Array) -> Array:
    """Solve gram x = right by Cholesky decomposition, with jitter added to the diagonal."""
    gram = gram + JITTER * np.trace(gram) / len(gram) * np.eye(len(gram))
    solution: Array = linalg.cho_solve(linalg.cho_factor(gram, lower=True, check_finite=False), right)
    return solution
