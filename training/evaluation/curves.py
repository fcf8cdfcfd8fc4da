"""Numbers for a report's charts: calibration curves, distributions of predictions, and importance of inputs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.pair_features import pair_names
from features.schema import Schema
from model.facts.evidence import MemberEvidence, MovieEvidence
from training.evaluation.interval_scores import intervals_and_probabilities, most_evidence
from training.fit.fit_model import Fit
from training.fit.out_of_fold_predictions import OutOfFoldPredictions

Array = NDArray[np.float64]

CURVE_BINS = 10
"""Number of points of a calibration curve, each for the same number of predictions."""
HISTOGRAM_BINS = 20
"""Number of equal bins of a histogram between the ends of the rating scale."""


def curves(fit: Fit) -> dict[str, Any]:
    """Return the numbers for a report's charts of a fitted model, which can be written as JSON.

    These are the rating scale, a calibration curve and a histogram of predictions for each kind of evidence, a
    histogram of the ratings, and the importance of features.
    """
    rated = {
        member.name.lower(): (member, fit.predictions[member, MovieEvidence.RATED])
        for member in MemberEvidence
        if (member, MovieEvidence.RATED) in fit.predictions
    }
    scale, most = fit.table.data.schema.scale, fit.predictions[most_evidence(fit), MovieEvidence.RATED]
    return {
        "scale": {"low": scale.low, "high": scale.high, "enjoyed_from": scale.enjoyed_from},
        "calibration_curves": {
            name: _calibration_curve(fit, member, predictions) for name, (member, predictions) in rated.items()
        },
        "predictions": {name: _histogram(fit, predictions.rating) for name, (_, predictions) in rated.items()}
        | {"ratings": _histogram(fit, most.rows.rating)},
        "importance": importance(fit),
    }


def calibration_points(enjoyed: NDArray[np.bool_], probability: Array) -> list[dict[str, float]]:
    """Return the points of a calibration curve: predicted probability against observed share of movies enjoyed.

    `enjoyed` (N,) is whether each movie was enjoyed, and `probability` (N,) the predicted probability of that. A point
    has the mean predicted probability and the observed share in one of CURVE_BINS bins of equal count.
    """
    order = np.argsort(probability, kind="stable")
    return [
        {
            "predicted": float(probability[part].mean()),
            "observed": float(enjoyed[part].mean()),
            "targets": float(len(part)),
        }
        for part in np.array_split(order, min(CURVE_BINS, len(order)))
    ]


def importance(fit: Fit) -> dict[str, float]:
    """Return how much each input of the trees contributes, as a share of their total gain, in descending order.

    Keys are readable names. Features that the trees don't use are left out. The result is empty without trees.
    """
    booster = fit.core.trees.booster
    if booster is None:
        return {}
    gain = np.asarray(booster.feature_importance("gain"), dtype=np.float64)
    total = float(gain.sum()) or 1.0
    names = feature_titles(fit.table.data.schema, fit.core.pairs.grouped)
    shares = {name: float(value) / total for name, value in zip(names, gain, strict=True) if value > 0}
    return dict(sorted(shares.items(), key=lambda share: (-share[1], share[0])))


def feature_titles(schema: Schema, grouped: tuple[int, ...]) -> list[str]:
    """Return readable names of the F inputs of the trees, with the names of genres and attributes in the data."""
    genres, attributes = schema.genres, [attribute.name for attribute in schema.movie_attributes]
    titles = []
    for name in pair_names([schema.member_attributes[place].name for place in grouped], genres, attributes):
        kind, column = name.split(":", 1)
        if kind == "movie" and column.startswith("genre_"):
            column = f"genre {genres[int(column.removeprefix('genre_'))]}"
        elif kind == "movie" and column.startswith("attribute_"):
            column = attributes[int(column.removeprefix("attribute_"))]
        titles.append(f"{kind}: {column.replace('_', ' ')}")
    return titles


def _calibration_curve(fit: Fit, member: MemberEvidence, predictions: OutOfFoldPredictions) -> list[dict[str, float]]:
    probability = intervals_and_probabilities(fit, predictions, member)[2]
    return calibration_points(predictions.rows.rating >= fit.table.data.schema.scale.enjoyed_from, probability)


def _histogram(fit: Fit, values: Array) -> list[float]:
    """Return the share of the values in each of HISTOGRAM_BINS equal bins between the ends of the rating scale."""
    scale = fit.table.data.schema.scale
    edges = np.linspace(scale.low, scale.low + scale.span, HISTOGRAM_BINS + 1)
    counts, _ = np.histogram(np.clip(values, scale.low, scale.high), edges)
    return [float(count) / max(len(values), 1) for count in counts]
