"""Times are read as seconds since 1970 in UTC, however they are written."""

from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from training.data.reading.tables import read_tables
from training.errors import DataError

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("2024-03-01T12:00:00Z", NOON),
        ("2024-03-01T12:00:00", NOON),
        ("2024-03-01 12:00", NOON),
        ("2024-03-01t13:30:00+01:30", NOON),
        ("2024-03-01T07:00:00.000-0500", NOON),
        ("2024-03-01T14+02", None),
        ("2024-03-01T14:00:00+02", NOON),
        ("2024-03-01T12:00:00.25Z", NOON + 0.25),
        ("2024-03-01T12:00:00,25", NOON + 0.25),
        ("2024-03-01", NOON - 12 * 3600),
        (f" {NOON:.0f} ", NOON),
        (f"{NOON}", NOON),
        ("-86400", -86400),
        ("1.709294400e9", NOON),
    ],
)
def test_times_are_read_as_seconds_in_utc(write_data, tables, written, seconds):
    ratings = tables["ratings"].with_columns(rated_at=pl.lit(written))
    folder = write_data("csv", ratings=ratings)
    if seconds is None:
        with pytest.raises(DataError, match="with a time that can't be read"):
            read_tables(folder)
    else:
        assert read_tables(folder).ratings["rated_at"].unique().to_list() == [seconds]


@pytest.mark.parametrize(
    "times",
    [
        pl.Series([datetime(2024, 3, 1, 12)] * 100),  # noqa: DTZ001 - a time without a zone is in UTC
        pl.Series([datetime(2024, 3, 1, 12, tzinfo=UTC)] * 100),
        pl.Series([datetime(2024, 3, 1, 12, tzinfo=UTC)] * 100)
        .dt.convert_time_zone("Asia/Tokyo")
        .dt.cast_time_unit("ns"),
        pl.Series([int(NOON)] * 100),
        pl.Series([NOON] * 100),
        pl.Series(["2024-03-01", *["2024-03-01T12:00Z"] * 98, str(NOON)]),
    ],
)
def test_times_in_parquet_may_be_timestamps_numbers_or_text(write_data, tables, times):
    read = read_tables(write_data("parquet", ratings=tables["ratings"].with_columns(times.alias("rated_at"))))
    assert read.ratings["rated_at"].max() == NOON
    assert read.ratings["rated_at"].null_count() == 0


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60),
    st.booleans(),
)
def test_what_python_writes_as_iso_8601_is_read(write_data, tables, moment, offset_minutes, with_t):
    moment = moment.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    ratings = tables["ratings"].with_columns(rated_at=pl.lit(moment.isoformat("T" if with_t else " ")))
    read = read_tables(write_data("csv", ratings=ratings)).ratings["rated_at"]
    assert read[0] == pytest.approx(moment.timestamp(), abs=2e-6)
