"""Scores of predictions, and bootstrap intervals of the difference between the errors of two predictions."""

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from training.fit.calibration.intervals import COVERAGE

Array = NDArray[np.float64]

CALIBRATION_BINS = 15
FEWEST_TARGETS = 5
"""Minimum number of a member's ratings for the member to count in ranking scores."""
STEPS_AT_MOST = 50
"""Maximum number of distinct ratings of a discrete scale; with more, ratings are treated as continuous."""
RANKED = 10
"""Number of movies at the top of a member's ranking that count in the ranking gain."""
CONFIDENCE_ENDS = (0.025, 0.975)
"""Quantiles of a bootstrap distribution at the ends of its 95 % interval."""


def rmse(predicted: Array, truth: Array) -> float:
    """Return the root mean squared error of predictions (N,) of the ratings `truth` (N,)."""
    return float(np.sqrt(np.mean((predicted - truth) ** 2)))


def weighted_rmse(predicted: Array, truth: Array, weight: Array) -> float:
    """Return the root mean squared error with a weight for each rating; all arrays are (N,)."""
    return float(np.sqrt(np.average((predicted - truth) ** 2, weights=weight)))


def mean_absolute_error(predicted: Array, truth: Array) -> float:
    """Return the mean absolute error of predictions (N,) of the ratings `truth` (N,)."""
    return float(np.mean(np.abs(predicted - truth)))


def gain_percent(error: float, simpler_error: float) -> float:
    """Return by how many percent `error` is lower than the error of a simpler prediction; 0 if `simpler_error` is 0."""
    return 100 * (1 - error / simpler_error) if simpler_error > 0 else 0.0


def gain_interval(
    member: NDArray[np.int64],
    predicted: Array,
    simpler: Array,
    truth: Array,
    random: np.random.Generator,
    resamples: int = 500,
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the gain over a simpler prediction: by how many percent the RMSE is lower.

    All arrays are (N,); `member` identifies the member of each rating.
    """

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
    """Return the 95 % bootstrap interval of the RMSE of the first prediction minus the RMSE of the second.

    All arrays are (N,); `member` identifies the member of each rating.
    """

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
    """Return the 95 % bootstrap interval of a statistic that compares two predictions (N,) of the same ratings.

    Members are drawn with replacement, each with all their ratings, since errors within a member are correlated (Efron
    and Tibshirani, An Introduction to the Bootstrap, 1993). `statistic` maps the number of ratings and the two sums of
    squared errors, (resamples,) each, to the statistic (resamples,).
    """
    _, place = np.unique(member, return_inverse=True)
    sums = [np.bincount(place, weights) for weights in (None, (first - truth) ** 2, (second - truth) ** 2)]
    people = len(sums[0])
    drawn = random.multinomial(people, np.full(people, 1 / people), size=resamples).astype(np.float64)
    low, high = np.quantile(statistic(*(drawn @ sum_ for sum_ in sums)), CONFIDENCE_ENDS)
    return float(low), float(high)


def spearman(first: str, second: str) -> pl.Expr:
    """Return an expression for Spearman's rank correlation of two columns, -1 to 1; ties get their mean rank."""
    return pl.corr(pl.col(first).rank(), pl.col(second).rank())


def rank_correlation(member: NDArray[np.int64], predicted: Array, truth: Array) -> float:
    """Return Spearman's rank correlation, -1 to 1, averaged over members; all arrays are (N,).

    It is 0 for members whose predictions are all equal. Members with fewer than FEWEST_TARGETS ratings, or whose
    ratings are all equal, are left out. Returns 0 if no members are left.
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
    """Return the normalized discounted cumulative gain of the top RANKED movies, 0 to 1, averaged over members.

    A movie's gain is its rating minus `low`, the minimum of the scale (Järvelin and Kekäläinen, TOIS 2002). Members
    with fewer than FEWEST_TARGETS ratings, or whose ratings are all equal, are left out; ties keep the order of rows.
    All arrays are (N,). Returns 0 if no members are left.
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
    """Return the (people,) discounted cumulative gain of each member's RANKED rows with the highest scores."""
    order = np.lexsort((-score, place))
    first = np.searchsorted(place[order], np.arange(people))
    rank = np.arange(len(order)) - first[place[order]]
    top = rank < RANKED
    weights = gain[order][top] / np.log2(rank[top] + 2.0)
    return np.asarray(np.bincount(place[order][top], weights=weights, minlength=people), np.float64)


def area_under_curve(label: NDArray[np.bool_], score: Array) -> float:
    """Return how well scores (N,) separate labels (N,): the area under the ROC curve; 0.5 if all labels are equal."""
    positives = int(label.sum())
    negatives = len(label) - positives
    if not positives or not negatives:
        return 0.5
    ranks = pl.Series(score).rank().to_numpy()
    return float((ranks[label].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def calibration_error(label: NDArray[np.bool_], probability: Array) -> float:
    """Return how far predicted probabilities (N,) are from the observed shares of labels (N,), on average.

    This is the expected calibration error (Naeini et al., AAAI 2015). The CALIBRATION_BINS bins of the probability have
    equal numbers of rows.
    """
    order = np.argsort(probability, kind="stable")
    bins = np.array_split(order, min(CALIBRATION_BINS, max(len(order), 1)))
    return float(sum(len(rows) * abs(label[rows].mean() - probability[rows].mean()) for rows in bins) / len(label))


def fixed_interval(predicted: Array, truth: Array, low: float, high: float) -> tuple[Array, Array]:
    """Return the ends (N,) of equally wide intervals around the predictions that contain 90 % of the ratings `truth`.

    The ends are clipped to the scale, `low` to `high`.
    """
    reach = float(np.quantile(np.abs(truth - predicted), COVERAGE)) if len(truth) else 0.0
    return np.clip(predicted - reach, low, high), np.clip(predicted + reach, low, high)


def coverage(lower: Array, upper: Array, truth: Array) -> float:
    """Return the share of the ratings `truth` that are within their interval, ends included; all arrays are (N,)."""
    return float(np.mean((truth >= lower) & (truth <= upper)))


def mean_width(lower: Array, upper: Array, steps: Array) -> float:
    """Return the mean width of (N,) intervals, measured between the outermost possible ratings in each interval.

    `steps` are the possible ratings, ascending. If there are more than STEPS_AT_MOST, every rating is possible.
    """
    if len(steps) > STEPS_AT_MOST:
        return float(np.mean(upper - lower))
    first = steps[np.minimum(np.searchsorted(steps, lower - 1e-9), len(steps) - 1)]
    last = steps[np.maximum(np.searchsorted(steps, upper + 1e-9) - 1, 0)]
    return float(np.mean(np.maximum(last - first, 0)))
