"""How intervals hold and how wide they are, by how much was known of a member and how far from raters it lies."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.columns import RATING
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.prediction.calibration import FAR, PLAY_BINS
from training.evaluation.scores import coverage, mean_width, rmse
from training.fit.calibration.held_out import predict_intervals
from training.fit.fit_model import Fit
from training.fit.out_of_fold_predictions import OutOfFoldPredictions

Array = NDArray[np.float64]

EXTRAPOLATION_BINS = (0.0, 0.5, 0.75, 0.9, *FAR)
"""Extrapolations at which the table is cut."""
FEWEST_ROWS = 50
"""A line of a table needs so many targets."""
RATED = MovieEvidence.RATED


def read(fit: Fit, judged: OutOfFoldPredictions, member: MemberEvidence) -> tuple[Array, Array, Array]:
    """Ends of intervals and probabilities to enjoy (N,), as members of those plays and extrapolations are answered."""
    scale, movie = fit.table.data.schema.scale, judged.rows.movie_evidence
    rating = np.clip(judged.rating, scale.low, scale.high)
    return predict_intervals(
        fit.core.calibration, member, rating, judged.deviation, movie, judged.plays, judged.extrapolation, scale
    )


def uncertainty(fit: Fit) -> dict[str, Any]:
    """Coverage, width and error by number of plays and by extrapolation, and widths of the same ratings."""
    return {
        "by_plays": {name: _by_plays(fit, member) for name, member in _with_plays(fit)},
        "by_extrapolation": {name: _by_extrapolation(fit, member) for name, member in _with_distance(fit)},
        "same_ratings": _same_ratings(fit),
    }


def _by_plays(fit: Fit, member: MemberEvidence) -> dict[str, dict[str, float]]:
    """From half of a member's plays; from few of them where hardly anybody has so few."""
    halves, short, found = fit.predictions[member, RATED], fit.short.get(member), {}
    for low, high in zip(PLAY_BINS, (*PLAY_BINS[1:], np.inf), strict=True):
        for judged in (halves, short):
            chosen = np.zeros(0, bool) if judged is None else (judged.plays >= low) & (judged.plays < high)
            if judged is not None and chosen.sum() >= FEWEST_ROWS:
                found[f"{low} or more"] = _line(fit, judged.take(chosen), member)
                break
    return found


def _by_extrapolation(fit: Fit, member: MemberEvidence) -> dict[str, dict[str, float]]:
    judged, found = fit.predictions[member, RATED], {}
    for low, high in zip(EXTRAPOLATION_BINS, (*EXTRAPOLATION_BINS[1:], np.inf), strict=True):
        chosen = (judged.extrapolation >= low) & (judged.extrapolation < high)
        if chosen.sum() >= FEWEST_ROWS:
            found[f"{low:g} or more"] = _line(fit, judged.take(chosen), member)
    return found


def _same_ratings(fit: Fit) -> dict[str, dict[str, float]]:
    """Of ratings that every kind of evidence predicts, and of those predicted from few plays and from all."""
    movies = len(fit.table.data.movie_ids)

    def keys(judged: OutOfFoldPredictions, first_view: bool = False) -> NDArray[np.int64]:
        view = judged.rows.view // 3 * 3 if first_view else judged.rows.view
        return view * movies + judged.rows.movie

    kinds = {member: fit.predictions[member, RATED] for member in MemberEvidence if (member, RATED) in fit.predictions}
    shared = set.intersection(*(set(keys(judged).tolist()) for judged in kinds.values()))
    both = np.array(sorted(shared), np.int64)
    found = {}
    for member, judged in kinds.items():
        chosen = np.isin(keys(judged), both)
        if chosen.sum() >= FEWEST_ROWS:
            found[member.name.lower()] = _line(fit, judged.take(chosen), member)
    for name, member in _with_plays(fit):
        if member not in fit.short:
            continue
        short, halves = fit.short[member], fit.predictions[member, RATED]
        at = keys(halves)
        for low, high in zip(PLAY_BINS, (*PLAY_BINS[1:], np.inf), strict=True):
            few = short.take((short.plays >= low) & (short.plays < high))
            if len(few.rows) >= FEWEST_ROWS:
                most = halves.take(np.isin(at, keys(few, first_view=True)))
                range_ = f"{low} to {high - 1:.0f}" if np.isfinite(high) else f"{low} or more"
                line = _line(fit, few, member)
                line |= {f"all_{key}": value for key, value in _line(fit, most, member).items() if key != "targets"}
                found[f"{name}, {range_} plays"] = line
    return found


def _line(fit: Fit, judged: OutOfFoldPredictions, member: MemberEvidence) -> dict[str, float]:
    scale, truth = fit.table.data.schema.scale, judged.rows.rating
    lower, upper, _ = read(fit, judged, member)
    steps = np.unique(fit.table.data.ratings[RATING].to_numpy())
    return {
        "targets": float(len(truth)),
        "rmse": rmse(np.clip(judged.rating, scale.low, scale.high), truth),
        "coverage": coverage(lower, upper, truth),
        "mean_width": mean_width(lower, upper, steps),
    }


def _with_plays(fit: Fit) -> Iterator[tuple[str, MemberEvidence]]:
    return ((member.name.lower(), member) for member, movie in fit.predictions if movie is RATED and member.has_plays)


def _with_distance(fit: Fit) -> Iterator[tuple[str, MemberEvidence]]:
    return (
        (member.name.lower(), member)
        for member, movie in fit.predictions
        if movie is RATED and len(fit.core.calibration.tables[member].distances)
    )
