"""Fits gradient-boosted trees to the residuals of the out-of-fold prior."""

from collections.abc import Iterator

import lightgbm
import numpy as np
from numpy.typing import NDArray

from training.settings import TreeSettings

Array = NDArray[np.float64]

SMALL = 300_000
"""With fewer rows, one thread is faster than several."""
MEMBER_STRENGTH = 6.0
"""Shrinkage of a view's mean residual towards 0, as a number of ratings."""


def fit_trees(
    features: NDArray[np.float32], target: Array, seed: int, settings: TreeSettings, weight: Array | None = None
) -> lightgbm.Booster:
    """A forest from (N, F) features to (N,) targets with weights (N,); the same on any number of threads."""
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
        "force_col_wise": True,  # row-wise, sums depend on the number of threads where values are missing
        "boost_from_average": False,
        "num_threads": 0 if len(target) > SMALL else 1,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(features, target, weight=weight, params=parameters)
    return lightgbm.train(parameters, data, settings.trees)


def without_member_mean(residual: Array, key: NDArray[np.int64], share: float) -> Array:
    """(N,) residuals less a share of the shrunk mean of their key, so that trees don't learn to identify members."""
    _, place = np.unique(key, return_inverse=True)
    count = np.bincount(place)
    mean = np.bincount(place, weights=residual) / (count + MEMBER_STRENGTH)
    return residual - share * mean[place]


def predict_chunks(booster: lightgbm.Booster, chunks: Iterator[tuple[slice, NDArray[np.float32]]], rows: int) -> Array:
    """(N,) predictions for chunks of features."""
    predictions = np.zeros(rows)
    for part, features in chunks:
        predictions[part] = np.asarray(booster.predict(features), dtype=np.float64)
    return predictions
