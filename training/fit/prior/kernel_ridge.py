"""Fits kernel regressions, with predictions for rows that a fit did not see."""

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
    sight: Array | None = None,
) -> tuple[KernelRegression, Array]:
    """A regression fitted on all rows, and (N, K) predictions of each row by a fit without its fold.

    `inputs` is (N, D), `targets` (N, K), `weights` (N,), `folds` (N,) small numbers; landmarks are rows drawn
    at random. `sight` (D,) is by what bumps multiply each scaled input, 1 unless given.
    """
    sight = np.ones(inputs.shape[1]) if sight is None else sight
    scaled = np.nan_to_num((inputs - centre) * scale)
    count = min(settings.landmarks, max(len(scaled) // ROWS_PER_LANDMARK, 1))
    places = np.sort(random.choice(len(scaled), count, replace=False))
    landmarks = scaled[places] * sight
    size, width = scaled.shape[1], scaled.shape[1] + count + 1
    penalty = np.zeros((width, width))
    penalty[np.arange(size), np.arange(size)] = 1
    between = np.exp(-settings.gamma * squared_distances(landmarks, landmarks))
    penalty[size:-1, size:-1] = settings.amplitude * between
    seen = np.ones(len(scaled), bool)
    if len(scaled) > settings.most_rows:
        seen[random.permutation(len(scaled))[settings.most_rows :]] = False
    names = np.unique(folds)
    grams = {name: np.zeros((width, width)) for name in names}
    rights = {name: np.zeros((width, targets.shape[1])) for name in names}
    for name in names:
        rows = np.flatnonzero((folds == name) & seen)
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            design = _design(scaled[part], sight, landmarks, settings)
            root = np.sqrt(weights[part])[:, None]
            weighted = design * root
            grams[name] += weighted.T @ weighted
            rights[name] += weighted.T @ (targets[part] * root)
    total_gram = np.sum(list(grams.values()), axis=0)
    total_right = np.sum(list(rights.values()), axis=0)
    apart = np.empty((len(settings.ridges), *targets.shape))
    for name in names:
        gram, right = total_gram - grams[name], total_right - rights[name]
        solutions = np.concatenate([_solve(gram + ridge * penalty, right) for ridge in settings.ridges], axis=1)
        rows = np.flatnonzero(folds == name)
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            found = _design(scaled[part], sight, landmarks, settings) @ solutions
            apart[:, part] = found.reshape(len(part), len(settings.ridges), -1).transpose(1, 0, 2)
    errors = [float(np.sum(weights[:, None] * (found - targets) ** 2)) for found in apart]
    best = int(np.argmin(errors))
    solution = _solve(total_gram + settings.ridges[best] * penalty, total_right)
    regression = KernelRegression(
        centre, scale, settings.gamma, sight, landmarks, solution[-1], solution[:size],
        settings.amplitude * solution[size:-1],
    )  # fmt: skip
    return regression, apart[best]


def _design(scaled: Array, sight: Array, landmarks: Array, settings: KernelSettings) -> Array:
    bumps = settings.amplitude * np.exp(-settings.gamma * squared_distances(scaled * sight, landmarks))
    return np.concatenate([scaled, bumps, np.ones((len(scaled), 1))], axis=1)


def _solve(gram: Array, right: Array) -> Array:
    gram = gram + JITTER * np.trace(gram) / len(gram) * np.eye(len(gram))
    solution: Array = linalg.cho_solve(linalg.cho_factor(gram, lower=True, check_finite=False), right)
    return solution
