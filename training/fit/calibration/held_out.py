"""Predictions of members that what made them had not seen, and what a calibration says of many of them at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.schema import Scale
from model.facts.evidence import MemberEvidence
from model.prediction.calibration import SAME_DISTANCE, Calibration

Array = NDArray[np.float64]

MOST_DISTANCES = 1000
"""Quantiles that stand for the distances of all raters."""


@dataclass(frozen=True)
class HeldOutRows:
    """N predictions of members that what made them had not seen."""

    rating: Array
    """(N,) predicted, within the scale."""
    truth: Array
    """(N,) the rating given."""
    deviation: Array
    """(N,) standard deviation of a rating about its prediction."""
    plays: NDArray[np.int64]
    """(N,) plays shown of the member."""
    extrapolation: Array
    """(N,) 0 to 1: share of raters who lie nearer to those that were learned from."""
    member: NDArray[np.int64]
    """(N,) whose rating it is."""
    fold: NDArray[np.int64]
    """(N,) fold of the member."""
    weight: Array
    """(N,) what the row counts."""

    def take(self, chosen: NDArray[np.bool_]) -> "HeldOutRows":
        """Some of the rows."""
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
    """Lower and upper ends and probabilities (N,) of many members at once, each as it would be served; all (N,)."""
    reading = calibration.reading(member, plays, extrapolation)
    return reading(rating, deviation, movie.astype(np.int8), scale)


def thinned(distances: Array) -> Array:
    """At most MOST_DISTANCES quantiles of (N,) distances, ascending."""
    known = np.sort(distances[np.isfinite(distances)])
    if len(known) <= MOST_DISTANCES:
        return known
    return known[((np.arange(MOST_DISTANCES) + 0.5) / MOST_DISTANCES * len(known)).astype(np.int64)]


def share_nearer(distance: Array, distances: Array) -> Array:
    """(N,) share of the ascending distances (Q,) that are below each: what `Calibration.extrapolation` says."""
    return np.searchsorted(distances, distance - SAME_DISTANCE, side="left") / max(len(distances), 1)
