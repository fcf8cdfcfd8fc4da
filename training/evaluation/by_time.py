"""The evaluation by time: learn from what was rated before a moment, predict never-raters' ratings after it."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import COMPLETION, PLAYED_AT, RATED_AT, RATING
from features.movies import MEMBER, MOVIE
from features.plays import AGE_DAYS, VIEW
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.facts.facts import SECONDS_PER_DAY
from training.data.dataset import Dataset, numbered
from training.data.reading.events import FEWEST_RATERS
from training.data.reading.tables import Tables
from training.data.views import Views
from training.errors import DataError, Problem
from training.evaluation.baselines import baselines
from training.evaluation.interval_scores import read
from training.evaluation.scores import coverage, gain_percent, mean_width, rmse
from training.fit.fit_model import Fit, fit_model
from training.fit.trees.pair_rows import PairTable, Rows
from training.settings import FitSettings

Array = NDArray[np.float64]

TIME = "time"
FEWEST_ROWS = 50
"""A line of the report needs so many ratings."""
MOVIES = {
    MovieEvidence.RATED: "rated before",
    MovieEvidence.DESCRIBED: "first rated after, described",
    MovieEvidence.UNKNOWN: "first rated after, unknown",
}


@dataclass(frozen=True)
class Divided:
    """A dataset on both sides of a moment."""

    before: Dataset
    """What was rated and played before, all members and movies with it; ages of plays are measured from the moment."""
    after: Views
    """One view of each member who rates after it; its ratings are later than all plays that it shows."""


@dataclass(frozen=True)
class At:
    """Where ratings are divided, as it was asked for."""

    share: float | None = None
    """The moment before which this share of the ratings was given."""
    seconds: float | None = None
    """The moment itself, in seconds since 1970 UTC."""


def evaluate_by_time(
    tables: Tables, data: Dataset, where: At, seed: int, settings: FitSettings, workers: int,
    report: Callable[[str], None],
) -> dict[str, Any]:  # fmt: skip
    """Scores for each kind of evidence after the moment, as JSON can hold them; raises DataError without times."""
    moment = moment_of(tables.ratings, where)
    random = np.random.default_rng([seed, 12])
    divided = divide(tables, data, moment, random)
    fit = fit_model(divided.before, seed, settings, workers, lambda step: report(f"by time: {step}"))
    report("by time: scores")
    table = fit.of_views(divided.after, _folds(fit, divided.after, random))
    rows = _rows(table)
    kinds = [
        one
        for one in MemberEvidence
        if one in table.out_of_fold.factors and (one, MovieEvidence.RATED) in fit.predictions
    ]
    evidence = {}
    for member in kinds:
        own = rows.take(np.isfinite(table.out_of_fold.factors[member][rows.view, 0]))
        if len(own) >= FEWEST_ROWS:
            judged = fit.predictions[member, MovieEvidence.RATED]
            before = _scores(fit, fit.table, judged.rows, member)
            evidence[member.name.lower()] = _scores(fit, table, own, member) | {
                "before_rmse": before["rmse"], "before_movie_mean_rmse": before["movie_mean_rmse"],
            }  # fmt: skip
    return {
        "moment": datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds"),
        "ratings_before": float(len(divided.before.ratings)),
        "raters_before": float(len(divided.before.raters)),
        "members_after": float(len(divided.after.member)),
        "ratings_without_time": float(tables.ratings[RATED_AT].null_count()),
        "evidence": evidence,
        "movies": _by_movie(fit, table, rows, kinds[-1]),
    }


def divide(tables: Tables, data: Dataset, moment: float, random: np.random.Generator) -> Divided:
    """What was before the moment, and what members are asked after it; rows without a time are left out.

    Of a member who rates after the moment, the plays before it are shown, and where those are less than half of all,
    the earlier half of all: a model is asked later than it was made. Plays of one second are in random order. Raises
    DataError where too few members rate on either side.
    """
    rated = numbered(tables.ratings, data.member_ids, data.movie_ids).select(MEMBER, MOVIE, RATING, RATED_AT)
    pair = [MEMBER, MOVIE]
    end = data.schema.end_of_data
    later_days = 0.0 if end is None else (end - moment) / SECONDS_PER_DAY
    plays = (
        data.plays.with_columns(
            numbered(tables.plays, data.member_ids, data.movie_ids)[PLAYED_AT],
            (pl.col(AGE_DAYS) - later_days).clip(lower_bound=0.0).alias(AGE_DAYS),
        )
        .join(rated, on=pair, how="left", maintain_order="left")
        .with_columns(pl.coalesce(PLAYED_AT, RATED_AT).alias(TIME))
        .filter(pl.col(TIME).is_not_null())
    )
    is_before = pl.col(TIME) < moment
    before = replace(
        data,
        ratings=rated.filter(pl.col(RATED_AT) < moment).select(MEMBER, MOVIE, RATING),
        plays=plays.filter(is_before).select(MEMBER, MOVIE, COMPLETION, AGE_DAYS),
    )
    order = pl.Series("order", random.permutation(len(plays)))
    rank = pl.struct(TIME, "order").rank("ordinal").over(MEMBER)
    shown = is_before | (rank <= pl.len().over(MEMBER) // 2)
    parts = plays.with_columns(order).with_columns(shown.alias("shown"))
    asked = parts.filter(~pl.col("shown") & pl.col(RATING).is_not_null() & (pl.col(RATED_AT) >= moment))
    members = asked[MEMBER].unique().sort()
    for side, count in (("before", len(before.raters)), ("after", len(members))):
        if count < FEWEST_RATERS:
            told = f"only {count} members rate {side} the moment; at least {FEWEST_RATERS} are needed"
            raise DataError([Problem("ratings", told)])
    return Divided(before, _views(data, members.to_numpy().astype(np.int64), parts, asked))


def _views(data: Dataset, members: NDArray[np.int64], parts: pl.DataFrame, asked: pl.DataFrame) -> Views:
    place = np.full(len(data.member_ids), -1)
    place[members] = np.arange(len(members))

    def numbered_by_view(rows: pl.DataFrame, *columns: str) -> pl.DataFrame:
        view = pl.Series(VIEW, place[rows[MEMBER].to_numpy()])
        return rows.with_columns(view).filter(pl.col(VIEW) >= 0).select(VIEW, MOVIE, *columns).sort(VIEW, MOVIE)

    visible = numbered_by_view(parts.filter("shown"), COMPLETION, AGE_DAYS)
    return Views(
        members, np.zeros_like(members), data.attributes[members], visible, numbered_by_view(asked, RATING),
        np.bincount(visible[VIEW].to_numpy(), minlength=len(members)),
    )  # fmt: skip


def _folds(fit: Fit, after: Views, random: np.random.Generator) -> NDArray[np.int64]:
    """(V,) the fold whose prior never saw the member; any one for those who had not rated."""
    folds = len(fit.table.out_of_fold.fitted)
    fold_of = np.full(len(fit.table.data.member_ids), -1)
    fold_of[fit.table.views.member] = fit.table.out_of_fold.fold
    fold = fold_of[after.member]
    return np.where(fold >= 0, fold, random.integers(0, folds, len(fold)))


def _rows(table: PairTable) -> Rows:
    """All ratings that are asked, with what is known of their movies; what is known of members is left open."""
    data, targets = table.data, table.views.targets
    rated = np.bincount(data.ratings[MOVIE].to_numpy(), minlength=len(data.movie_ids)) > 0
    told = np.isfinite(data.release_year) | np.isfinite(data.genres).any(axis=1)
    told |= np.isfinite(data.movie_attributes).any(axis=1)
    kind = np.where(rated, MovieEvidence.RATED, np.where(told, MovieEvidence.DESCRIBED, MovieEvidence.UNKNOWN))
    movie = targets[MOVIE].to_numpy().astype(np.int64)
    return Rows(
        targets[VIEW].to_numpy().astype(np.int64),
        movie,
        targets[RATING].to_numpy(),
        np.full(len(targets), int(MemberEvidence.NOTHING)),
        kind[movie].astype(np.int64),
    )


def _scores(fit: Fit, table: PairTable, rows: Rows, member: MemberEvidence) -> dict[str, float]:
    judged = fit.predict(table, replace(rows, evidence=np.full(len(rows), int(member))))
    lower, upper, _ = read(fit, judged, member)
    mean, movie_mean = baselines(table, rows)
    low, high = table.data.schema.scale.low, table.data.schema.scale.high
    rating, movie_mean = np.clip(judged.rating, low, high), np.clip(movie_mean, low, high)
    error, simple = rmse(rating, rows.rating), rmse(movie_mean, rows.rating)
    return {
        "targets": float(len(rows)),
        "mean_rmse": rmse(mean, rows.rating),
        "movie_mean_rmse": simple,
        "rmse": error,
        "gain_percent": gain_percent(error, simple),
        "bias": float(np.mean(rating - rows.rating)),
        "coverage": coverage(lower, upper, rows.rating),
        "mean_width": mean_width(lower, upper, np.unique(table.data.ratings[RATING].to_numpy())),
    }


def _by_movie(fit: Fit, table: PairTable, rows: Rows, member: MemberEvidence) -> dict[str, dict[str, float]]:
    """Scores from the most evidence by what is known of the movie at the moment."""
    known = rows.take(np.isfinite(table.out_of_fold.factors[member][rows.view, 0]))
    found = {}
    for kind, name in MOVIES.items():
        own = known.take(known.movie_evidence == kind)
        if len(own) >= FEWEST_ROWS:
            found[name] = _scores(fit, table, own, member)
    return found


def at(text: str) -> At:
    """The type of an option: a share between 0 and 1, an ISO 8601 time, or seconds since 1970 UTC."""
    try:
        number = float(text)
    except ValueError:
        try:
            time = datetime.fromisoformat(text)
        except ValueError as error:
            told = "must be a share between 0 and 1, a time such as 2024-03-01, or seconds since 1970"
            raise argparse.ArgumentTypeError(told) from error
        return At(seconds=(time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
    if 0 < number < 1:
        return At(share=number)
    if number <= 1 or not np.isfinite(number):
        raise argparse.ArgumentTypeError("must be a share above 0 and below 1, or a time")
    return At(seconds=number)


def moment_of(ratings: pl.DataFrame, where: At) -> float:
    """The moment in seconds since 1970 UTC; raises DataError unless ratings lie on both sides of it."""
    times = ratings[RATED_AT].drop_nulls().sort().to_numpy()
    if not len(times):
        raise DataError([Problem("ratings", "no rating tells when it was given: there is nothing to divide by time")])
    by_share = float(times[int(len(times) * (where.share or 0.0))])
    moment = by_share if where.seconds is None else where.seconds
    if not times[0] < moment <= times[-1]:
        first, last = (datetime.fromtimestamp(time, UTC).date().isoformat() for time in (times[0], times[-1]))
        raise DataError([Problem("--at", f"ratings were given from {first} to {last}: name a moment between them")])
    return moment
