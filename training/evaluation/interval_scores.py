"""How good the 90 % intervals are, by number of known plays or ratings, by extrapolation, and on common ratings."""

from collections.abc import Iterator
from functools import partial, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.facts.evidence import MemberEvidence, MovieEvidence
from model.prediction.calibration import FAR, PLAY_BINS
from training.evaluation.baselines import mean_baselines
from training.evaluation.scores import area_under_curve, calibration_error, coverage, mean_width, rmse
from training.evaluation.slices import PredictedRatings
from training.fit.calibration.held_out import predict_intervals
from training.fit.fit_model import Fit
from training.fit.out_of_fold_predictions import OutOfFoldPredictions
from training.fit.trees.pair_rows import PairTable

Array = NDArray[np.float64]

EXTRAPOLATION_BINS = (0.0, 0.5, 0.75, 0.9, *FAR)
"""Lower bounds of the bins by extrapolation (share of raters less unusual than the member)."""
FEWEST_ROWS = 50
"""Minimum number of ratings to give scores for a bin."""
RATED = MovieEvidence.RATED


def intervals_and_probabilities(
    fit: Fit, predictions: OutOfFoldPredictions, member: MemberEvidence
) -> tuple[Array, Array, Array]:
    """Return the ends of the intervals of N predictions, and the probabilities that the movies are enjoyed.

    There are three arrays (N,): lower ends, upper ends and probabilities. A movie is enjoyed if its rating is at least
    `enjoyed_from`. As in a served model, the calibration depends on each row's number of plays and extrapolation.
    """
    scale, movie = fit.table.data.schema.scale, predictions.rows.movie_evidence
    rating = np.clip(predictions.rating, scale.low, scale.high)
    return predict_intervals(
        fit.core.calibration, member, rating, predictions.deviation, movie, predictions.plays,
        predictions.extrapolation, scale,
    )  # fmt: skip


def predicted_ratings(
    fit: Fit, table: PairTable, predictions: OutOfFoldPredictions, member: MemberEvidence
) -> tuple[PredictedRatings, Array]:
    """Return N predictions with intervals beside the true ratings, and the (N,) probabilities of enjoyment.

    Predictions are clipped to the scale.
    """
    scale = fit.table.data.schema.scale
    lower, upper, probability = intervals_and_probabilities(fit, predictions, member)
    movie_mean = mean_baselines(table, predictions.rows)[1]
    rating, movie_mean = (np.clip(values, scale.low, scale.high) for values in (predictions.rating, movie_mean))
    return PredictedRatings(predictions.rows.rating, rating, movie_mean, lower, upper, fit.steps), probability


def most_evidence(fit: Fit) -> MemberEvidence:
    """Return the kind of evidence in which most is known of the member, among those with rated movies predicted."""
    return max(member for member, movie in fit.predictions if movie is RATED)


def interval_scores(fit: Fit) -> dict[str, Any]:
    """Return coverage, width and error of intervals by number of plays, by extrapolation, and on common ratings.

    By number of ratings, there are also the scores of the probabilities that movies are enjoyed. Common ratings are
    those that are predicted from several kinds of evidence, or from both few and all plays.
    """
    return {
        "by_plays": {name: _by_plays(fit, member) for name, member in _with_plays(fit)},
        "by_ratings": {member.name.lower(): _by_ratings(fit, member) for member in fit.updates.weights},
        "by_extrapolation": {name: _by_extrapolation(fit, member) for name, member in _with_distance(fit)},
        "same_ratings": _same_ratings(fit),
    }


def _by_plays(fit: Fit, member: MemberEvidence) -> dict[str, dict[str, float]]:
    """Return coverage, width and error of intervals by the number of plays that are known.

    Predictions are from half of each member's plays. Bins with too few of them use predictions from only a few plays.
    """
    halves, short, bins = fit.predictions[member, RATED], fit.short.get(member), {}
    for low, high in zip(PLAY_BINS, (*PLAY_BINS[1:], np.inf), strict=True):
        for predictions in (halves, *([] if short is None else [short])):
            chosen = (predictions.plays >= low) & (predictions.plays < high)
            if chosen.sum() >= FEWEST_ROWS:
                bins[f"{low} or more"] = _scores(fit, predictions.take(chosen), member)
                break
    return bins


