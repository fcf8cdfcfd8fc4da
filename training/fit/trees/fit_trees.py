"""Fits gradient-boosted trees to the residuals of the out-of-fold prior."""

from collections.abc import Sequence
from functools import partial
from threading import Event
from typing import Any

import lightgbm
import numpy as np
from lightgbm.callback import CallbackEnv
from numpy.typing import NDArray

from training.data.passes.side_by_side import side_by_side
from training.errors import PassesStopped
from training.settings import TreeSettings

Array = NDArray[np.float64]

BINNING = {
    "max_bin": 63,
    "feature_pre_filter": False,
    "deterministic": True,
    "force_col_wise": True,  # else LightGBM chooses a way by its time, and the sums of the two ways differ
    "verbosity": -1,
}
"""Parameters of LightGBM on which the bins depend, or which forests on the same bins must share."""
MEMBER_STRENGTH = 6.0
"""Number of additional residuals of 0 by which a view's mean residual is shrunk towards 0."""


def bin_rows(features: NDArray[np.float32], target: Array, weight: Array | None = None) -> lightgbm.Dataset:
    """Return (N, F) features in bins, with (N,) targets and (N,) weights; the features aren't needed any more.

    Forests on parts of the rows share the bins, which saves time and memory.
    """
    data = lightgbm.Dataset(features, target, weight=weight, params=BINNING, free_raw_data=True)
    return data.construct()


def fit_forests(
    data: lightgbm.Dataset, seed: int, settings: TreeSettings, chosen: Sequence[NDArray[np.int64] | None]
) -> list[lightgbm.Booster]:
    """Fit one forest to each choice of the binned rows, by their numbers; None chooses all.

    A signal ends the fits after the trees under way.
    """
    rows = [data.num_data() if some is None else len(some) for some in chosen]
    parameters = [_parameters(seed, settings, count) for count in rows]
    parts = [data if some is None else data.subset(some.tolist(), own).construct()
             for some, own in zip(chosen, parameters, strict=True)]  # fmt: skip
    ended = Event()

    def go_on(_: CallbackEnv) -> None:
        if ended.is_set():
            raise PassesStopped("the work has ended early")

    train = partial(lightgbm.train, num_boost_round=settings.trees, callbacks=[go_on])
    try:
        return side_by_side(train, parameters, parts)
    finally:
        ended.set()


def _parameters(seed: int, settings: TreeSettings, rows: int) -> dict[str, Any]:
    """Return LightGBM's parameters for so many rows."""
    return BINNING | {
        "objective": "regression",
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.leaves,
        "min_data_in_leaf": max(min(settings.leaf_rows, rows // 200), 20),
        "lambda_l2": settings.ridge * min(1.0, rows / 200_000),
        "feature_fraction": 0.4,
        "bagging_fraction": 0.5,
        "bagging_freq": 5,  # since a new bag for every tree takes as long as the tree
        "seed": seed,
        "boost_from_average": False,
        "num_threads": 1,  # since forests are fitted side by side; the number would be part of the model's text
    }


def without_member_mean(residual: Array, key: NDArray[np.int64], share: float) -> Array:
    """Subtract a share of each key's shrunk mean from (N,) residuals, so that trees don't learn to identify members."""
    _, place = np.unique(key, return_inverse=True)
    count = np.bincount(place)
    mean = np.bincount(place, weights=residual) / (count + MEMBER_STRENGTH)
    return residual - share * mean[place]


def predict_halves(
    forests: Sequence[lightgbm.Booster], features: NDArray[np.float32], side: NDArray[np.int64]
) -> Array:
    """Return (N,) predictions from features (N, F), of each row by the forest that `side` (N,) names."""
    predictions = np.empty(len(features))
    for half, forest in enumerate(forests):
        chosen = np.flatnonzero(side == half)
        if len(chosen):
            predictions[chosen] = np.asarray(forest.predict(features[chosen], num_threads=1), dtype=np.float64)
    return predictions
