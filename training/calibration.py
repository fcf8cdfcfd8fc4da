"""Fits intervals and probabilities on members whom the predictions had not seen."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from model.calibration import Curve

Array = NDArray[np.float64]

LEVEL = 0.9
CURVE_POINTS = 60


def fit_reach(error: Array, deviation: Array) -> tuple[float, float]:
    """How many standard deviations below and above the prediction hold 90 % of N ratings.

    Split-conformal quantile of |rating - prediction| / deviation, with the finite-sample correction (Lei et al.,
    JASA 2018); `error` is rating less prediction.
    """
    score = np.sort(np.abs(error) / deviation)
    place = int(np.ceil((len(score) + 1) * LEVEL)) - 1
    reach = float(score[min(place, len(score) - 1)])
    return reach, reach


def fit_curve(rating: Array, enjoyed: NDArray[np.bool_]) -> Curve:
    """Isotonic regression of N outcomes on N predicted ratings, thinned to a curve of few points."""
    order = np.argsort(rating, kind="stable")
    rating, outcome = rating[order], enjoyed[order].astype(float)
    parts = np.array_split(np.arange(len(rating)), min(CURVE_POINTS, max(len(rating) // 20, 1)))
    at = np.array([rating[part].mean() for part in parts])
    share = np.array([outcome[part].mean() for part in parts])
    weight = np.array([float(len(part)) for part in parts])
    rising = isotonic_regression(share, weights=weight).x
    at, first = np.unique(at, return_index=True)
    return Curve(tuple(at.tolist()), tuple(np.clip(rising[first], 0, 1).tolist()))
