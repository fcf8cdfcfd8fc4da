"""Fits the trees on what the out-of-fold prior leaves over."""

from collections.abc import Iterator

import lightgbm
import numpy as np
from numpy.typing import NDArray

from training.settings import TreeSettings

Array = NDArray[np.float64]

SMALL = 300_000
"""Rows up to which threads cost more than they bring."""
MEMBER_STRENGTH = 6.0
"""A view's mean residual is drawn towards none as if so many ratings had shown none."""


def fit_trees(
    features: NDArray[np.float32], target: Array, seed: int, settings: TreeSettings, weight: Array | None = None
) -> lightgbm.Booster:
    """A forest from (N, F) features to (N,) targets, of (N,) weights; the same on any number of threads."""
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
        "force_col_wise": True,  # row by row, sums hang on the number of threads where values are missing
        "boost_from_average": False,
        "num_threads": 0 if len(target) > SMALL else 1,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(features, target, weight=weight, params=parameters)
    return lightgbm.train(parameters, data, settings.trees)


def without_member_mean(residual: Array, key: NDArray[np.int64], share: float) -> Array:
    """(N,) residuals less a share of the shrunk mean of those of one key: else trees learn who a member is."""
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
