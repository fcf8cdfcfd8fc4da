"""How well a fit predicts held-out raters as if they never rated, beside simpler predictions of the same ratings."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.columns import RATING
from features.movies import MOVIE
from model.evidence import MemberEvidence, MovieEvidence
from training.baseline import trees_alone
from training.curves import curves
from training.difference import difference
from training.fitting import Fit, Judged
from training.scores import (
    area_under_curve,
    calibration_error,
    coverage,
    mean_absolute_error,
    mean_width,
    rank_correlation,
    rmse,
    weighted_rmse,
)
from training.slices import by_group, by_popularity, gain_interval
from training.uncertainty import read, uncertainty

Array = NDArray[np.float64]

PLAY_BINS = (1, 3, 10, 30, 100, 300)
"""Numbers of visible plays at which the learning curve is cut."""
FEWEST_ROWS = 50
"""A point of the learning curve needs so many targets."""


def evaluate(fit: Fit, seed: int, report: Callable[[str], None]) -> dict[str, Any]:
    """Scores for each kind of evidence, as JSON can hold them; see `report.md` for what they mean."""
    report("LightGBM alone, to compare with")
    alone = trees_alone(fit, seed)
    by_evidence = {}
    for member in MemberEvidence:
        if (member, MovieEvidence.RATED) in fit.judged:
            judged = fit.judged[member, MovieEvidence.RATED]
            by_evidence[member.name.lower()] = _scores(fit, judged, member, alone.get(member), seed)
    described = {
        f"{member.name.lower()}, movie {movie.name.lower()}": _movie_scores(fit, judged)
        for (member, movie), judged in fit.judged.items()
        if movie is not MovieEvidence.RATED and len(judged.rows)
    }
    return {
        "evidence": by_evidence,
        "learning_curve": _learning_curve(fit),
        "popularity": _popularity(fit),
        "groups": _groups(fit),
        "never_raters": difference(fit.table.data, fit.core.prior.columns, seed),
        "reweighted": _reweighted(fit),
        "uncertainty": uncertainty(fit),
        "unrated_movies": described,
        **curves(fit),
    }


def _scores(fit: Fit, judged: Judged, member: MemberEvidence, alone: Array | None, seed: int) -> dict[str, float]:
    scale, rows = fit.table.data.schema.scale, judged.rows
    truth = rows.rating
    mean, movie_mean = baselines(fit, judged)
    rating = _cut(judged.rating, fit)
    lower, upper, probability = read(fit, judged, member)
    enjoyed = truth >= scale.enjoyed_from
    steps = np.unique(fit.table.data.ratings[RATING].to_numpy())
    scores = {
        "targets": float(len(truth)),
        "mean_rmse": rmse(_cut(mean, fit), truth),
        "movie_mean_rmse": rmse(_cut(movie_mean, fit), truth),
        "prior_rmse": rmse(_cut(judged.prior, fit), truth),
        "rmse": rmse(rating, truth),
        "mae": mean_absolute_error(rating, truth),
        "rank_correlation": rank_correlation(rows.view, rating, truth),
        "movie_mean_rank_correlation": rank_correlation(rows.view, movie_mean, truth),
        "coverage": coverage(lower, upper, truth),
        "mean_width": mean_width(lower, upper, steps),
        "enjoyed_auc": area_under_curve(enjoyed, probability),
        "enjoyed_calibration_error": calibration_error(enjoyed, probability),
    }
    if alone is not None:
        scores["lightgbm_alone_rmse"] = rmse(_cut(alone, fit), truth)
    random = np.random.default_rng([seed, 9])
    low, high = gain_interval(fit.table.views.member[rows.view], rating, _cut(movie_mean, fit), truth, random)
    scores |= {"gain_percent_low": low, "gain_percent_high": high}
    scores["gain_percent"] = (
        100 * (1 - scores["rmse"] / scores["movie_mean_rmse"]) if scores["movie_mean_rmse"] else 0.0
    )
    return scores


def _reweighted(fit: Fit) -> dict[str, Any]:
    """Scores with raters counted as much as never-raters are like them; empty where that was not asked for."""
    if fit.reweighting is None:
        return {}
    by_evidence = {}
    for (member, movie), judged in fit.judged.items():
        if movie is MovieEvidence.RATED:
            weight = fit.reweighting.weight[fit.table.views.member[judged.rows.view]]
            lower, upper, _ = read(fit, judged, member)
            truth = judged.rows.rating
            error = {"movie_mean_rmse": baselines(fit, judged)[1], "rmse": judged.rating}
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


def _best(fit: Fit) -> Judged:
    """Predictions from the most evidence that there is."""
    return fit.judged[max(key for key in fit.judged if key[1] is MovieEvidence.RATED)]


def _popularity(fit: Fit) -> list[dict[str, float]]:
    judged = _best(fit)
    counts = np.bincount(fit.table.data.ratings[MOVIE].to_numpy(), minlength=len(fit.table.data.movie_ids))
    _, movie_mean = baselines(fit, judged)
    truth = judged.rows.rating
    return by_popularity(counts[judged.rows.movie], _cut(judged.rating, fit), _cut(movie_mean, fit), truth)


def _groups(fit: Fit) -> dict[str, dict[str, dict[str, float]]]:
    judged, data = _best(fit), fit.table.data
    member = fit.table.views.member[judged.rows.view]
    _, movie_mean = baselines(fit, judged)
    rating, movie_mean = _cut(judged.rating, fit), _cut(movie_mean, fit)
    return {
        attribute.name: by_group(
            attribute, data.attributes[member, place], member, rating, movie_mean, judged.rows.rating
        )
        for place, attribute in enumerate(data.schema.member_attributes)
    }


def _cut(values: Array, fit: Fit) -> Array:
    scale = fit.table.data.schema.scale
    return np.clip(values, scale.low, scale.high)


def _movie_scores(fit: Fit, judged: Judged) -> dict[str, float]:
    truth = judged.rows.rating
    mean, _ = baselines(fit, judged)
    return {
        "targets": float(len(truth)),
        "mean_rmse": rmse(mean, truth),
        "rmse": rmse(_cut(judged.rating, fit), truth),
    }


def baselines(fit: Fit, judged: Judged) -> tuple[Array, Array]:
    """Mean of all ratings and shrunk mean of the movie's, each (N,) from the ratings of other folds."""
    fold = fit.table.apart.fold[judged.rows.view]
    means = np.array([fitted.prior.mean for fitted in fit.table.apart.fitted])
    quality = np.stack([fitted.table["quality"].to_numpy() for fitted in fit.table.apart.fitted])
    return means[fold], means[fold] + quality[fold, judged.rows.movie]


def _learning_curve(fit: Fit) -> list[dict[str, float]]:
    """RMSE with all attributes that the short views show, by how many plays are visible."""
    views = fit.table.views
    found = [one for one in (MemberEvidence.ATTRIBUTES_AND_PLAYS, MemberEvidence.PLAYS) if one in fit.short]
    if not found:
        return []
    judged = fit.short[found[0]]
    plays = views.play_count[judged.rows.view]
    _, movie_mean = baselines(fit, judged)
    rating = _cut(judged.rating, fit)
    curve = []
    for low, high in zip(PLAY_BINS, (*PLAY_BINS[1:], np.inf), strict=True):
        chosen = (plays >= low) & (plays < high)
        if chosen.sum() >= FEWEST_ROWS:
            truth = judged.rows.rating[chosen]
            curve.append(
                {
                    "plays_from": float(low),
                    "targets": float(chosen.sum()),
                    "movie_mean_rmse": rmse(_cut(movie_mean[chosen], fit), truth),
                    "rmse": rmse(rating[chosen], truth),
                }
            )
    return curve
