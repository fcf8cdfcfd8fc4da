"""Membership inference by likelihood ratio: Gaussians fitted to each target, and how well they tell members apart.

Carlini et al., Membership Inference Attacks From First Principles (IEEE S&P 2022).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

FALSE_POSITIVES = (0.01, 0.001)
"""False positive rates at which true positive rates are given."""
OWN_SHARE = 0.5
"""Weight of a target's own variance in that of its Gaussians; the rest is the mean of all targets."""
RESAMPLES = 200
INTERVAL = (2.5, 97.5)
"""Percentiles of the bootstrap interval."""


def memberships(models: int, targets: int, random: np.random.Generator) -> Mask:
    """Return (K, T) which targets each model is trained on: of each two models one, so all are in half of them."""
    first = np.stack([random.permutation(targets) < targets / 2 for _ in range(models // 2)])
    return np.stack([first, ~first], axis=1).reshape(models - models % 2, targets)


def log_likelihood_ratios(statistic: Array, member: Mask) -> Array:
    """Return (K, T) log likelihood ratios that each target is a member of each model, by the other models.

    `statistic` (K, T) is what is measured of each target at each model, and `member` (K, T) tells which targets it was
    trained on. A target's two Gaussians have one variance, half its own and half the mean of all; the difference of
    their means is shrunk towards the mean difference, as far as it varies no more than by chance.
    """
    ratios = np.empty_like(statistic)
    for number in range(len(statistic)):
        others = np.arange(len(statistic)) != number
        center, difference, variance = _gaussians(statistic[others], member[others])
        ratios[number] = (statistic[number] - center) * difference / variance
    return ratios


def _gaussians(statistic: Array, member: Mask) -> tuple[Array, Array, Array]:
    """Return (T,) midpoints of the means in and out, shrunk differences, and variances."""
    counts = [np.maximum(mask.sum(axis=0), 1) for mask in (member, ~member)]
    inside, outside = (
        np.where(mask, statistic, 0).sum(axis=0) / count for mask, count in zip((member, ~member), counts, strict=True)
    )
    spread = (statistic - np.where(member, inside, outside)) ** 2
    variance = spread.sum(axis=0) / max(len(statistic) - 2, 1)
    variance = OWN_SHARE * variance + (1 - OWN_SHARE) * variance.mean() + 1e-30
    difference, chance = inside - outside, variance * (1 / counts[0] + 1 / counts[1])
    truly = max(float(difference.var() - chance.mean()), 0.0)
    shrunk = (truly * difference + chance * difference.mean()) / (truly + chance)
    return (inside + outside) / 2, shrunk, variance


def area_under_curve(score: Array, label: Mask) -> float:
    """Return the probability that a positive scores higher than a negative; ties count half."""
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    positives = int(label.sum())
    above = rank[label].sum() - positives * (positives + 1) / 2
    return float(above / (positives * (len(label) - positives)))


def true_positive_rate(score: Array, label: Mask, false_positives: float) -> float:
    """Return the share of positives above the threshold that at most such a share of negatives exceeds."""
    negatives = np.sort(score[~label])[::-1]
    allowed = int(false_positives * len(negatives))
    return float((score[label] > negatives[allowed]).mean())


@dataclass(frozen=True)
class Success:
    """How well scores tell members apart, each with its interval of a bootstrap over targets."""

    figures: dict[str, tuple[float, float, float]]
    """Figure, lower and upper end, by name."""

    def to_dict(self) -> dict[str, list[float]]:
        """Return the figures, rounded, for JSON."""
        return {name: [round(float(value), 4) for value in values] for name, values in self.figures.items()}


def success(score: Array, label: Mask, random: np.random.Generator, resamples: int = RESAMPLES) -> Success:
    """Return AUC and true positive rates of (K, T) scores and labels, with intervals of a bootstrap over targets."""
    measures: dict[str, Callable[[Array, Mask], float]] = {"auc": area_under_curve}
    for rate in FALSE_POSITIVES:
        measures[f"tpr_at_{rate}"] = lambda score, label, rate=rate: true_positive_rate(score, label, rate)
    drawn = [random.integers(0, score.shape[1], score.shape[1]) for _ in range(resamples)]
    figures = {}
    for name, measure in measures.items():
        again = [measure(score[:, chosen].ravel(), label[:, chosen].ravel()) for chosen in drawn]
        low, high = np.percentile(again, INTERVAL)
        figures[name] = (measure(score.ravel(), label.ravel()), float(low), float(high))
    return Success(figures)


def directed_shift(predictions: Array, expected: Array, target: NDArray[np.int64], targets: int) -> Array:
    """Return (K, T) by how much predictions of K models are shifted towards each target's ratings.

    `predictions` (K, N) are of N ratings, `expected` (N,) is by how much membership is expected to shift each, up to a
    factor, and `target` (N,) whose rating it is. Each pair counts by its expected shift over its variance between
    models, as is best if the pairs vary independently.
    """
    centred = predictions - predictions.mean(axis=0)
    weight = expected / (centred.var(axis=0) + 1e-12)
    power = np.sqrt(np.bincount(target, weight * expected, targets)) + 1e-12
    return np.stack([np.bincount(target, row * weight, targets) / power for row in centred])
