"""The trees that correct the prior: a LightGBM forest over features of pairs."""

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
"""LightGBM's threshold for 0 where 0 means missing."""


class Forest:
    """Predicts exactly as `Booster.predict`, without its overhead for frames and files.

    That costs as much as twenty rows of a hundred small trees. `LGBM_BoosterPredictForMat` is part of LightGBM's
    documented C API; only how the library and the booster's handle are named in Python isn't. May be used from any
    thread.
    """

    def __init__(self, booster: lightgbm.Booster) -> None:
        self._booster = booster  # keeps the handle alive
        self._handle = booster._handle
        self._width = booster.num_feature()

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """(N,) predictions for (N, F) features; raises ValueError for other than F columns."""
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
    """A forest, and its shrinkage weights."""

    booster: lightgbm.Booster | None
    """Predicts what to add to the prior, in rating points; None where trees added nothing in training."""
    weights: Mapping[MemberEvidence, float]
    """Shrinkage weight, 0 to 1, of the correction for each kind of evidence, estimated out of fold."""

    @cached_property
    def _forest(self) -> Forest:
        assert self.booster is not None  # noqa: S101 # whoever asks has seen to it
        return Forest(self.booster)

    def corrections(self, features: NDArray[np.float32], evidence: MemberEvidence) -> NDArray[np.float64]:
        """(N,) rating points to add to the prior, for (N, F) features."""
        weight = self.weights.get(evidence, 0.0)
        if self.booster is None or weight == 0 or not len(features):
            return np.zeros(len(features))
        return weight * self._forest.predict(features)

    def contributions(self, features: NDArray[np.float32], evidence: MemberEvidence) -> NDArray[np.float64]:
        """(N, F + 1) rating points that each feature adds, and the constant: exact tree SHAP (Lundberg et al. 2020)."""
        weight = self.weights.get(evidence, 0.0)
        if self.booster is None or weight == 0:
            return np.zeros((len(features), features.shape[1] + 1))
        contributions = self.booster.predict(features, pred_contrib=True, num_threads=1)
        return weight * np.asarray(contributions, dtype=np.float64)


def highest_corrections(
    booster: lightgbm.Booster, features: NDArray[np.float32], known: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(M,) upper bounds of the predictions for rows of which only the `known` features are known.

    `features` is (M, F), of which columns that aren't `known` (F,) are ignored. The bound is the sum over trees of the
    highest leaf that a row may reach.
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
