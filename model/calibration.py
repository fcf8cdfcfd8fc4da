"""From a predicted rating to an interval and to the probability that the member enjoys the movie."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.schema import Scale
from model.evidence import MemberEvidence, MovieEvidence

Array = NDArray[np.float64]

PLACES = 201
"""Places of the rating scale, evenly spread, for which intervals and probabilities are tabled."""
PLAY_BINS = (1, 3, 10, 30, 100)
"""Numbers of plays from which on members have a calibration of their own."""
FAR = (0.95, 0.99)
"""Extrapolations beyond which intervals may be wider."""
SAME_DISTANCE = 0.005
"""Distances that differ by less count as the same: many members share all attributes, and one row at a time is worked
out in single precision, in which the distance of a member from its like is not quite 0."""


def bin_of(plays: int) -> int:
    """The number of the bin of PLAY_BINS; none has the first."""
    return max(bisect_right(PLAY_BINS, plays) - 1, 0)


def bins_of(plays: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) the number of the bin of each number of plays."""
    return np.maximum(np.searchsorted(PLAY_BINS, plays, side="right") - 1, 0)


def places_of(rating: Array, scale: Scale) -> Array:
    """(N,) ratings within the scale as places from 0 to PLACES - 1, with fractions."""
    places: Array = (rating - scale.low) * ((PLACES - 1) / scale.span)
    return places


@dataclass(frozen=True)
class Reading:
    """What predictions of one member mean: E kinds of movie evidence, L levels of deviation, PLACES of the scale."""

    edges: Array
    """(E, L - 1) ascending standard deviations at which the next level begins."""
    lower: Array
    """(E, L, PLACES) lower end of the 90 % interval."""
    upper: Array
    """(E, L, PLACES) upper end of it."""
    enjoyed: Array
    """(E, L, PLACES) probability that the rating is at least `enjoyed_from`."""

    def __call__(
        self, rating: Array, deviation: Array, movie: NDArray[np.int8], scale: Scale
    ) -> tuple[Array, Array, Array]:
        """Lower and upper ends and probabilities for N ratings within the scale, of those standard deviations."""
        kind = movie.astype(np.intp) - 1
        level = (deviation[:, None] > self.edges[kind]).sum(axis=1)
        row = (kind * (self.edges.shape[1] + 1) + level) * PLACES
        place = places_of(rating, scale)
        near = row + np.rint(place).astype(np.intp)
        before = np.minimum(place.astype(np.intp), PLACES - 2)
        chance, row = self.enjoyed.ravel(), row + before
        start = chance[row]
        probability = start + (place - before) * (chance[row + 1] - start)
        return np.minimum(self.lower.ravel()[near], rating), np.maximum(self.upper.ravel()[near], rating), probability


@dataclass(frozen=True)
class Tables:
    """Readings for one kind of member evidence: B bins of plays (1 without plays), F classes of extrapolation."""

    edges: Array
    """(B, E, L - 1) as in a reading."""
    lower: Array
    """(B, F, E, L, PLACES)"""
    upper: Array
    """(B, F, E, L, PLACES)"""
    enjoyed: Array
    """(B, E, L, PLACES)"""
    reach: Array
    """(B, E) how many standard deviations to either side of the rating hold 90 % of ratings."""
    distances: Array
    """(Q,) ascending distances of raters whom the regression had not seen; empty where nothing is known of members."""


@dataclass(frozen=True)
class Calibration:
    """Intervals and probabilities by what was known, fitted on members whom the predictions had not seen.

    The interval holds the ratings of which neither the probability of so much or less nor that of so much or more is
    below a threshold, which makes 90 % of held-out ratings fall inside (distributional conformal prediction,
    Chernozhukov et al., PNAS 2021, over isotonic distributional regression, Henzi et al., JRSS B 2021).
    """

    tables: Mapping[MemberEvidence, Tables]
    """By what is known of the member."""

    def extrapolation(self, distance: float, member: MemberEvidence) -> float:
        """The share, 0 to 1, of raters that the model had not seen who lie nearer to those it had learned from."""
        distances = self._distances[member]
        return bisect_left(distances, distance - SAME_DISTANCE) / len(distances) if distances else 0.0

    def reading(self, member: MemberEvidence, plays: int, extrapolation: float) -> Reading:
        """What predictions of a member of so many plays mean."""
        bins = self._readings[member]
        classes = bins[min(bin_of(plays), len(bins) - 1)]
        return classes[min(bisect_right(FAR, extrapolation), len(classes) - 1)]

    def reach(self, member: MemberEvidence, plays: int, movie: MovieEvidence) -> float:
        """How many standard deviations to either side of a prediction hold 90 % of ratings.

        A measure of what isn't known that, unlike the interval, changes with the standard deviation however little.
        """
        reach = self.tables[member].reach
        return float(reach[min(bin_of(plays), len(reach) - 1), movie - 1])

    @cached_property
    def _distances(self) -> dict[MemberEvidence, list[float]]:
        return {member: tables.distances.tolist() for member, tables in self.tables.items()}

    @cached_property
    def _readings(self) -> dict[MemberEvidence, list[list[Reading]]]:
        return {
            member: [
                [Reading(tables.edges[place], lower, upper, tables.enjoyed[place])
                 for lower, upper in zip(tables.lower[place], tables.upper[place], strict=True)]
                for place in range(len(tables.edges))
            ]
            for member, tables in self.tables.items()
        }  # fmt: skip
