"""Held-out rows: out-of-fold predictions with the ratings they predict, which the calibration is fitted on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.schema import Scale
from model.facts.evidence import MemberEvidence
from model.prediction.calibration import SAME_DISTANCE, Calibration

Array = NDArray[np.float64]

MOST_DISTANCES = 1000
"""Quantiles that represent the distances of all raters, at most."""


@dataclass(frozen=True)
class HeldOutRows:
    """N out-of-fold predictions with the true ratings."""

    rating: Array
    """(N,) predicted rating, clipped to the scale."""
    truth: Array
    """(N,) true rating."""
    deviation: Array
    """(N,) standard deviation of a rating about its prediction."""
    plays: NDArray[np.int64]
    """(N,) visible plays of the member."""
    extrapolation: Array
    """(N,) 0 to 1: share of raters who lie nearer to the training data."""
    member: NDArray[np.int64]
    """(N,) row of the member."""
    fold: NDArray[np.int64]
    """(N,) fold of the member."""
    weight: Array
    """(N,) weight of the row."""

    def take(self, chosen: NDArray[np.bool_]) -> "HeldOutRows":
        """The chosen rows ((N,) mask)."""
        return HeldOutRows(*(getattr(self, name)[chosen] for name in HeldOutRows.__dataclass_fields__))

    def join(self, other: "HeldOutRows") -> "HeldOutRows":
        """The rows of both."""
        return HeldOutRows(
            *(np.concatenate([getattr(self, name), getattr(other, name)]) for name in HeldOutRows.__dataclass_fields__)
        )


def predict_intervals(
    calibration: Calibration,
    member: MemberEvidence,
    rating: Array,
    deviation: Array,
    movie: NDArray[np.int64],
    plays: NDArray[np.int64],
    extrapolation: Array,
    scale: Scale,
) -> tuple[Array, Array, Array]:
    """Lower and upper ends of the intervals and probabilities to enjoy, (N,) each, as served; all arrays are (N,)."""
    reading = calibration.reading(member, plays, extrapolation)
    return reading(rating, deviation, movie.astype(np.int8), scale)


def thinned(distances: Array) -> Array:
    """The finite ones of (N,) distances, ascending, or MOST_DISTANCES quantiles of more."""
    known = np.sort(distances[np.isfinite(distances)])
    if len(known) <= MOST_DISTANCES:
        return known
    return known[((np.arange(MOST_DISTANCES) + 0.5) / MOST_DISTANCES * len(known)).astype(np.int64)]


def share_nearer(distance: Array, distances: Array) -> Array:
    """(N,) share of the ascending distances (Q,) below each distance, as `Calibration.extrapolation` computes it."""
    return np.searchsorted(distances, distance - SAME_DISTANCE, side="left") / max(len(distances), 1)
