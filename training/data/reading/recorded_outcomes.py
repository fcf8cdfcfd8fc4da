"""Adds the outcomes recorded by the service to the ratings and plays of a data directory."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path

import numpy as np
import polars as pl

from features.columns import COMPLETION, MEMBER_ID, MOVIE_ID, PLAYED_AT, RATED_AT, RATING
from features.movies import MEMBER, MOVIE
from model.errors import BadOutcome
from model.facts.outcome_record import KNOWN_REQUESTS, PATTERN, Outcome, from_line
from training.data.files.table_files import files_in, readable, refuse_no_folder
from training.data.passes.play_table import PAIR_NUMBER, merged, with_pair_number, write_play_table
from training.data.reading.tables import Tables
from training.errors import DataError, Problem, listed

ORDER = ("happened_at", "received_at", "request_id")
"""Fields by which outcomes are sorted chronologically."""
MOST_PROBLEMS = 20
"""Maximum number of invalid lines to report."""


@dataclass(frozen=True)
class MergedOutcomes:
    """Tables with the outcomes of a folder added, and the number of outcomes used."""

    tables: Tables
    """The tables, including the outcomes."""
    ratings: int
    """Number of pairs whose rating is a recorded outcome."""
    plays: int
    """Number of pairs with a recorded completion."""
    left_out: dict[str, int]
    """Number of unusable outcomes, by reason."""
    withdrawn: int = 0
    """Number of pairs whose rating the member took back last."""

    def note(self) -> str:
        """Return a sentence about the outcomes for the report."""
        counts = f"outcomes: {self.ratings:,} ratings and {self.plays:,} plays were recorded by the service"
        left_out = [f"{count:,} left out: {reason}" for reason, count in self.left_out.items() if count]
        withdrawn = [f"{self.withdrawn:,} ratings were withdrawn"] if self.withdrawn else []
        return "; ".join([counts, *withdrawn, *left_out])


def with_outcomes(tables: Tables, folder: Path, work: Path | None = None) -> MergedOutcomes:
    """Add the outcomes of a folder to the tables. Raises DataError if there is no folder or a line is invalid.

    A recorded rating replaces the rating in the data, unless that has a later `rated_at`, and the withdrawal of a
    rating removes those that aren't later; their plays remain. Outcomes are left out if the data lacks their movie, and
    ratings are left out if they are outside the rating scale. Outcomes of forgotten members are left out without being
    counted, and so are those before the cutoff, but for withdrawals. The play table is written anew, as by
    `read_tables`.
    """
    outcomes = [
        outcome
        for outcome in read_outcomes(folder)
        if (outcome.rating_withdrawn or outcome.happened_at >= tables.cutoff)
        and not tables.forgotten.has(outcome.member_id)
    ]
    movies = set(tables.movies[MOVIE_ID])
    scale = tables.scale
    known = [outcome for outcome in outcomes if outcome.movie_id in movies]
    rated = [outcome for outcome in known if outcome.rating is not None]
    on_scale = [outcome for outcome in rated if scale.low <= (outcome.rating or 0.0) <= scale.high]
    watched = [outcome for outcome in known if outcome.completion is not None]
    left_out = {
        "the data lacks their movie": len(outcomes) - len(known),
        "their rating is outside the scale": len(rated) - len(on_scale),
    }
    latest = _latest_of_pairs([*on_scale, *(outcome for outcome in known if outcome.rating_withdrawn)])
    kept = [outcome for outcome in latest if not outcome.rating_withdrawn]
    added = pl.Series([outcome.member_id for outcome in (*kept, *watched)], dtype=pl.String)
    member_ids = pl.concat([tables.member_ids, added.alias(tables.member_ids.name)]).unique().sort()
    ratings = _numbered(_frame(latest, {RATED_AT: "happened_at", RATING: "rating"}), member_ids, tables)
    plays = _numbered(_frame(watched, {PLAYED_AT: "happened_at", COMPLETION: "completion"}), member_ids, tables)
    recorded: list[int] = []
    play_table = write_play_table(
        _merged(tables, member_ids, ratings, plays, recorded), len(member_ids), work and work / "outcomes"
    )
    return MergedOutcomes(
        replace(tables, member_ids=member_ids, play_table=play_table),
        sum(recorded),
        plays[PAIR_NUMBER].n_unique(),
        left_out,
        len(latest) - len(kept),
    )


def _numbered(events: pl.DataFrame, member_ids: pl.Series, tables: Tables) -> pl.DataFrame:
    """Return outcomes with numbers in place of ids, in the same order."""
    members = pl.DataFrame({MEMBER_ID: member_ids}).with_row_index(MEMBER)
    movies = tables.movies.select(MOVIE_ID).with_row_index(MOVIE)
    rows = events.join(members, on=MEMBER_ID, maintain_order="left").join(movies, on=MOVIE_ID, maintain_order="left")
    numbered = rows.with_columns(pl.col(MEMBER, MOVIE).cast(pl.Int32)).drop(MEMBER_ID, MOVIE_ID)
    return with_pair_number(numbered)


def _merged(
    tables: Tables, member_ids: pl.Series, ratings: pl.DataFrame, plays: pl.DataFrame, recorded: list[int]
) -> Iterator[pl.DataFrame]:
    """Yield the plays of each partition with the outcomes of its members, and of members that come before the next.

    The number of pairs whose rating is an outcome is added to `recorded`.
    """
    numbers = member_ids.search_sorted(tables.member_ids).to_numpy().astype(np.int32)
    start = 0
    for partition in tables.play_table.partitions:
        last = partition.members.stop == len(numbers)
        stop = len(member_ids) if last else int(numbers[partition.members.stop])
        of_partition = pl.col(MEMBER).is_between(start, stop, closed="left")
        rows = partition.read()
        own = numbers[partition.members][rows[MEMBER].to_numpy()]
        rows = with_pair_number(rows.with_columns(pl.Series(MEMBER, own)))
        latest = _latest(rows.filter(pl.col(RATING).is_not_null()), ratings.filter(of_partition))
        recorded.append(int(latest["recorded"].sum()))
        played = pl.concat([rows.drop(RATING, RATED_AT), plays.filter(of_partition)], how="diagonal")
        yield merged(latest.drop("recorded"), played)
        start = stop


def read_outcomes(folder: Path, since: float = 0.0) -> list[Outcome]:
    """Return the outcomes in a folder, each request once; raises DataError if there is no folder or a line is invalid.

    Logs that weren't written to after `since` (seconds since 1970) aren't read.
    """
    return list(_without_repetitions(_outcomes(folder, since)))


def latest_outcome(folder: Path) -> float:
    """Return the time of the last outcome in a folder, in seconds since 1970 UTC; -inf if there is none.

    No outcome counts as later than it was received. Raises what `read_outcomes` does.
    """
    return max((min(each.happened_at, each.received_at) for each in read_outcomes(folder)), default=-math.inf)


def _outcomes(folder: Path, since: float) -> Iterator[Outcome]:
    """Yield all outcomes, file by file. Skip blank lines, and an incomplete last line, which was never acknowledged."""
    problems: list[Problem] = []
    for path in log_files(folder):
        with readable("outcomes", path.name):
            content = path.read_bytes() if path.stat().st_mtime >= since else b""
        for number, line in enumerate(content.splitlines(keepends=True), 1):
            if not line.endswith(b"\n"):
                break
            if line.isspace():  # it was of a member who is forgotten
                continue
            try:
                yield from_line(line)
            except BadOutcome as error:
                problems.append(Problem("outcomes", f"{path.name}, line {number}: {error}"))
    if problems:
        raise DataError(problems[:MOST_PROBLEMS])


def log_files(folder: Path) -> list[Path]:
    """Return the log files at any depth of a folder, sorted.

    Raises DataError if a folder can't be read, or if there are other files, which may be packed logs.
    """
    refuse_no_folder("outcomes", folder)
    with readable("outcomes"):
        paths = sorted(path for path in files_in(folder) if path.name != KNOWN_REQUESTS)
    foreign = [path.name for path in paths if not path.match(PATTERN)]
    if foreign:
        text = f"the folder holds files that are no logs of the service, {PATTERN}: {listed(foreign)}"
        raise DataError([Problem("outcomes", text, remedy="unpack them, or move them away")])
    return paths


def _without_repetitions(outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    """Return, for each request id, the outcome that was received first."""
    first: dict[str, Outcome] = {}
    for outcome in outcomes:
        before = first.setdefault(outcome.request_id, outcome)
        if outcome.received_at < before.received_at:
            first[outcome.request_id] = outcome
    return iter(first.values())


def _latest_of_pairs(outcomes: list[Outcome]) -> list[Outcome]:
    """Return the latest outcome of each member and movie."""
    latest = {(outcome.member_id, outcome.movie_id): outcome for outcome in chronological(outcomes)}
    return list(latest.values())


def chronological(outcomes: list[Outcome]) -> list[Outcome]:
    """Return outcomes in the order in which they happened."""
    return sorted(outcomes, key=attrgetter(*ORDER))


def _frame(outcomes: list[Outcome], columns: dict[str, str]) -> pl.DataFrame:
    """Return one row per outcome, in chronological order. `columns` maps names of columns to fields of Outcome."""
    ordered = chronological(outcomes)
    ids = {MEMBER_ID: [outcome.member_id for outcome in ordered], MOVIE_ID: [outcome.movie_id for outcome in ordered]}
    numbers = {
        name: pl.Series([getattr(outcome, field) for outcome in ordered], dtype=pl.Float64)
        for name, field in columns.items()
    }
    return pl.DataFrame({name: pl.Series(values, dtype=pl.String) for name, values in ids.items()} | numbers)


def _latest(ratings: pl.DataFrame, recorded: pl.DataFrame) -> pl.DataFrame:
    """Return the latest rating of each pair, none where it is a withdrawal, which has no rating.

    Recorded ratings and withdrawals count as later than ratings without a time.
    """
    columns = [MEMBER, MOVIE, RATING, RATED_AT, PAIR_NUMBER]
    parts = (
        ratings.select(*columns, recorded=pl.lit(False)),
        recorded.select(*columns, recorded=pl.lit(True)),
    )
    ordered = pl.concat(parts).sort(PAIR_NUMBER, RATED_AT, nulls_last=False, maintain_order=True)
    latest = ordered.unique(PAIR_NUMBER, keep="last", maintain_order=True)
    return latest.filter(pl.col(RATING).is_not_null())
