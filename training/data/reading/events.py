"""Checks the ratings and plays tables, in which each row is about a member and a movie, without holding their rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from features.columns import COMPLETION, MEMBER_ID, MOVIE_ID, PLAYED_AT, RATED_AT, RATING
from features.values import column_types, ids, missing, numbers, times
from training.data.plausibility.moments import Times, check_distances, check_notation, years_of
from training.data.reading.checks import (
    Check,
    failed,
    marked_id,
    missing_columns,
    needs_id,
    needs_number,
    odd_headers,
    tally,
)
from training.data.reading.schema_file import EventSettings, RatingSettings
from training.data.reading.sources import Source, collect
from training.errors import DataError, Problem

PAIR = [MEMBER_ID, MOVIE_ID]

FEWEST_RATERS = 20
"""Minimum number of members who rate."""

NO_RATING = 'leave these rows out, or list what means "not rated" under [ratings] in schema.toml as missing = [...]'
NOT_KNOWN = 'correct them, or list what means "not known" under [plays] in schema.toml as missing = [...]'
NO_TIME = "with a time that can't be read (ISO 8601, or seconds, not milliseconds, since 1970)"


@dataclass(frozen=True)
class TimeColumn:
    """An optional column of times."""

    seconds: pl.Expr
    """The times in seconds since 1970 UTC, null if unknown."""
    checks: list[Check]
    """The checks of single times."""
    are_numbers: bool
    """Whether all times are numbers rather than timestamps or ISO 8601 text."""


@dataclass(frozen=True)
class Events:
    """A checked table of ratings or plays, whose rows are still in the files."""

    source: Source
    """The table."""
    rows: pl.LazyFrame
    """`member_id` and `movie_id` as keys, then the other columns in canonical form: ratings and finite numbers, and
    times in seconds since 1970 UTC. Values are null if unknown or wrong."""
    members: pl.DataFrame
    """The distinct members in order of appearance: the `key` in the rows, the `id`, null if it is blank, and the number
    of `rows`."""
    movies: pl.DataFrame
    """The distinct movies, with the same columns."""
    problems: list[Problem]
    """Problems and warnings about single values and about times."""
    rows_in_files: int
    """Number of rows in the files."""

    def where(self, condition: pl.Expr) -> "Events":
        """Return the table with only the rows that meet a condition, of whom members and movies are counted anew."""
        rows = self.rows.filter(condition)
        members, movies = map(_with_ids, collect(self.source, *(_distinct(rows, name) for name in PAIR)))
        return replace(self, rows=rows, members=members, movies=movies)


def check_rating_rows(source: Source, settings: RatingSettings) -> Events:
    """Check the ratings, without holding them in memory.

    Raises DataError if columns are missing, unnamed or of the wrong type, because their values can't be checked then.
    """
    _refuse_wrong_columns(source, {RATING: column_types.NUMBER_TYPES}, {RATED_AT: column_types.TIME_TYPES})
    source, left_out = _without_missing(source, settings.missing)
    rated_at = _time(source, RATED_AT, settings)
    rating, checks = _rating(source.dtypes[RATING], settings)
    columns = {RATING: rating, RATED_AT: rated_at.seconds}
    events, times = _checked(source, columns, checks + rated_at.checks, RATED_AT)
    problems = events.problems
    if left_out:
        text = "left out, because schema.toml lists the rating as missing"
        problems.append(Problem(source.table, text, RATING, left_out, is_warning=True))
    problems += too_few(events) + _time_problems(events, times, rated_at, settings)
    return replace(events, rows_in_files=events.rows_in_files + left_out)


def check_play_rows(source: Source, settings: EventSettings) -> Events:
    """Check the plays, without holding them in memory. Completion is from 0 to 1.

    Raises DataError if columns are missing, unnamed or of the wrong type, because their values can't be checked then.
    """
    _refuse_wrong_columns(source, {}, {PLAYED_AT: column_types.TIME_TYPES, COMPLETION: column_types.NUMBER_TYPES})
    played_at = _time(source, PLAYED_AT, settings)
    checks = played_at.checks
    completion = pl.lit(None, pl.Float64)
    if COMPLETION in source.dtypes:
        dtype = source.dtypes[COMPLETION]
        completion = numbers.number(COMPLETION, dtype, settings.missing)
        given = missing.is_given(COMPLETION, dtype, settings.missing)
        checks += [
            needs_number(COMPLETION, given & completion.is_null(), NOT_KNOWN, among=completion.is_null()),
            Check(COMPLETION, ~completion.is_between(0, 1), "outside 0 to 1", remedy=NOT_KNOWN),
        ]
    columns = {PLAYED_AT: played_at.seconds, COMPLETION: completion}
    events, times = _checked(source, columns, checks, PLAYED_AT)
    events.problems.extend(_time_problems(events, times, played_at, settings))
    return events


def read_pairs(source: Source) -> tuple[pl.DataFrame, list[Problem]]:
    """Return the members and movies of a table's rows, with ids as text, and all problems with their values.

    Raises DataError if columns are missing, unnamed or of the wrong type, because their values can't be checked then.
    """
    _refuse_wrong_columns(source, {}, {})
    checks = [*map(needs_id, PAIR), *map(marked_id, PAIR)]
    pairs = source.rows.select(ids.id_text(column).alias(column) for column in PAIR)
    rows, tallied = collect(source, pairs, tally(source.rows, checks))
    return rows, failed(source.table, checks, tallied)


def _refuse_wrong_columns(source: Source, needed: dict[str, str], optional: dict[str, str]) -> None:
    """Raise DataError if columns are missing, unnamed or of the wrong type."""
    fits = {
        column_types.ID_TYPES: column_types.is_id,
        column_types.NUMBER_TYPES: column_types.is_number,
        column_types.TIME_TYPES: column_types.is_time,
    }
    source.refuse_parts([*PAIR, *needed, *optional], [*PAIR, *needed])
    problems = missing_columns(source.table, source.dtypes, [*PAIR, *needed])
    problems += odd_headers(source.table, source.dtypes, is_csv=source.is_csv)
    for column, wanted in (dict.fromkeys(PAIR, column_types.ID_TYPES) | needed | optional).items():
        dtype = source.dtypes.get(column)
        if dtype is not None and not fits[wanted](dtype):
            problems.append(Problem(source.table, f"holds {dtype}, but must hold {wanted}", column))
    if problems:
        raise DataError(problems)


def _checked(source: Source, columns: dict[str, pl.Expr], checks: list[Check], time: str) -> tuple[Events, Times]:
    """Check single values, and count members, movies and times.

    Ids are checked once for each that is distinct, which takes a tenth of the time.
    """
    keys = {name: _key(name, source.dtypes[name]) for name in PAIR}
    rows = source.rows.select(**keys, **columns)
    *entities, years, tallied, first = collect(
        source,
        *(_distinct(rows, name) for name in PAIR),
        years_of(rows, time),
        tally(source.rows, checks),
        rows.select(pl.col(time).drop_nulls().first()),
    )
    members, movies = map(_with_ids, entities)
    problems = [*_id_problems(source.table, MEMBER_ID, members), *_id_problems(source.table, MOVIE_ID, movies)]
    problems += failed(source.table, checks, tallied)
    return Events(source, rows, members, movies, problems, int(members["rows"].sum())), Times(time, years, first.item())


def _key(column: str, dtype: pl.DataType) -> pl.Expr:
    """Return the expression by which ids of a table are told apart: whole numbers, which take less time, or text."""
    return pl.col(column) if dtype.is_integer() else pl.col(column).cast(pl.String)


def _distinct(rows: pl.LazyFrame, column: str) -> pl.LazyFrame:
    """Return the distinct keys of a column and their numbers of rows, in order of appearance."""
    keys = rows.group_by(pl.col(column).alias("key"), maintain_order=True)
    return keys.agg(pl.len().cast(pl.Int64).alias("rows"))


def _with_ids(entities: pl.DataFrame) -> pl.DataFrame:
    return entities.with_columns(ids.id_text("key").alias("id"))


def _id_problems(table: str, column: str, entities: pl.DataFrame) -> list[Problem]:
    """Return the problems with the ids of the distinct members or movies."""
    checks = [needs_id(column), marked_id(column)]
    keys = entities.lazy().select(pl.col("key").alias(column), "rows")
    return failed(table, checks, tally(keys, checks, "rows").collect())


def too_few(events: Events) -> list[Problem]:
    """Return a problem if too few members rate to learn from."""
    table = events.source.table
    if not events.rows_in_files:
        return [Problem(table, "the table has no rows")]
    raters = events.members["id"].count()
    if raters >= FEWEST_RATERS:
        return []
    count = f"{raters} member{'' if raters == 1 else 's'}"
    return [Problem(table, f"only {count} rated anything; at least {FEWEST_RATERS} are needed to learn from")]


def _without_missing(source: Source, marks: tuple[str, ...]) -> tuple[Source, int]:
    """Return the table without the rows whose rating is one of the marks, and the number of these rows."""
    if not marks:
        return source, 0
    dtype = source.dtypes[RATING]
    is_missing = missing.is_marked_number(RATING, dtype, marks)
    if column_types.is_text(dtype):
        is_missing |= missing.text(RATING).is_in(list(marks)).fill_null(False)
    (count,) = collect(source, source.rows.select(is_missing.sum()))
    return replace(source, rows=source.rows.filter(~is_missing)), int(count.item())


def _rating(dtype: pl.DataType, settings: RatingSettings) -> tuple[pl.Expr, list[Check]]:
    """Return the expression that reads the ratings, and the checks of single ratings."""
    rating, given = numbers.number(RATING, dtype), missing.is_given(RATING, dtype)
    checks = [
        Check(RATING, ~given, "without a rating", show=False, remedy=NO_RATING, among=rating.is_null()),
        needs_number(RATING, given & rating.is_null(), NO_RATING, among=rating.is_null()),
    ]
    if settings.scale is not None:
        low, high = settings.scale
        outside = f"outside the scale {low:g} to {high:g} that schema.toml gives"
        checks.append(Check(RATING, ~rating.is_between(low, high), outside))
    return rating.alias(RATING), checks


def _time(source: Source, column: str, settings: EventSettings) -> TimeColumn:
    """Return an optional column of times, without those that are listed as missing."""
    dtype = source.dtypes.get(column)
    if dtype is None:
        return TimeColumn(pl.lit(None, pl.Float64), [], are_numbers=False)
    given, seconds = missing.is_given(column, dtype, settings.missing), times.seconds(column, dtype, settings.missing)
    are_numbers = dtype.is_numeric()
    if column_types.is_text(dtype):
        counted = times.counted_seconds(column, dtype, settings.missing)
        (others,) = collect(source, source.rows.filter(counted.is_null()).select(given.any()))
        if not others.item():  # then skip date patterns, which take several times as long as all other reading
            seconds, are_numbers = counted, True
    remedy = f'write them so, or list what means "not known" under [{source.table}] in schema.toml as missing = [...]'
    checks = [Check(column, given & seconds.is_null(), NO_TIME, remedy=remedy, among=seconds.is_null())]
    if settings.missing:
        marks = pl.DataFrame({"mark": settings.missing}).select(times.seconds("mark", pl.String())).to_series()
        seconds = pl.when(~seconds.is_in(marks.drop_nulls().implode())).then(seconds)
    if (earliest := settings.earliest_seconds) is not None:
        text = f"before {settings.earliest}, the earliest time that schema.toml gives"
        checks.append(Check(column, seconds < earliest, text))
    if (latest := settings.latest_seconds) is not None:
        checks.append(
            Check(column, seconds > latest, f"after {settings.latest}, the latest time that schema.toml gives")
        )
    return TimeColumn(seconds, checks, are_numbers)


def _time_problems(events: Events, times: Times, column: TimeColumn, settings: EventSettings) -> list[Problem]:
    """Return problems with times that can be read, but mean something else or are far from the others."""
    source = events.source

    def shares(conditions: Sequence[pl.Expr]) -> Sequence[float]:
        known = events.rows.drop_nulls(times.column)
        (means,) = collect(source, known.select(met.mean().alias(str(place)) for place, met in enumerate(conditions)))
        return means.row(0)

    is_open = settings.earliest is None, settings.latest is None
    problems = check_notation(source.table, times, shares if column.are_numbers else None) if any(is_open) else []
    return problems or check_distances(source.table, times, before=is_open[0], after=is_open[1])
