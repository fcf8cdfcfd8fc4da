"""Evaluation by time: trains on the data before a time, and predicts later ratings as if their members never rated."""

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
from training.data.dataset import Dataset
from training.data.never_rater_views import Views
from training.data.passes.passes import Passes
from training.data.passes.play_table import play_table
from training.data.reading.events import FEWEST_RATERS
from training.data.reading.tables import Tables
from training.errors import DataError, Problem
from training.evaluation.baselines import mean_baselines
from training.evaluation.interval_scores import predicted_ratings
from training.evaluation.scores import gain_percent, rmse
from training.fit.fit_model import Fit, fit_model
from training.fit.trees.pair_rows import PairTable, Rows
from training.settings import FitSettings

Array = NDArray[np.float64]

TIME = "time"
FEWEST_ROWS = 50
"""Minimum number of ratings to give scores for a kind of evidence or a kind of movies."""
MOVIES = {
    MovieEvidence.RATED: "rated before",
    MovieEvidence.DESCRIBED: "first rated after, described",
    MovieEvidence.UNKNOWN: "first rated after, unknown",
}


@dataclass(frozen=True)
class TimeSplit:
    """A data set split at a time: what a model is trained on, and later ratings to predict."""

    before: Dataset
    """Ratings and plays before the split, with all members and movies. The ages of plays are counted from the split."""
    after: Views
    """One view of each member who rates after the split. The ratings to predict are later than the plays shown."""


@dataclass(frozen=True)
class SplitPoint:
    """Point in time at which to split the data; exactly one field is set."""

    share: float | None = None
    """Share of the ratings before the split, above 0 and below 1; None if the time is given."""
    seconds: float | None = None
    """Time of the split in seconds since 1970 UTC; None if the share is given."""


def evaluate_by_time(
    passes: Passes, tables: Tables, data: Dataset, where: SplitPoint, seed: int, settings: FitSettings,
    report: Callable[[str], None],
) -> dict[str, Any]:  # fmt: skip
    """Train on the data before a split in time, and return scores of predictions of the ratings after it.

    The result can be written as JSON. `where` is the split, and `report` is called with the name of each step. Raises
    DataError if there are too few ratings with times or too few members on a side of the split.
    """
    moment = split_time(tables.ratings, where)
    random = np.random.default_rng([seed, 12])
    split = split_by_time(data, moment, random)
    fit = fit_model(passes, split.before, seed, settings, lambda step: report(f"by time: {step}"))
    report("by time: scores")
    table = fit.of_views(split.after, _folds(fit, split.after, random))
    rows = _rows(table)
    kinds = [
        member
        for member in MemberEvidence
        if member in table.out_of_fold.factors and (member, MovieEvidence.RATED) in fit.predictions
    ]
    evidence = {}
    for member in kinds:
        own = rows.take(np.isfinite(table.out_of_fold.factors[member][rows.view, 0]))
        if len(own) >= FEWEST_ROWS:
            predictions = fit.predictions[member, MovieEvidence.RATED]
            before = _scores(fit, fit.table, predictions.rows, member)
            evidence[member.name.lower()] = _scores(fit, table, own, member) | {
                "before_rmse": before["rmse"], "before_movie_mean_rmse": before["movie_mean_rmse"],
            }  # fmt: skip
    return {
        "moment": datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds"),
        "ratings_before": float(len(split.before.ratings)),
        "raters_before": float(len(split.before.raters)),
        "members_after": float(len(split.after.member)),
        "ratings_without_time": float(tables.ratings[RATED_AT].null_count()),
        "evidence": evidence,
        "movies": _by_movie(fit, table, rows, kinds[-1]),
    }


