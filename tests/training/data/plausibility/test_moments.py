"""Times in another notation, and placeholders for unknown times, are refused until schema.toml states the range."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from tests.training.conftest import refusal
from training.data.reading.tables import read_tables
from training.errors import DataError

FIRST = datetime(2022, 3, 1, 12, tzinfo=UTC)
TIMES = [FIRST + timedelta(days=3 * place) for place in range(200)]
KINDS = ("csv", "parquet")


def plays(times: pl.Series) -> pl.DataFrame:
    """Plays at these times, each of another pair."""
    rows = pl.int_range(len(times), eager=True)
    movies = pl.Series([f"m{place % 8}" for place in rows])
    return pl.DataFrame({"member_id": [f"r{row % 25:02}" for row in rows], "movie_id": movies, "played_at": times})


def written(times: list, form: str) -> pl.Series:
    """The times as seconds, timestamps or ISO 8601 text."""
    column = pl.Series(times, dtype=pl.Datetime("us", "UTC"))
    forms = {"seconds": column.dt.epoch("s"), "timestamps": column, "text": column.dt.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return forms[form]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("notation", "form"),
    [
        ("days", lambda time: (time - datetime(1970, 1, 1, tzinfo=UTC)).days),
        ("days", lambda time: (time - datetime(1899, 12, 30, tzinfo=UTC)) / timedelta(days=1)),
        ("YYYYMMDD", lambda time: int(f"{time:%Y%m%d}")),
        ("YYYYMM", lambda time: int(f"{time:%Y%m}")),
        ("YYYYMMDDHHMM", lambda time: int(f"{time:%Y%m%d%H%M}")),
        ("years", lambda time: time.year),
    ],
)
@pytest.mark.parametrize("placeholders", [0, 5])
def test_numbers_in_another_notation_are_refused(write_data, kind, notation, form, placeholders):
    numbers = pl.Series([0] * placeholders + [form(time) for time in TIMES[placeholders:]], dtype=pl.Float64)
    numbers = numbers if (numbers != numbers.floor()).any() else numbers.cast(pl.Int64)
    message = refusal(write_data(kind, plays=plays(numbers)))
    assert message.startswith("plays, column played_at: 200 rows with numbers that look like ")
    assert notation in message
    assert "write times as ISO 8601 text" in message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "form",
    [
        lambda time: time.timestamp() / 60,
        lambda time: time.timestamp() / 3600,
        lambda time: time.timestamp() / 86_400 + 2_440_587.5,
        lambda time: time.timestamp() + 2_082_844_800,
        lambda time: int(f"{time:%y%m%d}"),
        lambda _: "1900-01-01",
    ],
    ids=["minutes", "hours", "Julian days", "seconds since 1904", "YYMMDD", "1900"],
)
def test_many_times_when_no_service_recorded_any_are_refused_until_they_are_stated(write_data, kind, form):
    times = plays(pl.Series([form(time) for time in TIMES]))
    message = refusal(write_data(kind, plays=times))
    assert message.startswith("plays, column played_at: 200 rows with a time before 1985 or after 2037, which are all")
    assert read_tables(write_data(kind, "[plays]\nearliest = 1900-01-01\nlatest = 2100-01-01", plays=times))


@pytest.mark.parametrize("form", [lambda _: 0, TIMES.index], ids=["0", "numbers of rows"])
def test_numbers_that_only_state_an_order_are_a_warning(write_data, form):
    [warning] = read_tables(write_data("parquet", plays=plays(pl.Series(map(form, TIMES))))).warnings
    assert str(warning).startswith("plays, column played_at: 200 rows with a time before 1985 or after 2037")


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_timestamps_whose_unit_was_lost_are_refused(write_data, unit):
    seconds = written(TIMES, "seconds") * {"ms": 1, "us": 1000, "ns": 1_000_000}[unit]
    message = refusal(write_data("parquet", plays=plays(seconds.cast(pl.Datetime(unit)))))
    assert "200 rows with a time in January 1970" in message


@pytest.mark.parametrize("form", ["seconds", "timestamps", "text"])
@pytest.mark.parametrize("rows", [1, 60])
@pytest.mark.parametrize(
    ("placeholder", "key"),
    [
        (datetime(1970, 1, 1), "earliest"),  # noqa: DTZ001 # all are in UTC
        (datetime(1900, 1, 1), "earliest"),  # noqa: DTZ001
        (datetime(1, 1, 1), "earliest"),  # noqa: DTZ001
        (datetime(9999, 12, 31), "latest"),  # noqa: DTZ001
        (datetime(2099, 12, 31, 23, 59, 59), "latest"),  # noqa: DTZ001
    ],
)
def test_placeholders_for_unknown_times_are_refused_until_they_are_stated(write_data, form, rows, placeholder, key):
    times = plays(written([placeholder.replace(tzinfo=UTC)] * rows + TIMES[rows:], form))
    message = refusal(write_data("parquet", plays=times))
    shown = placeholder.isoformat().removesuffix("T00:00:00")
    side = "before" if key == "earliest" else "after"
    assert f"{rows} row{'s' * (rows > 1)} far {side} the others, for example {shown!r}; " in message
    assert f'missing = ["{shown}"]' in message
    stated = read_tables(write_data("parquet", f'[plays]\nmissing = ["{shown}"]', plays=times))
    assert stated.plays["played_at"].null_count() == rows
    assert f"{key} = {shown[:10]}" in message
    kept = read_tables(write_data("parquet", f"[plays]\n{key} = {shown[:10]}", plays=times)).plays["played_at"]
    assert placeholder.replace(tzinfo=UTC).timestamp() in kept


def test_few_times_far_from_many_are_refused_or_a_warning(write_data):
    for far, is_refused in ((datetime(2060, 1, 1, tzinfo=UTC), True), (datetime(2004, 5, 1, tzinfo=UTC), False)):
        folder = write_data("csv", plays=plays(written([far, *TIMES[1:]], "text")))
        if is_refused:
            assert "1 row far after the others" in refusal(folder)
        else:
            (warning,) = read_tables(folder).warnings
            assert str(warning).endswith("1 row far before the others, for example '2004-05-01'")
            assert warning.note.endswith("1 row far before the others")


def test_few_times_more_than_a_year_after_the_others_are_a_warning(write_data):
    folder = write_data("csv", plays=plays(written([*TIMES[1:], TIMES[-1] + timedelta(days=600)], "text")))
    (warning,) = read_tables(folder).warnings
    assert str(warning).startswith("plays, column played_at: 1 row more than a year after all others")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "times",
    [
        [1, 2, 3],
        [100],
        [0],
        [0, 86_400, 172_800],
        [1_200_000_000, 1_700_000_000],
        [946_684_800],
        ["1995-01-01", "2024-06-01", None],
        ["2001-01-01", "2024-06-01T12:00:00+02:00"],
        ["1969-12-31", "1970-01-02"],
    ],
)
def test_other_times_pass_without_a_warning(write_data, kind, times):
    assert read_tables(write_data(kind, plays=plays(pl.Series(times)))).warnings == ()


def test_times_outside_the_stated_range_are_refused(write_data):
    schema = "[plays]\nearliest = 2022-03-02\nlatest = 2023-10-01T00:00:00Z\n[ratings]\nlatest = 1999-01-01"
    folder = write_data("csv", schema, plays=plays(written(TIMES, "text")))
    assert refusal(folder).splitlines() == [
        f"plays, column played_at: {problem} time that schema.toml gives, for example '{example}T12:00:00Z'"
        for problem, example in (
            ("1 row before 2022-03-02, the earliest", "2022-03-01"),
            ("7 rows after 2023-10-01 00:00:00+00:00, the latest", "2023-10-01"),
        )
    ]


def test_the_day_that_is_latest_lasts_until_its_end(write_data):
    times = plays(written([*TIMES, datetime(2024, 5, 5, 23, 59, 59, tzinfo=UTC)], "text"))
    assert read_tables(write_data("csv", "[plays]\nlatest = 2024-05-05", plays=times))
    with pytest.raises(DataError, match="1 row after 2024-05-04, the latest time"):
        read_tables(write_data("csv", "[plays]\nlatest = 2024-05-04", plays=times))


@pytest.mark.parametrize("kind", KINDS)
def test_times_of_ratings_are_checked_too(write_data, tables, kind):
    days = tables["ratings"].with_columns(rated_at=19_700 + pl.int_range(pl.len()))
    assert "ratings, column rated_at: 100 rows with numbers that look like days" in refusal(
        write_data(kind, ratings=days)
    )
