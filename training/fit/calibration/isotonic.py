"""Distributions of ratings by predicted rating: rising curves of how often a rating is so high or higher."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from model.prediction.calibration import PLACES

Array = NDArray[np.float64]

MOST_STEPS = 50
"""A scale of more different ratings is cut into so many parts of equally many ratings."""
POINTS, POINT_ROWS = 60, 20
"""A curve goes through at most so many points, each the mean of at least so many rows."""


@dataclass(frozen=True)
class Steps:
    """The K ratings that there are, or K parts of a scale of too many."""

    low: Array
    """(K,) ascending: the rating, or the lower end of the part."""
    high: Array
    """(K,) the rating, or the upper end."""

    @staticmethod
    def among(ratings: Array) -> "Steps":
        """The steps of these ratings."""
        different = np.unique(ratings)
        if len(different) <= MOST_STEPS:
            return Steps(different, different)
        cuts = np.unique(np.quantile(ratings, np.linspace(0, 1, MOST_STEPS + 1)))
        return Steps(cuts[:-1], cuts[1:])

    def of(self, ratings: Array) -> NDArray[np.int64]:
        """(N,) the step of each rating."""
        return np.maximum(np.searchsorted(self.low, ratings, side="right") - 1, 0)


@dataclass(frozen=True)
class Distribution:
    """What ratings are given where a rating is predicted, for PLACES of the scale and K steps."""

    score: Array
    """(PLACES, K) the lesser of the probabilities of that step or less, and of that step or more."""
    enjoyed: Array
    """(PLACES,) probability of a rating of at least `enjoyed_from`."""

    def interval(self, steps: Steps, threshold: float) -> tuple[Array, Array]:
        """(PLACES,) ends of the steps whose score reaches the threshold, at least the one of the highest."""
        inside = self.score >= np.minimum(threshold, self.score.max(axis=1))[:, None]
        return steps.low[inside.argmax(axis=1)], steps.high[::-1][inside[:, ::-1].argmax(axis=1)]


@dataclass(frozen=True)
class Counts:
    """How often which step was given where which place was predicted; the sum of two is that of both their rows."""

    steps: Array
    """(…, PLACES, K) summed weights of rows."""
    enjoyed: Array
    """(…, PLACES) of those with a rating of at least `enjoyed_from`."""
    rows: Array
    """(…, PLACES) number of rows."""

    @staticmethod
    def of(
        group: NDArray[np.int64],
        groups: int,
        place: NDArray[np.int64],
        step: NDArray[np.int64],
        enjoyed: NDArray[np.bool_],
        weight: Array,
        steps: int,
    ) -> "Counts":
        """Of N ratings by their group (0 to groups - 1), which comes first in the shapes."""
        at, size = group * PLACES + place, groups * PLACES
        given, shape = np.bincount(at * steps + step, weights=weight, minlength=size * steps), (groups, PLACES)
        liked, rows = np.bincount(at, weights=weight * enjoyed, minlength=size), np.bincount(at, minlength=size)
        return Counts(
            given.reshape(*shape, steps).astype(np.float64),
            liked.reshape(shape).astype(np.float64),
            rows.reshape(shape).astype(np.float64),
        )

    def sum(self, chosen: NDArray[np.int64]) -> "Counts":
        """Of all rows of those groups."""
        return Counts(*(getattr(self, name)[chosen].sum(axis=0) for name in Counts.__dataclass_fields__))


def fit_distribution(counts: Counts) -> Distribution:
    """The distribution of ratings by the place that was predicted.

    Isotonic regression of each "so high or higher" on the prediction, which keeps their order (isotonic distributional
    regression, Henzi et al., JRSS B 2021).
    """
    above = counts.steps[:, ::-1].cumsum(axis=1)[:, ::-1]
    rising = _rising(np.column_stack([above[:, 1:], counts.enjoyed]), above[:, 0], counts.rows)
    reached = np.column_stack([np.ones(PLACES), rising[:, :-1], np.zeros(PLACES)])
    return Distribution(np.minimum(reached[:, :-1], 1 - reached[:, 1:]), rising[:, -1])


def _rising(sums: Array, weight: Array, rows: Array) -> Array:
    """(PLACES, C) rising curves through C shares, from sums (PLACES, C) of places of those weights and rows."""
    total = int(rows.sum())
    if not total or not weight.any():
        return np.full(sums.shape, 0.5)
    points = min(POINTS, max(total // POINT_ROWS, 1))
    point = np.minimum((np.cumsum(rows) - rows / 2) * points / total, points - 1).astype(np.int64)
    weights = np.bincount(point, weights=weight, minlength=points)
    used = np.flatnonzero(weights > 0)
    at = np.bincount(point, weights=weight * np.arange(PLACES), minlength=points)[used] / weights[used]
    curves = np.empty_like(sums)
    for number, column in enumerate(sums.T):
        share = np.bincount(point, weights=column, minlength=points)[used] / weights[used]
        rising = np.clip(isotonic_regression(share, weights=weights[used]).x, 0, 1)
        curves[:, number] = np.interp(np.arange(PLACES), at, rising)
    return curves