def split_by_time(data: Dataset, moment: float, random: np.random.Generator) -> TimeSplit:
    """Split the data at a time (seconds since 1970 UTC) into data to train on and later ratings to predict.

    A view is made of each member who rates after the time: the member as if they had never rated. It shows the plays
    before the split, or the earlier half of all plays if that is more, since a model is also served long after its
    training. Plays with equal times are in random order; rows without a time are left out. Raises DataError if fewer
    than FEWEST_RATERS members rate before or after the split.
    """
    data = replace(data, schema=replace(data.schema, end_of_data=moment))
    timed = data.play_table.collect().with_columns(pl.coalesce(PLAYED_AT, RATED_AT).alias(TIME))
    plays = data.with_ages(timed.filter(pl.col(TIME).is_not_null()))
    is_before = pl.col(TIME) < moment
    rated_before = (pl.col(RATED_AT) < moment).fill_null(False)
    rows = plays.filter(is_before | rated_before).with_columns(pl.when(rated_before).then(RATING).alias(RATING))
    before = replace(data, play_table=play_table(rows, len(data.member_ids)))
    order = pl.Series("order", random.permutation(len(plays)))
    rank = pl.struct(TIME, "order").rank("ordinal").over(MEMBER)
    shown = is_before | (rank <= pl.len().over(MEMBER) // 2)
    parts = plays.with_columns(order).with_columns(shown.alias("shown"))
    asked = parts.filter(~pl.col("shown") & pl.col(RATING).is_not_null() & (pl.col(RATED_AT) >= moment))
    members = asked[MEMBER].unique().sort()
    for side, count in (("before", len(before.raters)), ("after", len(members))):
        if count < FEWEST_RATERS:
            problem = f"only {count} members rate {side} the moment; at least {FEWEST_RATERS} are needed"
            raise DataError([Problem("ratings", problem)])
    return TimeSplit(before, _views(data, members.to_numpy().astype(np.int64), parts, asked))


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
    """Return, for each of V members to predict, the fold whose model was fitted without the member's ratings.

    Members without ratings get a random fold.
    """
    folds = len(fit.table.out_of_fold.fitted)
    fold_of = np.full(len(fit.table.data.member_ids), -1)
    fold_of[fit.table.views.member] = fit.table.out_of_fold.fold
    fold = fold_of[after.member]
    return np.where(fold >= 0, fold, random.integers(0, folds, len(fold)))


def _rows(table: PairTable) -> Rows:
    """Return a row for each rating to predict, with what was known of its movie at the split.

    The caller must replace the member evidence (NOTHING).
    """
    data, targets = table.data, table.views.targets
    rated = np.bincount(data.ratings[MOVIE].to_numpy(), minlength=len(data.movie_ids)) > 0
    described = np.isfinite(data.release_year) | np.isfinite(data.genres).any(axis=1)
    described |= np.isfinite(data.movie_attributes).any(axis=1)
    kind = np.where(rated, MovieEvidence.RATED, np.where(described, MovieEvidence.DESCRIBED, MovieEvidence.UNKNOWN))
    movie = targets[MOVIE].to_numpy().astype(np.int64)
    return Rows(
        targets[VIEW].to_numpy().astype(np.int64),
        movie,
        targets[RATING].to_numpy(),
        np.full(len(targets), int(MemberEvidence.NOTHING)),
        kind[movie].astype(np.int64),
    )


def _scores(fit: Fit, table: PairTable, rows: Rows, member: MemberEvidence) -> dict[str, float]:
    predictions = fit.predict(table, replace(rows, evidence=np.full(len(rows), int(member))))
    predicted, _ = predicted_ratings(fit, table, predictions, member)
    scores = predicted.scores()
    return scores | {
        "mean_rmse": rmse(mean_baselines(table, rows)[0], rows.rating),
        "gain_percent": gain_percent(scores["rmse"], scores["movie_mean_rmse"]),
        "bias": float(np.mean(predicted.rating - rows.rating)),
    }


def _by_movie(fit: Fit, table: PairTable, rows: Rows, member: MemberEvidence) -> dict[str, dict[str, float]]:
    """Return the scores of predictions of later ratings by what was known of the movie: rated, described or unknown."""
    known = rows.take(np.isfinite(table.out_of_fold.factors[member][rows.view, 0]))
    scores = {}
    for kind, name in MOVIES.items():
        own = known.take(known.movie_evidence == kind)
        if len(own) >= FEWEST_ROWS:
            scores[name] = _scores(fit, table, own, member)
    return scores


def split_point(text: str) -> SplitPoint:
    """Parse the option `--at`: a share between 0 and 1, an ISO 8601 time, or seconds since 1970 UTC.

    Raises ArgumentTypeError for other text.
    """
    try:
        number = float(text)
    except ValueError:
        try:
            time = datetime.fromisoformat(text)
        except ValueError as error:
            problem = "must be a share between 0 and 1, a time such as 2024-03-01, or seconds since 1970"
            raise argparse.ArgumentTypeError(problem) from error
        return SplitPoint(seconds=(time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
    if 0 < number < 1:
        return SplitPoint(share=number)
    if number <= 1 or not np.isfinite(number):
        raise argparse.ArgumentTypeError("must be a share above 0 and below 1, or a time")
    return SplitPoint(seconds=number)


def split_time(ratings: pl.DataFrame, where: SplitPoint) -> float:
    """Return the time at which to split the ratings into earlier and later ones, in seconds since 1970 UTC.

    Raises DataError if no rating has a time, or if all ratings are on one side of the split.
    """
    times = ratings[RATED_AT].drop_nulls().sort().to_numpy()
    if not len(times):
        raise DataError([Problem("ratings", "no rating tells when it was given: there is nothing to divide by time")])
    by_share = float(times[int(len(times) * (where.share or 0.0))])
    moment = by_share if where.seconds is None else where.seconds
    if not times[0] < moment <= times[-1]:
        first, last = (datetime.fromtimestamp(time, UTC).date().isoformat() for time in (times[0], times[-1]))
        raise DataError([Problem("--at", f"ratings were given from {first} to {last}: name a moment between them")])
    return moment
