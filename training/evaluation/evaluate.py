"""How well a fit predicts held-out raters as if they never rated, beside simpler predictions of the same ratings."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.columns import RATING
from features.movies import MOVIE
from model.facts.evidence import MemberEvidence, MovieEvidence
from training.evaluation.baselines import GroupMeans, baselines, group_means, trees_alone
from training.evaluation.curves import curves
from training.evaluation.interval_scores import read, uncertainty
from training.evaluation.learning_curve import learning_curve
from training.evaluation.never_rater_differences import difference
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
from training.evaluation.slices import Told, by_group, by_popularity
from training.fit.fit_model import Fit
from training.fit.out_of_fold_predictions import OutOfFoldPredictions

Array = NDArray[np.float64]


def evaluate(fit: Fit, seed: int, report: Callable[[str], None]) -> dict[str, Any]:
    """Scores for each kind of evidence, as JSON can hold them; see `report.md` for what they mean."""
    report("LightGBM alone, to compare with")
    alone = trees_alone(fit, seed)
    report("scores")
    grouped = group_means(fit.table)
    by_evidence = {}
    for member in MemberEvidence:
        if (member, MovieEvidence.RATED) in fit.predictions:
            judged = fit.predictions[member, MovieEvidence.RATED]
            simpler = {"lightgbm_alone": alone[member]} if member in alone else {}
            if grouped is not None and member.has_attributes:
                simpler["group_mean"] = grouped.predict(fit.table, judged.rows)
            by_evidence[member.name.lower()] = _scores(fit, judged, member, simpler, seed)
    described = {
        f"{member.name.lower()}, movie {movie.name.lower()}": _movie_scores(fit, judged)
        for (member, movie), judged in fit.predictions.items()
        if movie is not MovieEvidence.RATED and len(judged.rows)
    }
    report("learning curve")
    return {
        "evidence": by_evidence,
        "grouped_by": _grouped_by(grouped),
        "learning_curve": learning_curve(fit, MemberEvidence.ATTRIBUTES_AND_PLAYS, seed),
        "learning_curve_plays_only": learning_curve(fit, MemberEvidence.PLAYS, seed),
        "popularity": _popularity(fit),
        "groups": _groups(fit),
        "never_raters": difference(fit.table.data, fit.core.prior.columns, seed),
        "reweighted": _reweighted(fit),
        "uncertainty": uncertainty(fit),
        "unrated_movies": described,
        **curves(fit),
    }


def _scores(
    fit: Fit, judged: OutOfFoldPredictions, member: MemberEvidence, simpler: dict[str, Array], seed: int
) -> dict[str, float]:
    """Scores of one kind of evidence; `simpler` are other (N,) predictions of the same ratings, by name."""
    scale, view = fit.table.data.schema.scale, judged.rows.view
    (told, probability), mean = _told(fit, judged, member), _cut(baselines(fit.table, judged.rows)[0], fit)
    truth, rating, movie_mean = told.truth, told.rating, told.movie_mean
    enjoyed = truth >= scale.enjoyed_from
    ends = fixed_interval(movie_mean, truth, scale.low, scale.high)
    scores = {
        "targets": float(len(truth)),
        "mean_rmse": rmse(mean, truth),
        "movie_mean_rmse": rmse(movie_mean, truth),
        "prior_rmse": rmse(_cut(judged.prior, fit), truth),
        "rmse": rmse(rating, truth),
        "mae": mean_absolute_error(rating, truth),
        "movie_mean_mae": mean_absolute_error(movie_mean, truth),
        "rank_correlation": rank_correlation(view, rating, truth),
        "movie_mean_rank_correlation": rank_correlation(view, movie_mean, truth),
        "ranking_gain": ranking_gain(view, rating, truth, scale.low),
        "movie_mean_ranking_gain": ranking_gain(view, movie_mean, truth, scale.low),
        "coverage": coverage(told.lower, told.upper, truth),
        "mean_width": mean_width(told.lower, told.upper, told.steps),
        "movie_mean_coverage": coverage(*ends, truth),
        "movie_mean_width": mean_width(*ends, told.steps),
        "enjoyed_auc": area_under_curve(enjoyed, probability),
        "movie_mean_enjoyed_auc": area_under_curve(enjoyed, movie_mean),
        "enjoyed_calibration_error": calibration_error(enjoyed, probability),
    }
    scores |= {f"{name}_rmse": rmse(_cut(values, fit), truth) for name, values in simpler.items()}
    low, high = gain_interval(
        fit.table.views.member[view], rating, movie_mean, truth, np.random.default_rng([seed, 9])
    )  # fmt: skip
    scores |= {"gain_percent_low": low, "gain_percent_high": high}
    scores["gain_percent"] = gain_percent(scores["rmse"], scores["movie_mean_rmse"])
    return scores


def _reweighted(fit: Fit) -> dict[str, Any]:
    """Scores with raters counted as much as never-raters are like them; empty where that was not asked for."""
    if fit.reweighting is None:
        return {}
    by_evidence = {}
    for (member, movie), judged in fit.predictions.items():
        if movie is MovieEvidence.RATED:
            weight = fit.reweighting.weight[fit.table.views.member[judged.rows.view]]
            lower, upper, _ = read(fit, judged, member)
            truth = judged.rows.rating
            error = {"movie_mean_rmse": baselines(fit.table, judged.rows)[1], "rmse": judged.rating}
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


def _told(fit: Fit, judged: OutOfFoldPredictions, member: MemberEvidence) -> tuple[Told, Array]:
    """The predictions beside the truth, and their probabilities to enjoy (N,)."""
    lower, upper, probability = read(fit, judged, member)
    movie_mean = _cut(baselines(fit.table, judged.rows)[1], fit)
    steps = np.unique(fit.table.data.ratings[RATING].to_numpy())
    return Told(judged.rows.rating, _cut(judged.rating, fit), movie_mean, lower, upper, steps), probability


def _best(fit: Fit) -> tuple[MemberEvidence, OutOfFoldPredictions]:
    """Predictions from the most evidence that there is."""
    key = max(key for key in fit.predictions if key[1] is MovieEvidence.RATED)
    return key[0], fit.predictions[key]


def _popularity(fit: Fit) -> list[dict[str, float]]:
    member, judged = _best(fit)
    counts = np.bincount(fit.table.data.ratings[MOVIE].to_numpy(), minlength=len(fit.table.data.movie_ids))
    return by_popularity(counts[judged.rows.movie], _told(fit, judged, member)[0])


def _groups(fit: Fit) -> dict[str, dict[str, dict[str, float]]]:
    (evidence, judged), data = _best(fit), fit.table.data
    member = fit.table.views.member[judged.rows.view]
    told, _ = _told(fit, judged, evidence)
    return {
        attribute.name: by_group(attribute, data.attributes[member, place], member, told)
        for place, attribute in enumerate(data.schema.member_attributes)
    }


def _grouped_by(grouped: GroupMeans | None) -> list[str]:
    """Names of the attributes whose groups the group means are of."""
    return [] if grouped is None else list(grouped.attributes)


def _cut(values: Array, fit: Fit) -> Array:
    scale = fit.table.data.schema.scale
    return np.clip(values, scale.low, scale.high)


def _movie_scores(fit: Fit, judged: OutOfFoldPredictions) -> dict[str, float]:
    truth = judged.rows.rating
    mean, _ = baselines(fit.table, judged.rows)
    return {
        "targets": float(len(truth)),
        "mean_rmse": rmse(mean, truth),
        "rmse": rmse(_cut(judged.rating, fit), truth),
    }
