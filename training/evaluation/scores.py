"""Scores of predictions against ratings, and bootstrap intervals of the difference between two predictions' errors."""

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from training.fit.calibration.intervals import COVERAGE

Array = NDArray[np.float64]

CALIBRATION_BINS = 15
FEWEST_TARGETS = 5
"""Members with fewer ratings are left out of scores of rankings."""
STEPS_AT_MOST = 50
"""A scale of more distinct ratings counts as continuous."""
RANKED = 10
"""Movies at the top of a member's ranking that the ranking gain looks at."""
CONFIDENCE_ENDS = (0.025, 0.975)
"""Quantiles of a bootstrap distribution that bound its 95 % interval."""


def rmse(predicted: Array, truth: Array) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(np.mean((predicted - truth) ** 2)))


def weighted_rmse(predicted: Array, truth: Array, weight: Array) -> float:
    """Root of the weighted mean squared error."""
    return float(np.sqrt(np.average((predicted - truth) ** 2, weights=weight)))


def mean_absolute_error(predicted: Array, truth: Array) -> float:
    """Mean absolute error."""
    return float(np.mean(np.abs(predicted - truth)))


def gain_percent(error: float, simpler_error: float) -> float:
    """How much lower an error is than a simpler prediction's, in percent; 0 where the simpler one errs by nothing."""
    return 100 * (1 - error / simpler_error) if simpler_error > 0 else 0.0


def gain_interval(
    member: NDArray[np.int64],
    predicted: Array,
    simpler: Array,
    truth: Array,
    random: np.random.Generator,
    resamples: int = 500,
) -> tuple[float, float]:
    """The 95 % interval of the gain in RMSE over a simpler prediction, in percent; all arrays are (N,)."""

    def gain(_: Array, ours: Array, theirs: Array) -> Array:
        errs = theirs > 0
        return np.where(errs, 100 * (1 - np.sqrt(ours / np.where(errs, theirs, 1))), 0.0)

    return paired_bootstrap(member, predicted, simpler, truth, gain, random, resamples)


def difference_interval(
    member: NDArray[np.int64],
    first: Array,
    second: Array,
    truth: Array,
    random: np.random.Generator,
    resamples: int = 2000,
) -> tuple[float, float]:
    """The 95 % interval of the first prediction's RMSE less the second's; all arrays are (N,)."""

    def difference(ratings: Array, ours: Array, theirs: Array) -> Array:
        return np.asarray(np.sqrt(ours / ratings) - np.sqrt(theirs / ratings))

    return paired_bootstrap(member, first, second, truth, difference, random, resamples)


def paired_bootstrap(
    member: NDArray[np.int64],
    first: Array,
    second: Array,
    truth: Array,
    statistic: Callable[[Array, Array, Array], Array],
    random: np.random.Generator,
    resamples: int,
) -> tuple[float, float]:
    """The 95 % percentile interval of a statistic of two predictions (N,) of the same ratings.

    Members are drawn with replacement, each with all its ratings, since errors of one member go together (Efron and
    Tibshirani, An Introduction to the Bootstrap, 1993). `statistic` maps the number of ratings and both sums of squared
    errors, (resamples,) each, to the statistic (resamples,).
    """
    _, place = np.unique(member, return_inverse=True)
    sums = [np.bincount(place, weights) for weights in (None, (first - truth) ** 2, (second - truth) ** 2)]
    people = len(sums[0])
    drawn = random.multinomial(people, np.full(people, 1 / people), size=resamples).astype(np.float64)
    low, high = np.quantile(statistic(*(drawn @ sum_ for sum_ in sums)), CONFIDENCE_ENDS)
    return float(low), float(high)


def spearman(first: str, second: str) -> pl.Expr:
    """Spearman's rank correlation of two columns, -1 to 1; tied values share their mean rank."""
    return pl.corr(pl.col(first).rank(), pl.col(second).rank())


