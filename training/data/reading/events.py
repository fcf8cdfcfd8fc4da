"""Reads the ratings and plays tables, in which each row is about a member and a movie."""

import polars as pl

from features.columns import COMPLETION, MEMBER_ID, MOVIE_ID, PLAYED_AT, RATED_AT, RATING
from features.values import column_types, ids, missing, numbers, times
from training.data.reading.checks import Check, failed, missing_columns, needs_id, needs_number, odd_headers, tally
from training.data.reading.sources import Source, collect
from training.errors import DataError, Problem

PAIR = [MEMBER_ID, MOVIE_ID]

FEWEST_RATERS = 20
"""Minimum number of members who rate."""

NO_TIME = "with a time that can't be read (ISO 8601, or seconds, not milliseconds, since 1970)"


def read_ratings(source: Source, scale: tuple[float, float] | None) -> tuple[pl.DataFrame, list[Problem]]:
    """Return the latest rating of each pair of member and movie, sorted by pair, and all problems with the values.

    `rated_at` is in seconds since 1970 UTC, null if unknown. `scale` is the scale set in schema.toml, None if not set.
    Raises DataError if columns are missing, unnamed or of the wrong type, because their values can't be checked then.
    """
    _refuse_wrong_columns(source, {RATING: column_types.NUMBER_TYPES}, {RATED_AT: column_types.TIME_TYPES})
    dtype = source.dtypes[RATING]
    rating, given = numbers.number(RATING, dtype), missing.is_given(RATING, dtype)
    checks = [
        Check(RATING, ~given, "without a rating", show=False),
        needs_number(RATING, given & rating.is_null()),
    ]
    if scale is not None:
        outside = f"outside the scale {scale[0]:g} to {scale[1]:g} that schema.toml gives"
        checks.append(Check(RATING, ~rating.is_between(*scale), outside))
    rated_at, time_checks = _time(source, RATED_AT)
    rows, problems = _read(source, [rating.alias(RATING), rated_at], checks + time_checks)
    problems += _too_few(source.table, rows)
    rows = rows.drop_nulls([*PAIR, RATING]).sort([*PAIR, RATED_AT], nulls_last=False)
    latest, ambiguous = _latest(rows)
    if not ambiguous.is_empty():
        why = "rated_at doesn't tell" if RATED_AT in source.dtypes else "there is no rated_at to tell"
        text = f"with a second rating of one pair, and {why} the latest"
        pair = "member {}, movie {}".format(*ambiguous.select(PAIR).row(0))
        problems.append(Problem(source.table, text, rows=len(ambiguous), example=pair))
    return latest, problems


def read_plays(source: Source) -> tuple[pl.DataFrame, list[Problem]]:
    """Return the rows of the plays table, and all problems with their values.

    `played_at` is in seconds since 1970 UTC and `completion` from 0 to 1; both are null if unknown. Raises DataError if
    columns are missing, unnamed or of the wrong type, because their values can't be checked then.
    """
    _refuse_wrong_columns(source, {}, {PLAYED_AT: column_types.TIME_TYPES, COMPLETION: column_types.NUMBER_TYPES})
    played_at, checks = _time(source, PLAYED_AT)
    completion = pl.lit(None, pl.Float64)
    if COMPLETION in source.dtypes:
        dtype = source.dtypes[COMPLETION]
        completion = numbers.number(COMPLETION, dtype)
        checks += [
            needs_number(COMPLETION, missing.is_given(COMPLETION, dtype) & completion.is_null()),
            Check(COMPLETION, ~completion.is_between(0, 1), "outside 0 to 1"),
        ]
    return _read(source, [played_at, completion.alias(COMPLETION)], checks)


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
    checks = [*map(needs_id, PAIR), *checks]
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


def _time(source: Source, column: str) -> tuple[pl.Expr, list[Check]]:
    """Return the expression that reads an optional column of times in seconds, and the checks of this column."""
    dtype = source.dtypes.get(column)
    if dtype is None:
        return pl.lit(None, pl.Float64).alias(column), []
    given, seconds = missing.is_given(column, dtype), times.seconds(column, dtype)
    if column_types.is_text(dtype):
        counted = times.counted_seconds(column, dtype)
        (all_counted,) = collect(source, source.rows.select((~given | counted.is_not_null()).all()))
        if all_counted.item():  # then skip date patterns, which take several times as long as all other reading
            seconds = counted
    return seconds.alias(column), [Check(column, given & seconds.is_null(), NO_TIME)]


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