def _by_ratings(fit: Fit, member: MemberEvidence) -> dict[str, dict[str, float]]:
    """Return coverage, width and error of intervals, and scores of probabilities, by the number of ratings shown."""
    predictions, bins = fit.with_ratings[member, RATED], {}
    for low, high in zip(PLAY_BINS, (*PLAY_BINS[1:], np.inf), strict=True):
        chosen = (predictions.plays >= low) & (predictions.plays < high)
        if chosen.sum() >= FEWEST_ROWS:
            some = predictions.take(chosen)
            probability = intervals_and_probabilities(fit, some, member)[2]
            enjoyed = some.rows.rating >= fit.table.data.schema.scale.enjoyed_from
            bins[f"{low} or more"] = _scores(fit, some, member) | {
                "enjoyed_auc": area_under_curve(enjoyed, probability),
                "enjoyed_calibration_error": calibration_error(enjoyed, probability),
            }
    return bins


def _by_extrapolation(fit: Fit, member: MemberEvidence) -> dict[str, dict[str, float]]:
    predictions, bins = fit.predictions[member, RATED], {}
    for low, high in zip(EXTRAPOLATION_BINS, (*EXTRAPOLATION_BINS[1:], np.inf), strict=True):
        chosen = (predictions.extrapolation >= low) & (predictions.extrapolation < high)
        if chosen.sum() >= FEWEST_ROWS:
            bins[f"{low:g} or more"] = _scores(fit, predictions.take(chosen), member)
    return bins


def _same_ratings(fit: Fit) -> dict[str, dict[str, float]]:
    """Return coverage, width and error on the same ratings with more or less known of the member.

    They are ratings predicted from every kind of evidence, or from both few and all plays.
    """
    movies = len(fit.table.data.movie_ids)

    def keys(predictions: OutOfFoldPredictions, first_view: bool = False) -> NDArray[np.int64]:
        view = predictions.rows.view // 3 * 3 if first_view else predictions.rows.view
        return view * movies + predictions.rows.movie

    kinds = [member for member in MemberEvidence if (member, RATED) in fit.predictions]
    by_kind = {member: fit.predictions[member, RATED] for member in kinds}
    of_kinds = (keys(predictions) for predictions in by_kind.values())
    shared = reduce(partial(np.intersect1d, assume_unique=True), of_kinds)
    scores = {}
    for member, predictions in by_kind.items():
        chosen = np.isin(keys(predictions), shared, assume_unique=True)
        if chosen.sum() >= FEWEST_ROWS:
            scores[member.name.lower()] = _scores(fit, predictions.take(chosen), member)
    for name, member in _with_plays(fit):
        if member not in fit.short:
            continue
        short, halves = fit.short[member], fit.predictions[member, RATED]
        at = keys(halves)
        for low, high in zip(PLAY_BINS, (*PLAY_BINS[1:], np.inf), strict=True):
            few = short.take((short.plays >= low) & (short.plays < high))
            if len(few.rows) >= FEWEST_ROWS:
                most = halves.take(np.isin(at, keys(few, first_view=True), assume_unique=True))
                range_ = f"{low} to {high - 1:.0f}" if np.isfinite(high) else f"{low} or more"
                from_all = _scores(fit, most, member)
                scores[f"{name}, {range_} plays"] = _scores(fit, few, member) | {
                    f"all_{key}": value for key, value in from_all.items() if key != "targets"
                }
    return scores


def _scores(fit: Fit, predictions: OutOfFoldPredictions, member: MemberEvidence) -> dict[str, float]:
    scale, truth = fit.table.data.schema.scale, predictions.rows.rating
    lower, upper, _ = intervals_and_probabilities(fit, predictions, member)
    return {
        "targets": float(len(truth)),
        "rmse": rmse(np.clip(predictions.rating, scale.low, scale.high), truth),
        "coverage": coverage(lower, upper, truth),
        "mean_width": mean_width(lower, upper, fit.steps),
    }


def _with_plays(fit: Fit) -> Iterator[tuple[str, MemberEvidence]]:
    return ((member.name.lower(), member) for member, movie in fit.predictions if movie is RATED and member.has_plays)


def _with_distance(fit: Fit) -> Iterator[tuple[str, MemberEvidence]]:
    return (
        (member.name.lower(), member)
        for member, movie in fit.predictions
        if movie is RATED and len(fit.core.calibration.tables[member].distances)
    )
