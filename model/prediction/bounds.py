"""The most that trees can add to the rating of each movie, whoever the member is: what a ranking needn't look at."""

from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

ZERO = 1e-35
"""What LightGBM takes for 0 where 0 means missing."""

Array = NDArray[np.float64]


def highest_corrections(
    booster: lightgbm.Booster, features: NDArray[np.float32], known: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(M,) no prediction of a row is higher, whatever the features that aren't `known` are.

    `features` is (M, F), of which the columns that are `known` (F,) count. Of each tree it is the highest leaf that a
    row may reach.
    """
    total = np.zeros(len(features))
    for tree in booster.dump_model()["tree_info"]:
        total += _highest(tree["tree_structure"], features, known)
    return total


def _highest(node: dict[str, Any], features: NDArray[np.float32], known: NDArray[np.bool_]) -> Array:
    """(M,) the highest leaf below the node that each row may reach."""
    if "split_feature" not in node:
        return np.full(len(features), float(node["leaf_value"]))
    left = _highest(node["left_child"], features, known)
    right = _highest(node["right_child"], features, known)
    if not known[node["split_feature"]] or node["decision_type"] != "<=":
        return np.maximum(left, right)
    return np.where(_goes_left(node, features[:, node["split_feature"]].astype(np.float64)), left, right)


def _goes_left(node: dict[str, Any], values: Array) -> NDArray[np.bool_]:
    """(M,) which way LightGBM sends values at a numeric split."""
    missing = np.isnan(values)
    if node["missing_type"] != "NaN":
        values = np.where(missing, 0.0, values)
        missing = np.abs(values) <= ZERO if node["missing_type"] == "Zero" else np.zeros(len(values), bool)
    below: NDArray[np.bool_] = values <= float(node["threshold"])
    return np.where(missing, bool(node["default_left"]), below)
