"""Isotonic distributional regression: distributions of the true rating that increase with the predicted rating."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from model.prediction.calibration import PLACES

Array = NDArray[np.float64]

MOST_STEPS = 50
"""Maximum number of distinct ratings to use as steps; if there are more, ratings are binned by quantiles."""
POINTS, POINT_ROWS = 60, 20
"""Maximum number of knots of a curve, and minimum number of rows per knot."""


@dataclass(frozen=True)
class Steps:
    """The K distinct ratings, or K bins if there are more than MOST_STEPS distinct ratings."""

    low: Array
    """(K,) rating, or lower end of the bin, ascending."""
    high: Array
    """(K,) rating, or upper end of the bin."""

    @staticmethod
    def among(ratings: Array) -> "Steps":
        """Return the steps of (N,) ratings."""
        distinct = np.unique(ratings)
        if len(distinct) <= MOST_STEPS:
            return Steps(distinct, distinct)
        cuts = np.unique(np.quantile(ratings, np.linspace(0, 1, MOST_STEPS + 1)))
        return Steps(cuts[:-1], cuts[1:])

    def of(self, ratings: Array) -> NDArray[np.int64]:
        """Return (N,) the index of each rating's step."""
        return np.maximum(np.searchsorted(self.low, ratings, side="right") - 1, 0)


@dataclass(frozen=True)
class Distribution:
    """Distribution of the true rating over K steps, for each of PLACES predicted ratings."""

    score: Array
    """(PLACES, K) conformity score: the minimum of P(step or lower) and P(step or higher)."""
    enjoyed: Array
    """(PLACES,) probability of a rating of at least `enjoyed_from`."""

    def interval(self, steps: Steps, threshold: float) -> tuple[Array, Array]:
        """Return the lower and upper bounds, each (PLACES,), of the interval over all steps with at least this score.

        Where no step reaches the threshold, the interval spans the steps with the highest score.
        """
        inside = self.score >= np.minimum(threshold, self.score.max(axis=1))[:, None]
        return steps.low[inside.argmax(axis=1)], steps.high[::-1][inside[:, ::-1].argmax(axis=1)]


@dataclass(frozen=True)
class Counts:
    """Weighted counts of rows by place of the predicted rating and step of the true rating."""

    steps: Array
    """(…, PLACES, K) summed weights of rows."""
    enjoyed: Array
    """(…, PLACES) summed weights of rows with a rating of at least `enjoyed_from`."""
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
        """Count N ratings by group, 0 to `groups` - 1; the group is the first dimension of the arrays."""
        at, size = group * PLACES + place, groups * PLACES
        by_step, shape = np.bincount(at * steps + step, weights=weight, minlength=size * steps), (groups, PLACES)
        enjoyed_weight, rows = (
            np.bincount(at, weights=weight * enjoyed, minlength=size),
            np.bincount(at, minlength=size),
        )
        return Counts(
            by_step.reshape(*shape, steps).astype(np.float64),
            enjoyed_weight.reshape(shape).astype(np.float64),
            rows.reshape(shape).astype(np.float64),
        )

    def sum(self, chosen: NDArray[np.int64]) -> "Counts":
        """Return the counts summed over the chosen groups."""
        return Counts(*(getattr(self, name)[chosen].sum(axis=0) for name in Counts.__dataclass_fields__))


def fit_distribution(counts: Counts) -> Distribution:
    """Fit the distribution of the true rating at each place of the predicted rating.

    The probability of exceeding each step is fitted by isotonic regression on the prediction (isotonic distributional
    regression, Henzi et al., JRSS B 2021).
    """
    above = counts.steps[:, ::-1].cumsum(axis=1)[:, ::-1]
    rising = _rising(np.column_stack([above[:, 1:], counts.enjoyed]), above[:, 0], counts.rows)
    reached = np.column_stack([np.ones(PLACES), rising[:, :-1], np.zeros(PLACES)])
    return Distribution(np.minimum(reached[:, :-1], 1 - reached[:, 1:]), rising[:, -1])


def _rising(sums: Array, weight: Array, rows: Array) -> Array:
    """Fit (PLACES, C) isotonic curves to C shares, given as sums (PLACES, C), weights and row counts (PLACES,)."""
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
