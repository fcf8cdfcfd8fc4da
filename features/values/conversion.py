"""How the values of a column become ids, numbers, times, categories and genres."""

from datetime import UTC, datetime

import polars as pl

ID_TYPES = "text or whole numbers"
NUMBER_TYPES = "numbers"
TIME_TYPES = "ISO 8601 text, seconds since 1970 or timestamps"
GENRES_TYPES = "a list of text, or text split by |"

EARLIEST_SECONDS = datetime(1, 1, 1, tzinfo=UTC).timestamp()
LATEST_SECONDS = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
"""Times in seconds end here; milliseconds since 1970 lie beyond, so they are noticed instead of misread."""

ISO_8601 = (
    r"^(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[Tt ]+(?P<time>\d{2}:\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?)?"
    r" *(?:[Zz]|(?P<hours>[+-]\d{2}):?(?P<minutes>\d{2})?)?$"
)
"""A date, then perhaps a time of day, then perhaps a zone."""


def is_text(dtype: pl.DataType) -> bool:
    """Text in any of its forms; Categorical and Enum are how other tools write repeated text."""
    return dtype == pl.String or dtype == pl.Categorical or isinstance(dtype, pl.Enum)


def is_id(dtype: pl.DataType) -> bool:
    """Whether ids can have this type: a fraction can't name anyone."""
    return is_text(dtype) or dtype.is_integer()


def is_number(dtype: pl.DataType) -> bool:
    """Whether numbers can have this type; text is read value by value, and all missing is no matter."""
    return dtype.is_numeric() or is_text(dtype) or dtype == pl.Null


def is_time(dtype: pl.DataType) -> bool:
    """Whether times can have this type."""
    return is_number(dtype) or dtype == pl.Datetime or dtype == pl.Date


def is_genres(dtype: pl.DataType) -> bool:
    """Whether genres can have this type."""
    return is_text(dtype) or dtype == pl.Null or (isinstance(dtype, pl.List) and is_text(dtype.inner))  # type: ignore[arg-type]


def text(column: str) -> pl.Expr:
    """Trimmed text; blank counts as missing."""
    trimmed = pl.col(column).cast(pl.String).str.strip_chars()
    return pl.when(trimmed != "").then(trimmed)


def id_text(column: str) -> pl.Expr:
    """An id as it stands; blank counts as missing."""
    written = pl.col(column).cast(pl.String)
    return pl.when(written.str.strip_chars() != "").then(written)


def number(column: str, dtype: pl.DataType) -> pl.Expr:
    """A finite number; missing where there is none."""
    read = text(column).cast(pl.Float64, strict=False) if is_text(dtype) else pl.col(column).cast(pl.Float64)
    return pl.when(read.is_finite()).then(read)


def is_given(column: str, dtype: pl.DataType) -> pl.Expr:
    """Whether there is a value at all; NaN is how other tools write a missing number."""
    if is_text(dtype):
        return text(column).is_not_null()
    given = pl.col(column).is_not_null()
    return given & pl.col(column).is_not_nan() if dtype.is_float() else given


def seconds(column: str, dtype: pl.DataType) -> pl.Expr:
    """A time in seconds since 1970 UTC; missing where it can't be read. A time without a zone is in UTC."""
    if dtype == pl.Datetime or dtype == pl.Date:
        return pl.col(column).dt.timestamp("us").cast(pl.Float64) / 1e6
    counted = counted_seconds(column, dtype)
    return pl.coalesce(counted, _iso_seconds(column)) if is_text(dtype) else counted


def counted_seconds(column: str, dtype: pl.DataType) -> pl.Expr:
    """A time in seconds since 1970 UTC that is written so; missing where it isn't."""
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
    """A category's name: flags as `false` and `true`, whole numbers without a decimal point."""
    if dtype.is_float() or dtype.is_decimal():
        given = number(column, dtype)
        whole = given.cast(pl.Int64, strict=False).cast(pl.String)
        return pl.when(given == given.floor()).then(whole).otherwise(given.cast(pl.String))
    return text(column)


def genres(column: str, dtype: pl.DataType) -> pl.Expr:
    """Trimmed, sorted, each once; missing where none is named, since every movie has one."""
    split = pl.col(column) if isinstance(dtype, pl.List) else pl.col(column).cast(pl.String).str.split("|")
    trimmed = split.cast(pl.List(pl.String)).list.eval(pl.element().str.strip_chars())
    named = trimmed.list.eval(pl.element().filter(pl.element() != "")).list.unique().list.sort()
    return pl.when(named.list.len() > 0).then(named)
