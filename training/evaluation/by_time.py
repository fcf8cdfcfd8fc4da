"""Evaluation by time: trains on the data before a time, and predicts later ratings as if their members never rated."""

import argparse
import hashlib
from collections.abc import Iterator
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
from training.data.dataset import Dataset
from training.data.never_rater_views import Views
from training.data.passes.passes import Passes
from training.data.passes.play_table import Counts, PlayTable, Stored
from training.data.reading.events import FEWEST_RATERS
from training.errors import DataError, Problem
from training.evaluation.baselines import mean_baselines
from training.evaluation.interval_scores import predicted_ratings
from training.evaluation.scores import gain_percent, rmse
from training.fit.fit_model import Fit, fit_model
from training.fit.trees.pair_rows import PairTable, Rows
from training.settings import FitSettings, Report

Array = NDArray[np.float64]

TIME = pl.coalesce(PLAYED_AT, RATED_AT)
"""Time of a play: when the movie was played, or else rated."""
DAY = "day"
MOST_MEMBERS = 20_000
"""Maximum number of members whose later ratings are predicted; more are sampled at random."""
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
    """One view of each member who rates after the split, or of MOST_MEMBERS of them. The ratings to predict are later
    than the plays shown."""
    members_after: int
    """Number of members who rate after the split."""
    ratings_without_time: int
    """Number of ratings without a time."""


@dataclass(frozen=True)
class Before:
    """Plays of a partition before a moment, and the ratings given before it."""

    stored: Stored
    """All plays of the partition."""
    moment: float
    """Seconds since 1970 UTC."""

    def read(self) -> pl.DataFrame:
        """Return the plays. Raises DamagedPartition if they have changed."""
        is_rated = (pl.col(RATED_AT) < self.moment).fill_null(False)
        rows = self.stored.read().filter(is_rated | TIME.lt(self.moment).fill_null(False))
        return rows.with_columns(pl.when(is_rated).then(RATING).alias(RATING))


@dataclass(frozen=True)
class SplitPoint:
    """Point in time at which to split the data; exactly one field is set."""

    share: float | None = None
    """Share of the ratings before the split, above 0 and below 1; None if the time is given."""
    seconds: float | None = None
    """Time of the split in seconds since 1970 UTC; None if the share is given."""


def evaluate_by_time(
    passes: Passes, data: Dataset, moment: float, seed: int, settings: FitSettings, report: Report
) -> dict[str, Any]:
    """Train on the data before a moment (seconds since 1970 UTC), and return scores of predictions of later ratings.

    The result can be written as JSON. `report` is called with the name of each step. Raises DataError if too few
    members rate before or after the moment.
    """
    random = np.random.default_rng([seed, 12])
    split = split_by_time(data, moment, random)
    fit = fit_model(passes, split.before, seed, settings, lambda step, share=None: report(f"by time: {step}", share))
    report("by time: scores")
    table = fit.of_views(split.after, _folds(fit, split.after, random))
    rows = _rows(table, fit.folded.statistics.whole.ratings > 0)
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
        "ratings_before": float(split.before.play_table.ratings.sum()),
        "raters_before": float(len(split.before.raters)),
        "members_after": float(split.members_after),
        "ratings_without_time": float(split.ratings_without_time),
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
    table, tie_break = data.play_table, int(random.integers(2**32))
    earlier = tuple(replace(partition, stored=Before(partition.stored, moment)) for partition in table.partitions)
    before, asked_of, without_time = Counts(len(table.plays)), np.zeros(len(table.plays), bool), 0
    for rows, partition in zip(table.read(), earlier, strict=True):
        before.add(partition.read().with_columns(pl.col(MEMBER) + partition.members.start))
        asked_of[_parts(rows, moment, tie_break)[1][MEMBER].to_numpy()] = True
        without_time += len(rows.filter(pl.col(RATING).is_not_null() & pl.col(RATED_AT).is_null()))
    members = np.flatnonzero(asked_of)
    for side, count in (("before", int((before.ratings > 0).sum())), ("after", len(members))):
        if count < FEWEST_RATERS:
            problem = f"only {count} members rate {side} the moment; at least {FEWEST_RATERS} are needed"
            raise DataError([Problem("ratings", problem)])
    chosen = np.sort(random.permutation(members)[:MOST_MEMBERS])
    digest = hashlib.sha256(f"{table.digest} before {moment}".encode()).hexdigest()
    return TimeSplit(
        replace(data, play_table=PlayTable(earlier, before.plays, before.ratings, before.last_played, digest)),
        _views(data, chosen, moment, tie_break),
        len(members),
        without_time,
    )


