"""Checks whether times are near each other, and whether numbers are seconds since 1970 rather than another notation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from model.facts.facts import SECONDS_PER_DAY
from training.errors import Problem

SECONDS_PER_YEAR = 365.2425 * SECONDS_PER_DAY

YEARS_APART = 10
"""Minimum number of years without any time between times that are far from each other."""

RANGES_APART = 5
"""Minimum distance of a few times that are far outside the others, as a multiple of the range of the others."""

MOST_FAR_SHARE, FEWEST_TIMES = 0.01, 100
"""Maximum share of times that are a few, and minimum number of times of which they are a share."""

FIRST_YEAR, LAST_YEAR = 1971, 2090
"""Times before and from these years on are placeholders, such as 0, 1900-01-01 or 9999-12-31, if others are far."""

FIRST_LIKELY_YEAR, LAST_LIKELY_YEAR = 1985, 2038
"""Between these years, a few times that are far outside the others are possible."""

MANY_TIMES = 200
"""Minimum number of times of which at least one is between these years; fewer may be relative to another beginning."""

YEARS, DAYS = (1900, 2100), (7_000, 60_000)
"""Ranges of numbers that are years, and days since 1970 (from 1989) or of a spreadsheet (from 1919 to 2064)."""

DIGITS = {"YYYYMM": (12,), "YYYYMMDD": (31, 12), "YYYYMMDDHHMM": (59, 23, 31, 12)}
"""Notations of dates as whole numbers, and the highest value of each pair of digits after the year, last pair first."""

LIKELY_SECONDS = (30_000_000.0, 100_000_000_000.0)
"""Range of seconds since 1970 in which no number is in one of the other notations."""

LEAST_SHARE = 0.95
"""Minimum share of the numbers in another notation; the rest may be placeholders such as 0."""

JANUARY_1970 = (1.0, 31 * SECONDS_PER_DAY)
"""Range of times that result when seconds are read as milliseconds, milliseconds as microseconds, and so on."""

REMEDY = (
    "write times as ISO 8601 text, timestamps or seconds since 1970; if the times are right, write earliest and latest "
    "under [{}] in schema.toml"
)


@dataclass(frozen=True)
class Stretch:
    """Consecutive times without a long interval between them."""

    first: float
    """First time, in seconds since 1970 UTC."""
    last: float
    """Last time, in seconds since 1970 UTC."""
    rows: int
    """Number of times."""

    @property
    def is_placeholder(self) -> bool:
        """Whether the times are before or after all that a service can have recorded."""
        return self.last < _start(FIRST_YEAR) or self.first >= _start(LAST_YEAR)

    @property
    def is_likely(self) -> bool:
        """Whether a service can have recorded the times."""
        return _start(FIRST_LIKELY_YEAR) <= self.first and self.last < _start(LAST_LIKELY_YEAR)


@dataclass(frozen=True)
class Times:
    """The known times of a column, in seconds since 1970 UTC, by year."""

    column: str
    """Name of the column."""
    years: pl.DataFrame
    """`first` time, `last` time and number of times, `rows`, of each year with any, in chronological order."""
    example: float | None
    """The time that is first in the files; None without any."""

    @property
    def rows(self) -> int:
        """Number of times."""
        return int(self.years["rows"].sum())


def years_of(rows: pl.LazyFrame, column: str) -> pl.LazyFrame:
    """Return the years of a column of times, as they stand in `Times`."""
    seconds = pl.col(column)
    of_year = rows.filter(seconds.is_not_null()).group_by((seconds / SECONDS_PER_YEAR).floor().alias("year"))
    ends = of_year.agg(seconds.min().alias("first"), seconds.max().alias("last"), pl.len().alias("rows"))
    return ends.sort("year").drop("year")


Shares = Callable[[Sequence[pl.Expr]], Sequence[float]]
"""Function that returns the shares of the known times, which are the column of expressions, that meet conditions."""


def check_notation(table: str, times: Times, shares: Shares | None) -> list[Problem]:
    """Return a problem if the times result from another notation or unit.

    It is a warning if all are within a day from 1970 on, as numbers that only state an order.
    `shares` is None if the file contains timestamps or ISO 8601 text rather than numbers.
    """
    if times.example is None:
        return []
    lowest, highest = float(times.years["first"][0]), float(times.years["last"][-1])
    if shares is not None and (notation := _notation(times.column, lowest, highest, shares)) is not None:
        text = f"with numbers that look like {notation}, not like seconds since 1970"
        return [Problem(table, text, times.column, times.rows, f"{times.example:.15g}", REMEDY.format(table))]
    is_unit_lost = shares is None and JANUARY_1970[0] <= lowest < highest < JANUARY_1970[1]
    if is_unit_lost:
        text = (
            "with a time in January 1970, as if seconds had been read as milliseconds, or milliseconds as microseconds"
        )
    elif times.rows >= MANY_TIMES and not _is_any_likely(lowest, highest):
        text = f"with a time before {FIRST_LIKELY_YEAR} or after {LAST_LIKELY_YEAR - 1}, which are all"
        if lowest >= 0 and highest < SECONDS_PER_DAY:
            return [Problem(table, text, times.column, times.rows, _iso(times.example), is_warning=True)]
    else:
        return []
    return [Problem(table, text, times.column, times.rows, _iso(times.example), REMEDY.format(table))]


def _is_any_likely(lowest: float, highest: float) -> bool:
    return highest >= _start(FIRST_LIKELY_YEAR) and lowest < _start(LAST_LIKELY_YEAR)


def check_distances(table: str, times: Times, *, before: bool, after: bool) -> list[Problem]:
    """Return a problem for times that are far before or after the others.

    The times before or after the others are only checked if `before` or `after` is true.
    """
    stretches = _stretches(times.years, YEARS_APART)
    if not stretches:
        return []
    likely = [stretch for stretch in stretches if not stretch.is_placeholder] or stretches
    main = max(likely, key=lambda stretch: stretch.rows)
    place = stretches.index(main)
    problems = []
    for others, is_checked in ((stretches[:place], before), (stretches[place + 1 :], after)):
        far = [stretch for stretch in others if _is_far(stretch, main, times.rows)]
        if far and is_checked:
            problems.append(_problem(table, times.column, far, main))
    return problems or _late_times(table, times)


def _is_far(stretch: Stretch, main: Stretch, rows: int) -> bool:
    distance = max(main.first - stretch.last, stretch.first - main.last)
    is_few = rows >= FEWEST_TIMES and stretch.rows <= MOST_FAR_SHARE * rows
    return stretch.is_placeholder or (is_few and distance > RANGES_APART * (main.last - main.first))


def _problem(table: str, column: str, far: list[Stretch], main: Stretch) -> Problem:
    is_before = far[0].first < main.first
    example = _iso(far[0].first if is_before else far[-1].last)
    side, key = ("before", "earliest") if is_before else ("after", "latest")
    text = f"far {side} the others"
    is_warning = all(stretch.is_likely for stretch in far)
    remedy = (
        f'correct them, or write under [{table}] in schema.toml missing = ["{example}"] if they stand for an unknown '
        f"time, or {key} = {example[:10]} if they are right"
    )
    rows = sum(stretch.rows for stretch in far)
    return Problem(table, text, column, rows, example, None if is_warning else remedy, is_warning)


def _late_times(table: str, times: Times) -> list[Problem]:
    """Return a warning if a few times are more than a year after all others."""
    *others, last = _stretches(times.years, 1)
    if times.rows < FEWEST_TIMES or not others or last.rows > MOST_FAR_SHARE * times.rows:
        return []
    text = "more than a year after all others; recency is measured from the latest play"
    return [Problem(table, text, times.column, last.rows, _iso(last.last), is_warning=True)]


def _stretches(years: pl.DataFrame, apart: float) -> list[Stretch]:
    """Return the stretches of times that are separated by more than the given number of years."""
    stretches: list[Stretch] = []
    for year in (Stretch(*row) for row in years.select("first", "last", "rows").iter_rows()):
        if stretches and year.first - stretches[-1].last <= apart * SECONDS_PER_YEAR:
            before = stretches.pop()
            stretches.append(Stretch(before.first, year.last, before.rows + year.rows))
        else:
            stretches.append(year)
    return stretches


def _notation(column: str, lowest: float, highest: float, shares: Shares) -> str | None:
    """Return the notation that nearly all numbers are in, if they can't be seconds since 1970."""
    if LIKELY_SECONDS[0] <= lowest and highest <= LIKELY_SECONDS[1]:
        return None
    notations = {
        "years": pl.col(column).is_between(*YEARS),
        "days since 1970 or of a spreadsheet": pl.col(column).is_between(*DAYS),
    } | {f"dates in the form {notation}": _are_dates(column, limits) for notation, limits in DIGITS.items()}
    for notation, share in zip(notations, shares(list(notations.values())), strict=True):
        if share >= LEAST_SHARE:
            return notation
    return None


def _are_dates(column: str, limits: tuple[int, ...]) -> pl.Expr:
    """Return which numbers are dates as whole numbers, with `limits` of the pairs of digits after the year."""
    rest = pl.col(column).cast(pl.Int64)
    are_dates = pl.col(column) == rest
    for high in limits:
        are_dates &= (rest % 100).is_between(0 if high in (23, 59) else 1, high)
        rest //= 100
    return are_dates & rest.is_between(*YEARS)


def _start(year: int) -> float:
    return datetime(year, 1, 1, tzinfo=UTC).timestamp()


def _iso(seconds: float) -> str:
    """Return a time as ISO 8601 text in UTC, without the time of day if it is midnight."""
    return iso_8601(seconds).removesuffix("T00:00:00")


def iso_8601(seconds: float) -> str:
    """Return a time, in seconds since 1970 UTC, as ISO 8601 text with whole seconds and without `Z`."""
    moment = datetime(1970, 1, 1) + timedelta(seconds=seconds)  # noqa: DTZ001 # in UTC, and written without it
    return moment.isoformat(timespec="seconds")
