"""Fits gradient-boosted trees to the residuals of the out-of-fold prior."""

from collections.abc import Iterator

import lightgbm
import numpy as np
from numpy.typing import NDArray

from training.settings import TreeSettings

Array = NDArray[np.float64]

SMALL = 300_000
"""Number of rows up to which one thread is faster than several."""
MEMBER_STRENGTH = 6.0
"""Number of additional residuals of 0 by which a view's mean residual is shrunk towards 0."""


def fit_trees(
    features: NDArray[np.float32], target: Array, seed: int, settings: TreeSettings, weight: Array | None = None
) -> lightgbm.Booster:
    """Fit a forest to (N, F) features, (N,) targets and (N,) weights; the number of threads doesn't affect it."""
    parameters = {
        "objective": "regression",
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.leaves,
        "min_data_in_leaf": max(min(settings.leaf_rows, len(target) // 200), 20),
        "lambda_l2": settings.ridge * min(1.0, len(target) / 200_000),
        "feature_fraction": 0.4,
        "bagging_fraction": 0.5,
        "bagging_freq": 1,
        "max_bin": 63,
        "seed": seed,
        "deterministic": True,
        "force_col_wise": True,  # row-wise sums depend on the number of threads if values are missing
        "boost_from_average": False,
        "num_threads": 0 if len(target) > SMALL else 1,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(features, target, weight=weight, params=parameters)
    return lightgbm.train(parameters, data, settings.trees)


def without_member_mean(residual: Array, key: NDArray[np.int64], share: float) -> Array:
    """Subtract a share of each key's shrunk mean from (N,) residuals, so that trees don't learn to identify members."""
    _, place = np.unique(key, return_inverse=True)
    count = np.bincount(place)
    mean = np.bincount(place, weights=residual) / (count + MEMBER_STRENGTH)
    return residual - share * mean[place]


def predict_chunks(booster: lightgbm.Booster, chunks: Iterator[tuple[slice, NDArray[np.float32]]], rows: int) -> Array:
    """Return (N,) predictions from features that are given in chunks of rows."""
    predictions = np.zeros(rows)
    for part, features in chunks:
        predictions[part] = np.asarray(booster.predict(features), dtype=np.float64)
    return predictions
