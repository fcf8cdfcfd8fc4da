"""Scores of two versions on the kept-out raters, and the difference of their errors with its interval."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import MOVIE_ID, RATING
from features.movies import PRIOR_RATINGS
from features.schema import Scale
from model.facts.evidence import MemberEvidence
from training.data.reading.tables import Tables
from training.evaluation.scores import CALIBRATION_BINS, calibration_error, coverage, fixed_interval, mean_width, rmse
from training.evaluation.slices import gain_interval
from training.gate.questions import Answers, Questions

Array = NDArray[np.float64]

RESAMPLES = 2000
LEVEL = 0.95
TO_COMPARE = ("nothing", "attributes", "plays", "attributes_and_plays")
"""Kinds of evidence, from the least to the most."""


def scores(
    questions: Questions,
    answers: Mapping[MemberEvidence, Answers],
    training: Tables,
    scale: Scale,
    random: np.random.Generator,
) -> dict[str, dict[str, float]]:
    """Scores of a version for each kind of evidence, beside the mean and the movie means of the training ratings."""
    means, mean = _movie_means(questions, training)
    steps, by_evidence = training.ratings[RATING].unique().sort().to_numpy(), {}
    for kind, predicted in answers.items():
        asked = questions.by_evidence[kind]
        truth, rating = questions.truth[asked], predicted.rating
        enjoyed = truth >= scale.enjoyed_from
        by_evidence[kind.name.lower()] = {
            "members": float(len(np.unique(questions.member[asked]))),
            "targets": float(len(truth)),
            "rmse": rmse(rating, truth),
            "movie_mean_rmse": rmse(means[asked], truth),
            "mean_rmse": rmse(np.full(len(truth), mean), truth),
            "coverage": coverage(predicted.lower, predicted.upper, truth),
            "mean_width": mean_width(predicted.lower, predicted.upper, steps),
            "movie_mean_width": mean_width(*fixed_interval(means[asked], truth, scale.low, scale.high), steps),
            "enjoyed_calibration_error": calibration_error(enjoyed, predicted.probability_enjoyed),
            "calibration_error_by_chance": error_by_chance(predicted.probability_enjoyed),
            "fallbacks": float(predicted.fallback.mean()),
            **_gain(questions.member[asked], rating, means[asked], truth, random),
        }
    return by_evidence


def differences(
    questions: Questions,
    candidate: Mapping[MemberEvidence, Answers],
    current: Mapping[MemberEvidence, Answers],
    random: np.random.Generator,
) -> dict[str, dict[str, float]]:
    """RMSE of the candidate less that of the version that serves, by kind of evidence, with its 95 % interval.

    The interval is from a paired bootstrap over members: both versions answer the same questions of the same members.
    """
    by_evidence = {}
    for kind, ours in candidate.items():
        if kind not in current:
            continue
        asked = questions.by_evidence[kind]
        truth = questions.truth[asked]
        low, high = paired_interval(questions.member[asked], ours.rating, current[kind].rating, truth, random)
        by_evidence[kind.name.lower()] = {
            "difference": rmse(ours.rating, truth) - rmse(current[kind].rating, truth), "low": low, "high": high,
        }  # fmt: skip
    return by_evidence


def paired_interval(
    member: NDArray[np.int64], ours: Array, theirs: Array, truth: Array, random: np.random.Generator
) -> tuple[float, float]:
    """The 95 % interval of the difference of two RMSEs over (N,) ratings, by drawing members with replacement."""
    _, place = np.unique(member, return_inverse=True)
    people = int(place.max()) + 1
    count = np.bincount(place).astype(np.float64)
    first, second = (np.bincount(place, weights=(one - truth) ** 2) for one in (ours, theirs))
    drawn = random.multinomial(people, np.full(people, 1 / people), size=RESAMPLES).astype(np.float64)
    ratings = drawn @ count
    found = np.sqrt((drawn @ first) / ratings) - np.sqrt((drawn @ second) / ratings)
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def error_by_chance(probability: Array) -> float:
    """The calibration error to expect of true probabilities for this number of them: the mean |noise| of the bins."""
    order = np.argsort(probability, kind="stable")
    bins = np.array_split(order, min(CALIBRATION_BINS, max(len(order), 1)))
    noise = [
        len(part) * np.sqrt(2 / np.pi * (probability[part] * (1 - probability[part])).sum()) / len(part)
        for part in bins
    ]
    return float(sum(noise) / max(len(probability), 1))


def most_by_chance(targets: float) -> float:
    """The upper bound of `error_by_chance` for a number of ratings: that of probabilities of one half."""
    return float(np.sqrt(2 / np.pi * 0.25 * CALIBRATION_BINS / max(targets, 1.0)))


def most_evidence(by_evidence: Mapping[str, Any]) -> str:
    """The kind of the most evidence among the keys."""
    return next(name for name in reversed(TO_COMPARE) if name in by_evidence)


def _gain(
    member: NDArray[np.int64], rating: Array, movie_mean: Array, truth: Array, random: np.random.Generator
) -> dict[str, float]:
    low, high = gain_interval(member, rating, movie_mean, truth, random)
    base = rmse(movie_mean, truth)
    gain = 100 * (1 - rmse(rating, truth) / base) if base else 0.0
    return {"gain_percent": gain, "gain_percent_low": low, "gain_percent_high": high}


def _movie_means(questions: Questions, learned: Tables) -> tuple[Array, float]:
    """(N,) shrunk mean of each movie asked about, over the ratings that were learned from, and their mean."""
    mean = float(learned.ratings[RATING].mean())  # type: ignore[arg-type]
    means = learned.ratings.group_by(MOVIE_ID).agg(
        (mean + (pl.col(RATING) - mean).sort().sum() / (pl.len() + PRIOR_RATINGS)).alias("mean")
    )
    asked = pl.DataFrame({MOVIE_ID: questions.movie_ids}).join(means, on=MOVIE_ID, how="left", maintain_order="left")
    return asked["mean"].fill_null(mean).to_numpy(), mean
