"""Reads the ratings and plays tables, in which each row is about a member and a movie."""

from dataclasses import dataclass, replace

import polars as pl

from features.columns import COMPLETION, MEMBER_ID, MOVIE_ID, PLAYED_AT, RATED_AT, RATING
from features.values import column_types, ids, missing, numbers, times
from training.data.plausibility.moments import check_distances, check_notation
from training.data.plausibility.rating_values import check_ratings
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
from training.data.reading.sources import ReadTable, Source, collect
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


def read_ratings(source: Source, settings: RatingSettings) -> ReadTable:
    """Return the latest rating of each pair of member and movie, sorted by pair, and all problems with the values.

    `rated_at` is in seconds since 1970 UTC, null if unknown. Raises DataError if columns are missing, unnamed or of the
    wrong type, because their values can't be checked then.
    """
    _refuse_wrong_columns(source, {RATING: column_types.NUMBER_TYPES}, {RATED_AT: column_types.TIME_TYPES})
    source, left_out = _without_missing(source, settings.missing)
    rated_at = _time(source, RATED_AT, settings)
    rating, checks = _rating(source.dtypes[RATING], settings)
    rows, problems = _read(source, [rating, rated_at.seconds.alias(RATED_AT)], checks + rated_at.checks)
    rows_in_files = len(rows) + left_out
    if left_out:
        text = "left out, because schema.toml lists the rating as missing"
        problems.append(Problem(source.table, text, RATING, left_out, is_warning=True))
    problems += _too_few(source.table, rows) + _time_problems(source.table, rows[RATED_AT], rated_at, settings)
    rows = rows.drop_nulls([*PAIR, RATING]).sort([*PAIR, RATED_AT], nulls_last=False)
    latest, ambiguous = _latest(rows)
    if not ambiguous.is_empty():
        why = "rated_at doesn't tell" if RATED_AT in source.dtypes else "there is no rated_at to tell"
        text = f"with a second rating of one pair, and {why} the latest"
        pair = "member {}, movie {}".format(*ambiguous.select(PAIR).row(0))
        problems.append(Problem(source.table, text, rows=len(ambiguous), example=pair))
    if settings.scale is None and not latest.is_empty():
        problems += check_ratings(latest)
    return ReadTable(latest, problems, rows_in_files)


def read_plays(source: Source, settings: EventSettings) -> ReadTable:
    """Return the rows of the plays table, and all problems with their values.

    `played_at` is in seconds since 1970 UTC and `completion` from 0 to 1; both are null if unknown. Raises DataError if
    columns are missing, unnamed or of the wrong type, because their values can't be checked then.
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
            needs_number(COMPLETION, given & completion.is_null(), NOT_KNOWN),
            Check(COMPLETION, ~completion.is_between(0, 1), "outside 0 to 1", remedy=NOT_KNOWN),
        ]
    rows, problems = _read(source, [played_at.seconds.alias(PLAYED_AT), completion.alias(COMPLETION)], checks)
    problems += _time_problems(source.table, rows[PLAYED_AT], played_at, settings)
    return ReadTable(rows, problems, len(rows))


def read_pairs(source: Source) -> tuple[pl.DataFrame, list[Problem]]:
    """Return the members and movies of a table's rows, with ids as text, and all problems with their values.

    Raises DataError if columns are missing, unnamed or of the wrong type, because their values can't be checked then.
    """
    _refuse_wrong_columns(source, {}, {})
    return _read(source, [], [])


def all_plays(plays: pl.DataFrame | None, ratings: pl.DataFrame) -> pl.DataFrame:
    """Return each played or rated pair once, sorted, with the time of its latest play and its highest completion."""
    unknown = pl.lit(None, pl.Float64)
    rated = ratings.select(*PAIR, unknown.alias(PLAYED_AT), unknown.alias(COMPLETION))
    if plays is None or plays.is_empty():
        return rated
    every = pl.concat([plays, rated]).lazy().group_by(PAIR).agg(pl.col(PLAYED_AT, COMPLETION).max())
    return every.sort(PAIR).collect(engine="streaming")


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


def _read(source: Source, columns: list[pl.Expr], checks: list[Check]) -> tuple[pl.DataFrame, list[Problem]]:
    pair = [ids.id_text(column).alias(column) for column in PAIR]
    checks = [*map(needs_id, PAIR), *map(marked_id, PAIR), *checks]
    rows, tallied = collect(source, source.rows.select(*pair, *columns), tally(source.rows, checks))
    return rows, failed(source.table, checks, tallied)


def _too_few(table: str, rows: pl.DataFrame) -> list[Problem]:
    if rows.is_empty():
        return [Problem(table, "the table has no rows")]
    raters = rows[MEMBER_ID].drop_nulls().n_unique()
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
        Check(RATING, ~given, "without a rating", show=False, remedy=NO_RATING),
        needs_number(RATING, given & rating.is_null(), NO_RATING),
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
        (all_counted,) = collect(source, source.rows.select((~given | counted.is_not_null()).all()))
        if all_counted.item():  # then skip date patterns, which take several times as long as all other reading
            seconds, are_numbers = counted, True
    remedy = f'write them so, or list what means "not known" under [{source.table}] in schema.toml as missing = [...]'
    checks = [Check(column, given & seconds.is_null(), NO_TIME, remedy=remedy)]
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


def _time_problems(table: str, seconds: pl.Series, column: TimeColumn, settings: EventSettings) -> list[Problem]:
    """Return problems with times that can be read, but mean something else or are far from the others."""
    is_open = settings.earliest is None, settings.latest is None
    problems = check_notation(table, seconds, are_numbers=column.are_numbers) if any(is_open) else []
    return problems or check_distances(table, seconds, before=is_open[0], after=is_open[1])


def _latest(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the last row of each pair, and earlier rows that may be as recent; rows are sorted by pair, then time."""
    if rows.is_empty():
        return rows, rows
    same_as_next = (pl.col(MEMBER_ID) == pl.col(MEMBER_ID).shift(-1)) & (pl.col(MOVIE_ID) == pl.col(MOVIE_ID).shift(-1))
    rows = rows.with_columns(earlier=same_as_next.fill_null(False))
    next_is_last = ~pl.col("earlier").shift(-1, fill_value=False)
    as_late = pl.col(RATED_AT).is_null() | (next_is_last & (pl.col(RATED_AT) == pl.col(RATED_AT).shift(-1)))
    ambiguous = rows.filter(pl.col("earlier") & as_late)
    return rows.filter(~pl.col("earlier")).drop("earlier"), ambiguous.drop("earlier")
