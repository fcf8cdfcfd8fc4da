"""Polars expressions that convert the values of a column to ids, numbers, times, categories or genres."""

from datetime import UTC, datetime

import polars as pl

ID_TYPES = "text or whole numbers"
NUMBER_TYPES = "numbers"
TIME_TYPES = "ISO 8601 text, seconds since 1970 or timestamps"
GENRES_TYPES = "a list of text, or text split by |"

EARLIEST_SECONDS = datetime(1, 1, 1, tzinfo=UTC).timestamp()
LATEST_SECONDS = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
"""Latest valid time, in seconds since 1970 UTC. Times in milliseconds exceed it, so they are rejected, not misread."""

ISO_8601 = (
    r"^(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[Tt ]+(?P<time>\d{2}:\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?)?"
    r" *(?:[Zz]|(?P<hours>[+-]\d{2}):?(?P<minutes>\d{2})?)?$"
)
"""A date, optionally followed by a time of day and a time zone."""


def is_text(dtype: pl.DataType) -> bool:
    """Return whether the type holds text. Categorical and Enum do too: other tools use them for repeated text."""
    return dtype == pl.String or dtype == pl.Categorical or isinstance(dtype, pl.Enum)


def is_id(dtype: pl.DataType) -> bool:
    """Return whether a column of this type can hold ids; only text and integers can."""
    return is_text(dtype) or dtype.is_integer()


def is_number(dtype: pl.DataType) -> bool:
    """Return whether a column of this type can hold numbers, possibly written as text, or only nulls."""
    return dtype.is_numeric() or is_text(dtype) or dtype == pl.Null


def is_time(dtype: pl.DataType) -> bool:
    """Return whether a column of this type can hold times."""
    return is_number(dtype) or dtype == pl.Datetime or dtype == pl.Date


def is_genres(dtype: pl.DataType) -> bool:
    """Return whether a column of this type can hold genres."""
    return is_text(dtype) or dtype == pl.Null or (isinstance(dtype, pl.List) and is_text(dtype.inner))  # type: ignore[arg-type]


def text(column: str) -> pl.Expr:
    """Return an expression for trimmed text; null if blank."""
    trimmed = pl.col(column).cast(pl.String).str.strip_chars()
    return pl.when(trimmed != "").then(trimmed)


def id_text(column: str) -> pl.Expr:
    """Return an expression for an id, which isn't trimmed; null if blank."""
    written = pl.col(column).cast(pl.String)
    return pl.when(written.str.strip_chars() != "").then(written)


def number(column: str, dtype: pl.DataType) -> pl.Expr:
    """Return an expression for a finite number; null if the value isn't one."""
    read = text(column).cast(pl.Float64, strict=False) if is_text(dtype) else pl.col(column).cast(pl.Float64)
    return pl.when(read.is_finite()).then(read)


def is_given(column: str, dtype: pl.DataType) -> pl.Expr:
    """Return an expression for whether a value is present; blank text and NaN count as missing."""
    if is_text(dtype):
        return text(column).is_not_null()
    given = pl.col(column).is_not_null()
    return given & pl.col(column).is_not_nan() if dtype.is_float() else given


def seconds(column: str, dtype: pl.DataType) -> pl.Expr:
    """Return an expression for a time in seconds since 1970 UTC; null if unreadable. The default time zone is UTC."""
    if dtype == pl.Datetime or dtype == pl.Date:
        return pl.col(column).dt.timestamp("us").cast(pl.Float64) / 1e6
    counted = counted_seconds(column, dtype)
    return pl.coalesce(counted, _iso_seconds(column)) if is_text(dtype) else counted


def counted_seconds(column: str, dtype: pl.DataType) -> pl.Expr:
    """Return an expression for a time that is given as a number of seconds since 1970 UTC; null if it isn't."""
    counted = number(column, dtype)
    return pl.when(counted.is_between(EARLIEST_SECONDS, LATEST_SECONDS)).then(counted)


def _iso_seconds(column: str) -> pl.Expr:
    part = text(column).str.extract_groups(ISO_8601).struct
    zone = part.field("hours") + ":" + part.field("minutes").fill_null("00")
    written = pl.format(
        "{}T{}:{}.{}{}",
        part.field("date"),
        part.field("time").fill_null("00:00"),
        part.field("second").fill_null("00"),
        part.field("fraction").fill_null("0"),
        zone.fill_null("+00:00"),
    )
    read = written.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="us", time_zone="UTC", strict=False)
    return read.dt.timestamp("us").cast(pl.Float64) / 1e6


def category(column: str, dtype: pl.DataType) -> pl.Expr:
    """Return an expression for the name of a category: `false` or `true` for booleans, no decimal point in integers."""
    if dtype.is_float() or dtype.is_decimal():
        given = number(column, dtype)
        whole = given.cast(pl.Int64, strict=False).cast(pl.String)
        return pl.when(given == given.floor()).then(whole).otherwise(given.cast(pl.String))
    return text(column)


def genres(column: str, dtype: pl.DataType) -> pl.Expr:
    """Return an expression for genres, trimmed, sorted and unique; null if empty, since every movie has a genre."""
    split = pl.col(column) if isinstance(dtype, pl.List) else pl.col(column).cast(pl.String).str.split("|")
    trimmed = split.cast(pl.List(pl.String)).list.eval(pl.element().str.strip_chars())
    named = trimmed.list.eval(pl.element().filter(pl.element() != "")).list.unique().list.sort()
    return pl.when(named.list.len() > 0).then(named)
