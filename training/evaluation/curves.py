"""What a report draws beyond single scores: calibration, distributions of predictions, importance of features."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.pairs import pair_names
from features.schema import Schema
from model.facts.evidence import MemberEvidence, MovieEvidence
from training.evaluation.interval_scores import read
from training.fit.fit_model import Fit
from training.fit.out_of_fold_predictions import OutOfFoldPredictions

Array = NDArray[np.float64]

CURVE_BINS = 10
"""Points of a calibration curve, of equal numbers of predictions."""
HISTOGRAM_BINS = 20
"""Bars between the ends of the rating scale."""


def curves(fit: Fit) -> dict[str, Any]:
    """`scale`, `calibration_curves` and `predictions` by kind of evidence, `importance`, as JSON can hold them."""
    rated = {
        member.name.lower(): (member, fit.predictions[member, MovieEvidence.RATED])
        for member in MemberEvidence
        if (member, MovieEvidence.RATED) in fit.predictions
    }
    scale = fit.table.data.schema.scale
    return {
        "scale": {"low": scale.low, "high": scale.high, "enjoyed_from": scale.enjoyed_from},
        "calibration_curves": {name: _calibration_curve(fit, *one) for name, one in rated.items()},
        "predictions": {name: _histogram(fit, judged.rating) for name, (_, judged) in rated.items()}
        | {"ratings": _histogram(fit, max(rated.values(), key=lambda one: one[0])[1].rows.rating)},
        "importance": importance(fit),
    }


def calibration_points(enjoyed: NDArray[np.bool_], probability: Array) -> list[dict[str, float]]:
    """Mean predicted probability and observed share in bins of equal count."""
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
    """Share of the forest's gain, by feature in the words of the data, the largest first; empty without a forest."""
    booster = fit.core.trees.booster
    if booster is None:
        return {}
    gain = np.asarray(booster.feature_importance("gain"), dtype=np.float64)
    total = float(gain.sum()) or 1.0
    names = feature_titles(fit.table.data.schema, fit.core.pairs.grouped)
    shares = {name: float(value) / total for name, value in zip(names, gain, strict=True) if value > 0}
    return dict(sorted(shares.items(), key=lambda one: (-one[1], one[0])))


def feature_titles(schema: Schema, grouped: tuple[int, ...]) -> list[str]:
    """(F,) names of the trees' features as people read them: genres and attributes by their own names."""
    genres, attributes = schema.genres, [one.name for one in schema.movie_attributes]
    titles = []
    for name in pair_names([schema.member_attributes[place].name for place in grouped], genres, attributes):
        kind, column = name.split(":", 1)
        if kind == "movie" and column.startswith("genre_"):
            column = f"genre {genres[int(column.removeprefix('genre_'))]}"
        elif kind == "movie" and column.startswith("attribute_"):
            column = attributes[int(column.removeprefix("attribute_"))]
        titles.append(f"{kind}: {column.replace('_', ' ')}")
    return titles


def _calibration_curve(fit: Fit, member: MemberEvidence, judged: OutOfFoldPredictions) -> list[dict[str, float]]:
    probability = read(fit, judged, member)[2]
    return calibration_points(judged.rows.rating >= fit.table.data.schema.scale.enjoyed_from, probability)


def _histogram(fit: Fit, values: Array) -> list[float]:
    """Share of the values in each of the bins between the ends of the scale."""
    scale = fit.table.data.schema.scale
    edges = np.linspace(scale.low, scale.low + scale.span, HISTOGRAM_BINS + 1)
    counts, _ = np.histogram(np.clip(values, scale.low, scale.high), edges)
    return [float(count) / max(len(values), 1) for count in counts]
