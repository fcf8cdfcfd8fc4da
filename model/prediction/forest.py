"""A LightGBM forest's answers for the rows of a request, by LightGBM's C API."""

import ctypes

import lightgbm
import numpy as np
from lightgbm.basic import _LIB  # type: ignore[attr-defined] # not exported
from numpy.typing import NDArray

FLOAT32, ROW_MAJOR, NORMAL, ALL_TREES = 0, 1, 0, -1
PARAMETERS = b"num_threads=1"


class Forest:
    """Predicts exactly what `Booster.predict` does, without what that does for frames and files.

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
