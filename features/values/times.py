"""Times in seconds since 1970 UTC: numbers of seconds, timestamps and ISO 8601 text."""

from collections.abc import Collection

import polars as pl

from features.values.column_types import is_text
from features.values.missing import NO_MARKS, text
from features.values.numbers import read_number

EARLIEST_SECONDS, LATEST_SECONDS = -62_135_596_800.0, 253_402_300_799.0
"""First and last second of the years 1 to 9999. Times in milliseconds exceed it, so they are rejected, not misread."""

ISO_8601 = (
    r"^(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[Tt ]+(?P<time>\d{2}:\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?)?"
    r" *(?:[Zz]|(?P<hours>[+-]\d{2}):?(?P<minutes>\d{2})?)?$"
)
"""A date, optionally followed by a time of day and a time zone."""


def is_time(seconds: float) -> bool:
    """Return whether a number of seconds since 1970 UTC is a time of the years 1 to 9999."""
    return EARLIEST_SECONDS <= seconds < LATEST_SECONDS + 1


def seconds(column: str, dtype: pl.DataType, marks: Collection[str] = NO_MARKS) -> pl.Expr:
    """Return an expression for a time in seconds since 1970 UTC; null if missing or unreadable. Times without a zone
    are in UTC."""
    if dtype == pl.Datetime or dtype == pl.Date:
        return pl.col(column).dt.timestamp("us").cast(pl.Float64) / 1e6
    counted = counted_seconds(column, dtype, marks)
    return pl.coalesce(counted, _iso_seconds(column, marks)) if is_text(dtype) else counted


def counted_seconds(column: str, dtype: pl.DataType, marks: Collection[str] = NO_MARKS) -> pl.Expr:
    """Return an expression for a time that is given as a number of seconds since 1970 UTC; null if it isn't."""
    counted = read_number(column, dtype, marks)
    return pl.when(counted.is_between(EARLIEST_SECONDS, LATEST_SECONDS + 1, closed="left")).then(counted)


def _iso_seconds(column: str, marks: Collection[str]) -> pl.Expr:
    part = text(column, marks).str.extract_groups(ISO_8601).struct
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
