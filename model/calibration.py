"""From a predicted rating to an interval and to the probability that the member enjoys the movie."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.schema import Scale
from model.evidence import MemberEvidence, MovieEvidence

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """A rising step-free curve through points."""

    at: tuple[float, ...]
    """Ascending ratings."""
    value: tuple[float, ...]
    """Ascending probabilities at those ratings."""

    def __call__(self, rating: Array) -> Array:
        """Probabilities, level beyond the outermost points."""
        return np.interp(rating, self.at, self.value)


@dataclass(frozen=True)
class Calibration:
    """Intervals by split-conformal prediction and probabilities by isotonic regression, fitted on held-out members."""

    reach: Mapping[tuple[MemberEvidence, MovieEvidence], tuple[float, float]]
    """How many standard deviations the 90 % interval reaches below and above the rating."""
    enjoyed: Mapping[tuple[MemberEvidence, MovieEvidence], Curve]
    """Probability that a rating is at least `enjoyed_from`, by predicted rating."""

    def interval(
        self, rating: Array, deviation: Array, member: MemberEvidence, movie: NDArray[np.int8], scale: Scale
    ) -> tuple[Array, Array]:
        """Ends of the 90 % interval, within the scale, for N ratings of those standard deviations."""
        below, above = np.empty_like(rating), np.empty_like(rating)
        for evidence in np.unique(movie):
            chosen = movie == evidence
            below[chosen], above[chosen] = self.reach[member, MovieEvidence(evidence)]
        lower = np.clip(rating - below * deviation, scale.low, scale.high)
        upper = np.clip(rating + above * deviation, scale.low, scale.high)
        return lower, upper

    def probability(self, rating: Array, member: MemberEvidence, movie: NDArray[np.int8]) -> Array:
        """Probability that the member's rating is at least `enjoyed_from`, for N ratings."""
        probability = np.empty_like(rating)
        for evidence in np.unique(movie):
            chosen = movie == evidence
            probability[chosen] = self.enjoyed[member, MovieEvidence(evidence)](rating[chosen])
        return probability
