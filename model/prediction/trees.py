"""The trees, a LightGBM model that corrects the factorization's rating of a movie by a member."""

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import lightgbm
import numpy as np
from lightgbm.basic import _LIB  # type: ignore[attr-defined] # not exported
from numpy.typing import NDArray

from model.facts.evidence import MemberEvidence

Array = NDArray[np.float64]

FLOAT32, ROW_MAJOR, NORMAL, ALL_TREES = 0, 1, 0, -1
"""Constants of LightGBM's C API."""
PARAMETERS = b"num_threads=1"
ZERO = 1e-35
"""Absolute value up to which LightGBM treats a value as missing in splits of missing type Zero."""


class Forest:
    """A LightGBM model that predicts exactly what `Booster.predict` does, but faster for few rows; thread-safe.

    `Booster.predict` has an overhead for data frames and files, as large as the cost of predicting twenty rows with a
    hundred small trees. This class calls `LGBM_BoosterPredictForMat` of LightGBM's documented C API. The Python names
    of the library and of the booster's handle are private.
    """

    def __init__(self, booster: lightgbm.Booster) -> None:
        self._booster = booster  # keeps the handle alive
        self._handle = booster._handle
        self._width = booster.num_feature()

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the trees' (N,) predictions from (N, F) inputs.

        Raises ValueError if the number of columns isn't F, and RuntimeError if LightGBM fails.
        """
        if features.shape[1] != self._width:
            raise ValueError(f"the forest takes {self._width} features")
        features = np.ascontiguousarray(features, np.float32)
        predictions, written = np.empty(len(features)), ctypes.c_int64()
        failed = _LIB.LGBM_BoosterPredictForMat(
            self._handle, ctypes.c_void_p(features.ctypes.data), FLOAT32, ctypes.c_int32(len(features)),
            ctypes.c_int32(self._width), ROW_MAJOR, NORMAL, 0, ALL_TREES, PARAMETERS, ctypes.byref(written),
            ctypes.c_void_p(predictions.ctypes.data),
        )  # fmt: skip
        if failed or written.value != len(features):
            raise RuntimeError(f"LightGBM: {_LIB.LGBM_GetLastError()}")
        return predictions


@dataclass(frozen=True)
class Trees:
    """The LightGBM model that corrects ratings from the factorization, and by how much its correction is shrunk."""

    booster: lightgbm.Booster | None
    """Predicts what to add to the factorization's rating, in rating points; None if trees didn't improve predictions in
    training."""
    weights: Mapping[MemberEvidence, float]
    """Factor from 0 to 1 by which the correction is shrunk, by what is known of the member (kind of evidence)."""

    @cached_property
    def _forest(self) -> Forest:
        assert self.booster is not None  # noqa: S101 # callers check this first
        return Forest(self.booster)

    def corrections(self, features: NDArray[np.float32], evidence: MemberEvidence) -> NDArray[np.float64]:
        """Return the (N,) rating points to add to the factorization's ratings, from (N, F) inputs of the trees."""
        weight = self.weights.get(evidence, 0.0)
        if self.booster is None or weight == 0 or not len(features):
            return np.zeros(len(features))
        return weight * self._forest.predict(features)

    def contributions(self, features: NDArray[np.float32], evidence: MemberEvidence) -> NDArray[np.float64]:
        """Return the (N, F + 1) rating points that each input adds to N predictions, and last the constant.

        These are exact tree SHAP values (Lundberg et al., Nature Machine Intelligence 2020).
        """
        weight = self.weights.get(evidence, 0.0)
        if self.booster is None or weight == 0:
            return np.zeros((len(features), features.shape[1] + 1))
        contributions = self.booster.predict(features, pred_contrib=True, num_threads=1)
        return weight * np.asarray(contributions, dtype=np.float64)


def highest_corrections(
    booster: lightgbm.Booster, features: NDArray[np.float32], known: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return (M,) upper bounds of the trees' predictions for M movies of which only some inputs are known.

    `features` is (M, F), and `known` (F,) is a mask of the known columns; the others are ignored. The bound is the sum
    over all trees of the highest leaf value that a row can reach. It tells which movies can't be among the best.
    """
    total = np.zeros(len(features))
    for tree in booster.dump_model()["tree_info"]:
        total += _highest(tree["tree_structure"], features, known)
    return total


def _highest(node: dict[str, Any], features: NDArray[np.float32], known: NDArray[np.bool_]) -> Array:
    """Return, for each of M rows, the highest leaf value that the row can reach below the node."""
    if "split_feature" not in node:
        return np.full(len(features), float(node["leaf_value"]))
    left = _highest(node["left_child"], features, known)
    right = _highest(node["right_child"], features, known)
    if not known[node["split_feature"]] or node["decision_type"] != "<=":
        return np.maximum(left, right)
    return np.where(_goes_left(node, features[:, node["split_feature"]].astype(np.float64)), left, right)


def _goes_left(node: dict[str, Any], values: Array) -> NDArray[np.bool_]:
    """Return an (M,) mask of the values that LightGBM sends to the left child of a numeric split."""
    missing = np.isnan(values)
    if node["missing_type"] != "NaN":
        values = np.where(missing, 0.0, values)
        missing = np.abs(values) <= ZERO if node["missing_type"] == "Zero" else np.zeros(len(values), bool)
    below: NDArray[np.bool_] = values <= float(node["threshold"])
    return np.where(missing, bool(node["default_left"]), below)
