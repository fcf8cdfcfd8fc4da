"""Calibrated intervals and probabilities of enjoyment for predicted ratings."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.schema import Scale
from model.facts.evidence import MemberEvidence, MovieEvidence

Array = NDArray[np.float64]

PLACES = 201
"""Evenly spaced ratings of the scale for which intervals and probabilities are tabulated."""
PLAY_BINS = (1, 3, 10, 30, 100)
"""Lower ends of bins of numbers of plays, each with its own calibration."""
FAR = (0.95, 0.99)
"""Extrapolations at which further classes with intervals of their own begin."""
SAME_DISTANCE = 0.005
"""Distances that differ by less count as equal: many members share all attributes, and single rows are computed in
single precision, in which the distance between equal members isn't quite 0."""

_PLAY_BINS, _FAR = np.array(PLAY_BINS), np.array(FAR)


def bin_of(plays: int) -> int:
    """The bin of PLAY_BINS that a number of plays falls in; 0 falls in the first."""
    return max(bisect_right(PLAY_BINS, plays) - 1, 0)


def bins_of(plays: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) bins of numbers of plays."""
    return np.maximum(_PLAY_BINS.searchsorted(plays, "right") - 1, 0)


def places_of(rating: Array, scale: Scale) -> Array:
    """(N,) ratings within the scale as places from 0 to PLACES - 1, with fractions."""
    places: Array = (rating - scale.low) * ((PLACES - 1) / scale.span)
    return places


class Readings(NamedTuple):
    """All readings for one kind of member evidence, one after the other: B bins of plays times F classes of
    extrapolation, of each E kinds of movie evidence, L levels of deviation and PLACES of the scale."""

    edges: Array
    """(B F E, L - 1) ascending standard deviations at which the next level begins."""
    lower: Array
    """(B F E L PLACES,) lower end of the 90 % interval."""
    upper: Array
    """(B F E L PLACES,) upper end of it."""
    enjoyed: Array
    """(B F E L PLACES,) probability that the rating is at least `enjoyed_from`."""
    kinds: int
    """E"""


class Reading(NamedTuple):
    """Reads intervals and probabilities from tables, for one member or for N members with one prediction each."""

    readings: Readings
    """Tables of one kind of member evidence."""
    number: NDArray[np.int64]
    """Index into `readings`: a scalar, or (N,) one for each member."""

    def repeat(self, counts: NDArray[np.int64]) -> "Reading":
        """Repeat the index of each member by its (N,) count."""
        return Reading(self.readings, self.number.repeat(counts))

    def __call__(
        self, rating: Array, deviation: Array, movie: NDArray[np.int8], scale: Scale
    ) -> tuple[Array, Array, Array]:
        """Lower and upper ends and probabilities for N ratings within the scale, of those standard deviations."""
        edges, lower, upper, enjoyed, kinds = self.readings
        kind = self.number * kinds + (movie.astype(np.int64) - 1)
        level = (deviation[:, None] > edges.take(kind, axis=0)).sum(axis=1)
        row = (kind * (edges.shape[1] + 1) + level) * PLACES
        place = places_of(rating, scale)
        near = row + np.rint(place).astype(np.int64)
        before = np.minimum(place.astype(np.int64), PLACES - 2)
        row += before
        start = enjoyed.take(row)
        probability = start + (place - before) * (enjoyed.take(row + 1) - start)
        return np.minimum(lower.take(near), rating), np.maximum(upper.take(near), rating), probability


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
    """(B, E) half width, in standard deviations, of an interval about the prediction that holds 90 % of ratings."""
    distances: Array
    """(Q,) ascending out-of-fold distances of raters; empty for evidence without facts."""


@dataclass(frozen=True)
class Calibration:
    """Intervals and probabilities by kind of evidence, fitted on out-of-fold predictions.

    The interval holds the ratings of which neither the probability of so much or less nor that of so much or more is
    below a threshold, which makes 90 % of held-out ratings fall inside (distributional conformal prediction,
    Chernozhukov et al., PNAS 2021, over isotonic distributional regression, Henzi et al., JRSS B 2021).
    """

    tables: Mapping[MemberEvidence, Tables]
    """By kind of member evidence."""

    def extrapolation(self, distance: Array, member: MemberEvidence) -> Array:
        """(N,) share, 0 to 1, of raters with a smaller out-of-fold distance."""
        distances = self.tables[member].distances
        return distances.searchsorted(distance - SAME_DISTANCE) / max(len(distances), 1)

    def reading(self, member: MemberEvidence, plays: NDArray[np.int64], extrapolation: Array) -> Reading:
        """Reads intervals and probabilities of N members with these numbers of plays (N,)."""
        bins, classes = self.tables[member].lower.shape[:2]
        place = np.minimum(bins_of(plays), bins - 1)
        beyond = np.minimum(_FAR.searchsorted(extrapolation, "right"), classes - 1)
        return Reading(self._readings[member], place * classes + beyond)

    def reach(self, member: MemberEvidence, plays: int, movie: MovieEvidence) -> float:
        """Half width, in standard deviations, of an interval about a prediction that holds 90 % of ratings.

        Unlike the tabulated interval it changes continuously with the standard deviation.
        """
        reach = self.tables[member].reach
        return float(reach[min(bin_of(plays), len(reach) - 1), movie - 1])

    @cached_property
    def _readings(self) -> dict[MemberEvidence, Readings]:
        readings = {}
        for member, tables in self.tables.items():
            classes, kinds, levels = tables.lower.shape[1:4]
            readings[member] = Readings(
                tables.edges.repeat(classes, axis=0).reshape(-1, levels - 1),
                tables.lower.ravel(),
                tables.upper.ravel(),
                tables.enjoyed.repeat(classes, axis=0).ravel(),
                kinds,
            )
        return readings
