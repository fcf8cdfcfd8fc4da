"""Evaluates a fitted model on raters it was not fitted on, shown as if they never rated, beside simpler predictions."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.facts.evidence import MemberEvidence, MovieEvidence
from training.data.passes.passes import Passes
from training.data.passes.side_by_side import side_by_side
from training.evaluation.baselines import GroupMeans, group_means, lightgbm_alone_mse, mean_baselines
from training.evaluation.curves import curves
from training.evaluation.interval_scores import (
    interval_scores,
    intervals_and_probabilities,
    most_evidence,
    predicted_ratings,
)
from training.evaluation.learning_curve import learning_curve, rating_curve
from training.evaluation.never_rater_differences import never_rater_differences
from training.evaluation.scores import (
    area_under_curve,
    calibration_error,
    coverage,
    fixed_interval,
    gain_interval,
    gain_percent,
    mean_absolute_error,
    mean_width,
    rank_correlation,
    ranking_gain,
    rmse,
    weighted_rmse,
)
from training.evaluation.slices import by_group, by_popularity
from training.fit.fit_model import Fit
from training.fit.out_of_fold_predictions import OutOfFoldPredictions

Array = NDArray[np.float64]


def evaluate(passes: Passes, fit: Fit, seed: int, report: Callable[[str], None]) -> dict[str, Any]:
    """Return all scores of a fitted model and the numbers for its report's charts, which can be written as JSON.

    docs/training.md describes the method. `seed` is used for the baselines and the bootstraps, and `report` is called
    with the name of each step.
    """
    report("LightGBM alone, to compare with")
    alone = lightgbm_alone_mse(fit, seed)
    report("scores")
    both, plays = MemberEvidence.ATTRIBUTES_AND_PLAYS, MemberEvidence.PLAYS
    grouped = group_means(passes, fit)
    rated = {
        member: predictions
        for (member, movie), predictions in (fit.predictions | fit.with_ratings).items()
        if movie is MovieEvidence.RATED
    }
    scores = side_by_side(
        lambda member: _scores(fit, rated[member], member, grouped, alone.get(member), seed), sorted(rated)
    )
    parts: dict[str, Callable[[], Any]] = {
        "learning_curve": partial(learning_curve, fit, both, seed),
        "learning_curve_plays_only": partial(learning_curve, fit, plays, seed),
        "rating_curve": partial(rating_curve, fit, both, seed),
        "rating_curve_plays_only": partial(rating_curve, fit, plays, seed),
        "popularity": partial(_popularity, fit),
        "groups": partial(_groups, fit),
        "never_raters": partial(never_rater_differences, fit.table.data, fit.core.prior.columns, seed),
        "reweighted": partial(_reweighted, fit),
        "uncertainty": partial(interval_scores, fit),
        "unrated_movies": partial(_unrated_movies, fit),
        "curves": partial(curves, fit),
    }
    done = dict(zip(parts, side_by_side(lambda part: part(), list(parts.values())), strict=True))
    return {
        "evidence": {member.name.lower(): own for member, own in zip(sorted(rated), scores, strict=True)},
        "grouped_by": [] if grouped is None else list(grouped.attributes),
        **done.pop("curves"),
        **done,
    }


def _scores(
    fit: Fit,
    predictions: OutOfFoldPredictions,
    member: MemberEvidence,
    grouped: GroupMeans | None,
    alone: float | None,
    seed: int,
) -> dict[str, float]:
    """Return the scores of predictions for one kind of evidence (such as plays known), beside those of simpler ones.

    `alone` is the mean squared error of LightGBM alone, if there is any for this kind.
    """
    scale, view = fit.table.data.schema.scale, predictions.rows.view
    predicted, probability = predicted_ratings(fit, fit.table, predictions, member)
    truth, rating, movie_mean = predicted.truth, predicted.rating, predicted.movie_mean
    mean = _cut(mean_baselines(fit.table, predictions.rows)[0], fit)
    enjoyed = truth >= scale.enjoyed_from
    ends = fixed_interval(movie_mean, truth, scale.low, scale.high)
    scores = predicted.scores() | {
        "mean_rmse": rmse(mean, truth),
        "prior_rmse": rmse(_cut(predictions.prior, fit), truth),
        "mae": mean_absolute_error(rating, truth),
        "movie_mean_mae": mean_absolute_error(movie_mean, truth),
        "rank_correlation": rank_correlation(view, rating, truth),
        "movie_mean_rank_correlation": rank_correlation(view, movie_mean, truth),
        "ranking_gain": ranking_gain(view, rating, truth, scale.low),
        "movie_mean_ranking_gain": ranking_gain(view, movie_mean, truth, scale.low),
        "movie_mean_coverage": coverage(*ends, truth),
        "movie_mean_width": mean_width(*ends, predicted.steps),
        "enjoyed_auc": area_under_curve(enjoyed, probability),
        "movie_mean_enjoyed_auc": area_under_curve(enjoyed, movie_mean),
        "enjoyed_calibration_error": calibration_error(enjoyed, probability),
    }
    low, high = gain_interval(
        fit.table.views.member[view], rating, movie_mean, truth, np.random.default_rng([seed, 9])
    )  # fmt: skip
    scores |= {"gain_percent_low": low, "gain_percent_high": high}
    scores["gain_percent"] = gain_percent(scores["rmse"], scores["movie_mean_rmse"])
    if alone is not None:
        scores["lightgbm_alone_rmse"] = float(np.sqrt(alone))
    if grouped is not None and member.has_attributes:
        scores["group_mean_rmse"] = rmse(_cut(grouped.predict(fit.table, predictions.rows), fit), truth)
    return scores


def _reweighted(fit: Fit) -> dict[str, Any]:
    """Return scores with raters weighted by their similarity to never-raters; empty if the fit used no such weights."""
    if fit.reweighting is None:
        return {}
    by_evidence = {}
    for (member, movie), predictions in fit.predictions.items():
        if movie is MovieEvidence.RATED:
            weight = fit.reweighting.weight[fit.table.views.member[predictions.rows.view]]
            lower, upper, _ = intervals_and_probabilities(fit, predictions, member)
            truth = predictions.rows.rating
            error = {"movie_mean_rmse": mean_baselines(fit.table, predictions.rows)[1], "rmse": predictions.rating}
            by_evidence[member.name.lower()] = {
                "targets": float(len(truth)),
                **{name: weighted_rmse(_cut(rating, fit), truth, weight) for name, rating in error.items()},
                "coverage": float(np.average((truth >= lower) & (truth <= upper), weights=weight)),
            }
    return {
        "raters": float(fit.reweighting.raters),
        "never_raters": float(fit.reweighting.never_raters),
        "effective_raters": fit.reweighting.effective,
        "evidence": by_evidence,
    }


def _popularity(fit: Fit) -> list[dict[str, float]]:
    member = most_evidence(fit)
    predictions = fit.predictions[member, MovieEvidence.RATED]
    counts = fit.folded.statistics.whole.ratings
    return by_popularity(counts[predictions.rows.movie], predicted_ratings(fit, fit.table, predictions, member)[0])


def _groups(fit: Fit) -> dict[str, dict[str, dict[str, float]]]:
    evidence, data = most_evidence(fit), fit.table.data
    predictions = fit.predictions[evidence, MovieEvidence.RATED]
    member = fit.table.views.member[predictions.rows.view]
    predicted, _ = predicted_ratings(fit, fit.table, predictions, evidence)
    return {
        attribute.name: by_group(attribute, data.attributes[member, place], member, predicted)
        for place, attribute in enumerate(data.schema.member_attributes)
    }


def _cut(values: Array, fit: Fit) -> Array:
    scale = fit.table.data.schema.scale
    return np.clip(values, scale.low, scale.high)


def _unrated_movies(fit: Fit) -> dict[str, dict[str, float]]:
    """Return the scores of predictions of movies that are only described, or unknown, by kind of evidence."""
    return {
        f"{member.name.lower()}, movie {movie.name.lower()}": _movie_scores(fit, predictions)
        for (member, movie), predictions in fit.predictions.items()
        if movie is not MovieEvidence.RATED and len(predictions.rows)
    }


def _movie_scores(fit: Fit, predictions: OutOfFoldPredictions) -> dict[str, float]:
    truth = predictions.rows.rating
    mean, _ = mean_baselines(fit.table, predictions.rows)
    return {
        "targets": float(len(truth)),
        "mean_rmse": rmse(mean, truth),
        "rmse": rmse(_cut(predictions.rating, fit), truth),
    }
