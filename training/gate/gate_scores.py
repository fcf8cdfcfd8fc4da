"""Scores of versions on kept-out raters, and differences between the errors of two versions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.schema import Scale
from model.facts.evidence import MemberEvidence
from training.evaluation.movie_means import RatedMovies
from training.evaluation.scores import (
    CALIBRATION_BINS,
    calibration_error,
    coverage,
    difference_interval,
    fixed_interval,
    gain_interval,
    gain_percent,
    mean_width,
    rmse,
)
from training.gate.questions import Answers, Questions

Array = NDArray[np.float64]

TO_COMPARE = tuple(kind.name.lower() for kind in MemberEvidence)
"""Kinds of evidence, from least to most."""
NEVER_RATERS = tuple(kind.name.lower() for kind in MemberEvidence if not kind.has_ratings)
"""Kinds of evidence without ratings."""


def scores(
    questions: Questions,
    answers: Mapping[MemberEvidence, Answers],
    rated: RatedMovies,
    scale: Scale,
    random: np.random.Generator,
) -> dict[str, dict[str, float]]:
    """Score a version, the mean and the movie means of the training ratings, by kind of evidence."""
    means, by_evidence = rated.means[questions.movie], {}
    for kind, predicted in answers.items():
        asked = questions.by_evidence[kind]
        truth, rating = questions.truth[asked], predicted.rating
        enjoyed = truth >= scale.enjoyed_from
        by_evidence[kind.name.lower()] = {
            "members": float(len(np.unique(questions.member[asked]))),
            "targets": float(len(truth)),
            "rmse": rmse(rating, truth),
            "movie_mean_rmse": rmse(means[asked], truth),
            "mean_rmse": rmse(np.full(len(truth), rated.mean), truth),
            "coverage": coverage(predicted.lower, predicted.upper, truth),
            "mean_width": mean_width(predicted.lower, predicted.upper, rated.steps),
            "movie_mean_width": mean_width(*fixed_interval(means[asked], truth, scale.low, scale.high), rated.steps),
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
    """Return the RMSE of the candidate minus that of the current version, with its 95 % interval, by kind of evidence.

    The interval is from a paired bootstrap over members, since both versions predict the same ratings.
    """
    by_evidence = {}
    for kind, ours in candidate.items():
        if kind not in current:
            continue
        asked = questions.by_evidence[kind]
        truth = questions.truth[asked]
        low, high = difference_interval(questions.member[asked], ours.rating, current[kind].rating, truth, random)
        by_evidence[kind.name.lower()] = {
            "difference": rmse(ours.rating, truth) - rmse(current[kind].rating, truth), "low": low, "high": high,
        }  # fmt: skip
    return by_evidence


def error_by_chance(probability: Array) -> float:
    """Return the expected calibration error of perfectly calibrated probabilities, which is due to chance alone."""
    order = np.argsort(probability, kind="stable")
    bins = np.array_split(order, min(CALIBRATION_BINS, max(len(order), 1)))
    noise = [
        len(part) * np.sqrt(2 / np.pi * (probability[part] * (1 - probability[part])).sum()) / len(part)
        for part in bins
    ]
    return float(sum(noise) / max(len(probability), 1))


def most_by_chance(targets: float) -> float:
    """Return an upper bound of the calibration error that is expected by chance for a number of rated predictions.

    It is reached if every predicted probability is 0.5; `error_by_chance` computes the error for given probabilities.
    """
    return float(np.sqrt(2 / np.pi * 0.25 * CALIBRATION_BINS / max(targets, 1.0)))


def most_evidence(by_evidence: Mapping[str, Any]) -> str:
    """Return the key of the kind with the most evidence about never-raters."""
    return next(name for name in reversed(NEVER_RATERS) if name in by_evidence)


def _gain(
    member: NDArray[np.int64], rating: Array, movie_mean: Array, truth: Array, random: np.random.Generator
) -> dict[str, float]:
    low, high = gain_interval(member, rating, movie_mean, truth, random)
    gain = gain_percent(rmse(rating, truth), rmse(movie_mean, truth))
    return {"gain_percent": gain, "gain_percent_low": low, "gain_percent_high": high}