def rank_correlation(member: NDArray[np.int64], predicted: Array, truth: Array) -> float:
    """Mean over members of Spearman's rank correlation, -1 to 1; 0 for a member whose predictions are all equal.

    Arrays are (N,). Members with fewer than FEWEST_TARGETS ratings, or only equal ones, are left out.
    """
    rows = pl.DataFrame({"member": member, "predicted": predicted, "truth": truth})
    by_member = (
        rows.group_by("member", maintain_order=True)
        .agg(
            pl.len().alias("targets"),
            pl.col("truth").n_unique().alias("different"),
            pl.col("predicted").n_unique().alias("different_predictions"),
            spearman("predicted", "truth").alias("correlation"),
        )
        .filter((pl.col("targets") >= FEWEST_TARGETS) & (pl.col("different") > 1))
        .with_columns(
            pl.when(pl.col("different_predictions") > 1).then(pl.col("correlation")).otherwise(0.0).alias("correlation")
        )
    )
    mean = by_member.sort("member")["correlation"].mean()
    return float(mean) if isinstance(mean, float) else 0.0


def ranking_gain(member: NDArray[np.int64], predicted: Array, truth: Array, low: float) -> float:
    """Mean over members of the normalized discounted cumulative gain of their first RANKED movies, 0 to 1.

    A movie's gain is its rating less `low`, the lowest of the scale (Järvelin and Kekäläinen, TOIS 2002). Members with
    fewer than FEWEST_TARGETS ratings, or only equal ones, are left out; ties stay in order of rows. Arrays are (N,).
    """
    _, place = np.unique(member, return_inverse=True)
    people = int(place.max(initial=-1)) + 1
    ours, best = (_discounted(place, values, truth - low, people) for values in (predicted, truth))
    highest, lowest = np.full(people, -np.inf), np.full(people, np.inf)
    np.maximum.at(highest, place, truth)
    np.minimum.at(lowest, place, truth)
    ranked = (np.bincount(place, minlength=people) >= FEWEST_TARGETS) & (highest > lowest)
    return float(np.mean(ours[ranked] / best[ranked])) if ranked.any() else 0.0


def _discounted(place: NDArray[np.int64], score: Array, gain: Array, people: int) -> Array:
    """(people,) discounted cumulative gain of each member's RANKED rows of highest score."""
    order = np.lexsort((-score, place))
    first = np.searchsorted(place[order], np.arange(people))
    rank = np.arange(len(order)) - first[place[order]]
    top = rank < RANKED
    weights = gain[order][top] / np.log2(rank[top] + 2.0)
    return np.asarray(np.bincount(place[order][top], weights=weights, minlength=people), np.float64)


def area_under_curve(label: NDArray[np.bool_], score: Array) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative; 0.5 where either is missing."""
    positives = int(label.sum())
    negatives = len(label) - positives
    if not positives or not negatives:
        return 0.5
    ranks = pl.Series(score).rank().to_numpy()
    return float((ranks[label].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def calibration_error(label: NDArray[np.bool_], probability: Array) -> float:
    """Expected calibration error over bins of equal count (Naeini et al., AAAI 2015)."""
    order = np.argsort(probability, kind="stable")
    bins = np.array_split(order, min(CALIBRATION_BINS, max(len(order), 1)))
    return float(sum(len(rows) * abs(label[rows].mean() - probability[rows].mean()) for rows in bins) / len(label))


def fixed_interval(predicted: Array, truth: Array, low: float, high: float) -> tuple[Array, Array]:
    """Ends (N,) of intervals of one width about the predictions that hold 90 % of these ratings, within the scale."""
    reach = float(np.quantile(np.abs(truth - predicted), COVERAGE)) if len(truth) else 0.0
    return np.clip(predicted - reach, low, high), np.clip(predicted + reach, low, high)


def coverage(lower: Array, upper: Array, truth: Array) -> float:
    """Share of ratings within their interval, ends included."""
    return float(np.mean((truth >= lower) & (truth <= upper)))


def mean_width(lower: Array, upper: Array, steps: Array) -> float:
    """Mean width of intervals whose ends are moved inward to the nearest of the distinct ratings `steps`, ascending."""
    if len(steps) > STEPS_AT_MOST:
        return float(np.mean(upper - lower))
    first = steps[np.minimum(np.searchsorted(steps, lower - 1e-9), len(steps) - 1)]
    last = steps[np.maximum(np.searchsorted(steps, upper + 1e-9) - 1, 0)]
    return float(np.mean(np.maximum(last - first, 0)))
