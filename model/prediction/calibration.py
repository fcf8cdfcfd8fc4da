"""Look-up tables of the 90 % interval and the probability of enjoyment that belong to a predicted rating."""

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
"""Number of evenly spaced predicted ratings for which intervals and probabilities are tabulated."""
PLAY_BINS = (1, 3, 10, 30, 100)
"""Lower ends of the bins by a member's number of plays, or of ratings if some are known; each bin has its own
intervals and probabilities."""
FAR = (0.95, 0.99)
"""Lower ends of the upper classes of extrapolation (share of raters less unusual than a member), with own intervals."""
SAME_DISTANCE = 0.005
"""Tolerance of comparisons between members' distances from the nearest landmark (a mean of raters that the regression
compares members with). Many members have equal attributes, and distances are computed in single precision, which gives
equal members slightly different distances."""

_PLAY_BINS, _FAR = np.array(PLAY_BINS), np.array(FAR)


def bin_of(plays: int) -> int:
    """Return the index of the bin of PLAY_BINS that holds a number of plays; 0 plays are in the first bin."""
    return max(bisect_right(PLAY_BINS, plays) - 1, 0)


def bins_of(plays: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the index of the bin of PLAY_BINS for each of N numbers of plays; 0 plays are in the first bin."""
    return np.maximum(_PLAY_BINS.searchsorted(plays, "right") - 1, 0)


def places_of(rating: Array, scale: Scale) -> Array:
    """Return the fractional positions, 0 to PLACES - 1, of N predicted ratings in the look-up tables."""
    places: Array = (rating - scale.low) * ((PLACES - 1) / scale.span)
    return places


class Readings(NamedTuple):
    """Look-up tables of intervals and probabilities for members of one kind of evidence, such as plays only, flattened.

    The dimensions of the tables are B bins of plays, F classes of extrapolation, E kinds of movie evidence, L levels of
    standard deviation, and PLACES ratings. With ratings, the bins are by number of ratings.
    """

    edges: Array
    """(B F E, L - 1) ascending standard deviations that separate the levels."""
    lower: Array
    """(B F E L PLACES,) lower end of the 90 % interval."""
    upper: Array
    """(B F E L PLACES,) upper end of the 90 % interval."""
    enjoyed: Array
    """(B F E L PLACES,) probability that the rating is at least `enjoyed_from`."""
    kinds: int
    """E, the number of kinds of movie evidence."""


class Reading(NamedTuple):
    """Looks up, for each predicted rating, its interval and the probability that the movie is enjoyed.

    It is made for one member with N predictions, or for N members with one prediction each.
    """

    readings: Readings
    """Tables for the members' kind of evidence."""
    number: NDArray[np.int64]
    """(1,) or (N,) combined index of each member's number of plays (in bins) and distance from the training data
    (in classes)."""

    def repeat(self, counts: NDArray[np.int64]) -> "Reading":
        """Return a copy with member n repeated `counts[n]` times, once for each movie to predict."""
        return Reading(self.readings, self.number.repeat(counts))

    def __call__(
        self, rating: Array, deviation: Array, movie: NDArray[np.int8], scale: Scale
    ) -> tuple[Array, Array, Array]:
        """Return (N,) lower ends and upper ends of intervals, and (N,) probabilities that the movies are enjoyed.

        `rating` (N,) are predicted ratings within the scale, `deviation` (N,) their standard deviations and `movie`
        (N,) the MovieEvidence of each movie.
        """
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
    """Tables of intervals and probabilities for members of one kind of evidence, such as plays only.

    The dimensions are those of Readings. B is 1 if the evidence has no plays.
    """

    edges: Array
    """(B, E, L - 1) ascending standard deviations that separate the levels."""
    lower: Array
    """(B, F, E, L, PLACES) lower end of the 90 % interval."""
    upper: Array
    """(B, F, E, L, PLACES) upper end of the 90 % interval."""
    enjoyed: Array
    """(B, E, L, PLACES) probability that the rating is at least `enjoyed_from`."""
    reach: Array
    """(B, E) half width, in standard deviations, of a symmetric interval that contains 90 % of ratings."""
    distances: Array
    """(Q,) ascending distances of raters from the nearest landmark, with regressions fitted without them; empty for
    MemberEvidence.NOTHING."""


@dataclass(frozen=True)
class Calibration:
    """The interval and probability that belong to each predicted rating, by what is known of member and movie.

    They are fitted on predictions for raters that the model was not fitted on. An interval contains the ratings for
    which P(this rating or lower) and P(this rating or higher) are both at least a threshold. The threshold is chosen
    such that intervals contain 90 % of held-out ratings (distributional conformal prediction, Chernozhukov et al., PNAS
    2021, with isotonic distributional regression, Henzi et al., JRSS B 2021).
    """

    tables: Mapping[MemberEvidence, Tables]
    """Tables by kind of member evidence."""

    def extrapolation(self, distance: Array, member: MemberEvidence) -> Array:
        """Return how unusual members are: the share of raters, 0 to 1, nearer to their nearest landmark.

        `distance` (N,) are the members' distances from their nearest landmarks, the means of raters that the regression
        compares with.
        """
        distances = self.tables[member].distances
        return distances.searchsorted(distance - SAME_DISTANCE) / max(len(distances), 1)

    def reading(self, member: MemberEvidence, counts: NDArray[np.int64], extrapolation: Array) -> Reading:
        """Return an object that finds intervals and probabilities for N members of one kind of evidence.

        `counts` (N,) are the members' numbers of ratings for evidence with ratings, and of plays for any other;
        `extrapolation` (N,) is the result of `extrapolation`.
        """
        bins, classes = self.tables[member].lower.shape[:2]
        place = np.minimum(bins_of(counts), bins - 1)
        beyond = np.minimum(_FAR.searchsorted(extrapolation, "right"), classes - 1)
        return Reading(self._readings[member], place * classes + beyond)

    def reach(self, member: MemberEvidence, plays: int, movie: MovieEvidence) -> float:
        """Return the half width, in standard deviations, of an interval around predictions with 90 % of ratings.

        The interval is symmetric. Unlike that of the tabulated intervals, its width varies continuously with the
        standard deviation.
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
