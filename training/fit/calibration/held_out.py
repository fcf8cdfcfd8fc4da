"""Held-out rows: out-of-fold predictions with the true ratings, to which the calibration is fitted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.schema import Scale
from model.facts.evidence import MemberEvidence
from model.prediction.calibration import SAME_DISTANCE, Calibration

Array = NDArray[np.float64]

MOST_DISTANCES = 1000
"""Maximum number of quantiles that represent the raters' distances."""


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
    """(N,) number of the member's visible plays, or of shown ratings if the evidence includes ratings."""
    extrapolation: Array
    """(N,) share of raters, 0 to 1, who are closer to the training raters than the member is."""
    member: NDArray[np.integer]
    """(N,) index of the member."""
    fold: NDArray[np.integer]
    """(N,) fold of the member."""
    weight: Array
    """(N,) weight of the row."""

    def take(self, chosen: NDArray[np.bool_]) -> "HeldOutRows":
        """Return the rows selected by an (N,) mask."""
        return HeldOutRows(*(getattr(self, name)[chosen] for name in HeldOutRows.__dataclass_fields__))

    def join(self, other: "HeldOutRows") -> "HeldOutRows":
        """Return these rows followed by the rows of `other`."""
        return HeldOutRows(
            *(np.concatenate([getattr(self, name), getattr(other, name)]) for name in HeldOutRows.__dataclass_fields__)
        )


def predict_intervals(
    calibration: Calibration,
    member: MemberEvidence,
    rating: Array,
    deviation: Array,
    movie: NDArray[np.int8],
    plays: NDArray[np.int64],
    extrapolation: Array,
    scale: Scale,
) -> tuple[Array, Array, Array]:
    """Return interval ends (lower, upper) and probabilities to enjoy as the service computes them; arrays are (N,)."""
    reading = calibration.reading(member, plays, extrapolation)
    return reading(rating, deviation, movie, scale)


def thinned(distances: Array) -> Array:
    """Return the finite distances in ascending order; more than MOST_DISTANCES are reduced to that many quantiles."""
    known = np.sort(distances[np.isfinite(distances)])
    if len(known) <= MOST_DISTANCES:
        return known
    return known[((np.arange(MOST_DISTANCES) + 0.5) / MOST_DISTANCES * len(known)).astype(np.int64)]


def share_nearer(distance: Array, distances: Array) -> Array:
    """Return (N,) shares of sorted `distances` (Q,) below each `distance` (N,), as in `Calibration.extrapolation`."""
    return np.searchsorted(distances, distance - SAME_DISTANCE, side="left") / max(len(distances), 1)