def _parts(rows: pl.DataFrame, moment: float, tie_break: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the plays of some members that are shown, and those whose ratings are to be predicted."""
    timed = rows.filter(TIME.is_not_null())
    rank = pl.struct(TIME.alias("time"), pl.struct(MEMBER, MOVIE).hash(tie_break).alias("order")).rank("ordinal")
    shown = TIME.lt(moment) | (rank.over(MEMBER) <= pl.len().over(MEMBER) // 2)
    parts = timed.with_columns(shown.alias("shown"))
    asked = parts.filter(~pl.col("shown") & pl.col(RATING).is_not_null() & (pl.col(RATED_AT) >= moment))
    return parts.filter("shown"), asked


def _views(data: Dataset, members: NDArray[np.int64], moment: float, tie_break: int) -> Views:
    """Return a view of each of the members, whose row numbers are in ascending order."""
    chosen = np.zeros(len(data.member_ids), bool)
    chosen[members] = True
    parts = []
    for rows in data.play_table.of_members(chosen).read():
        member = pl.Series(MEMBER, members[rows[MEMBER].to_numpy()], dtype=pl.Int32)
        numbered = rows.with_columns(pl.col(MEMBER).cast(pl.Int64).alias(VIEW), member)
        shown, asked = _parts(numbered, moment, tie_break)
        visible = data.with_ages(shown).select(VIEW, MOVIE, COMPLETION, AGE_DAYS)
        parts.append((visible, asked.select(VIEW, MOVIE, RATING)))
    plays, targets = (pl.concat(column) for column in zip(*parts, strict=True))
    return Views(
        members,
        np.zeros_like(members),
        data.attributes[members],
        plays,
        targets,
        np.bincount(plays[VIEW].to_numpy(), minlength=len(members)),
    )


def _folds(fit: Fit, after: Views, random: np.random.Generator) -> NDArray[np.int64]:
    """Return, for each of V members to predict, the fold whose model was fitted without the member's ratings.

    Members without ratings get a random fold.
    """
    fold = fit.folded.fold_of[after.member]
    return np.where(fold >= 0, fold, random.integers(0, fit.folded.folds, len(fold)))


def _rows(table: PairTable, rated: NDArray[np.bool_]) -> Rows:
    """Return a row for each rating to predict, with what was known of its movie at the split.

    `rated` (M,) tells which movies were rated before the split. The caller must replace the member evidence (NOTHING).
    """
    data, targets = table.data, table.views.targets
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


def split_time(table: PlayTable, where: SplitPoint) -> float:
    """Return the time at which to split the ratings into earlier and later ones, in seconds since 1970 UTC.

    Raises DataError if no rating has a time, or if all ratings are on one side of the split.
    """
    days = pl.DataFrame(schema={DAY: pl.Float64, "rows": pl.UInt32, "first": pl.Float64, "last": pl.Float64})
    for times in _rating_times(table):
        of_part = times.group_by(DAY).agg(
            pl.len().alias("rows"), pl.col(RATED_AT).min().alias("first"), pl.col(RATED_AT).max().alias("last")
        )
        days = pl.concat([days, of_part]).group_by(DAY).agg(
            pl.col("rows").sum(), pl.col("first").min(), pl.col("last").max()
        )  # fmt: skip
    if days.is_empty():
        raise DataError([Problem("ratings", "no rating tells when it was given: there is nothing to divide by time")])
    days = days.sort(DAY)
    moment = _time_of_share(table, days, where.share or 0.0) if where.seconds is None else where.seconds
    if not days["first"][0] < moment <= days["last"][-1]:
        first, last = (datetime.fromtimestamp(time, UTC).date() for time in (days["first"][0], days["last"][-1]))
        raise DataError([Problem("--at", f"ratings were given from {first} to {last}: name a moment between them")])
    return moment


def _time_of_share(table: PlayTable, days: pl.DataFrame, share: float) -> float:
    """Return the time of the first rating after a share of them; `days` has the number of ratings of each day."""
    ends = days["rows"].cum_sum().to_numpy().astype(np.int64)
    place = int(ends[-1] * share)
    day = int(np.searchsorted(ends, place, side="right"))
    of_day = pl.concat(times.filter(pl.col(DAY) == days[DAY][day]) for times in _rating_times(table))
    return float(of_day[RATED_AT].sort()[place - int(ends[day]) + int(days["rows"][day])])


def _rating_times(table: PlayTable) -> Iterator[pl.DataFrame]:
    """Yield times and days of the ratings of each partition that have a time."""
    for partition in table.partitions:
        times = partition.read().filter(pl.col(RATING).is_not_null()).select(RATED_AT).drop_nulls()
        yield times.with_columns((pl.col(RATED_AT) / SECONDS_PER_DAY).floor().alias(DAY))
