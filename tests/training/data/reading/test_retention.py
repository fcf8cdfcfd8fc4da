"""What is older than a number of days is left out, and what has no time is counted."""

import polars as pl
import pytest

from model.facts.outcome_record import Outcome, to_line
from training.data.reading.recorded_outcomes import latest_outcome, with_outcomes
from training.data.reading.retention import Retention
from training.data.reading.tables import read_tables
from training.errors import DataError
from training.versions.provenance import fingerprint

DAY, END = 86_400, 1_700_000_000


@pytest.fixture
def timed(tables):
    """Ratings of the last 48 hours, then some of 10 to 12 days before, and of an unknown time."""
    ratings = tables["ratings"].with_row_index("row")
    age = pl.when(pl.col("row") % 10 == 0).then(10 * DAY + pl.col("row") * 60).otherwise(pl.col("row") * 60)
    rated_at = pl.when(pl.col("row") % 10 != 1).then(END - age)
    plays = pl.DataFrame(
        {
            "member_id": ["lurker", "old", "old", "r00"],
            "movie_id": ["m0", "m1", "m2", "m0"],
            "played_at": [END - 3600, END - 20 * DAY, None, END - 20 * DAY],
        }
    )
    return tables | {"ratings": ratings.with_columns(rated_at=rated_at).drop("row"), "plays": plays}


def kept(rows, column, *, untimed):
    is_new = pl.col(column) >= END - 60 * 60 - 5 * DAY
    return rows.filter(is_new.fill_null(untimed))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("drops_untimed", [False, True])
def test_what_is_left_is_what_tables_without_the_old_rows_give(write_data, timed, tmp_path, kind, drops_untimed):
    wanted = timed | {
        name: kept(timed[name], column, untimed=not drops_untimed)
        for name, column in (("ratings", "rated_at"), ("plays", "played_at"))
    }
    reference = fingerprint(read_tables(write_data(kind, **wanted)))
    work = tmp_path / "work"
    work.mkdir()
    tables = read_tables(write_data(kind, **timed), work, retention=Retention(5, drops_untimed, END - 60 * 60))
    assert fingerprint(tables) == reference
    assert ("old" in tables.member_ids) is (not drops_untimed)


def test_the_latest_time_in_the_data_is_where_days_are_counted_from(write_data, timed):
    tables = read_tables(write_data(**timed), retention=Retention(5))
    assert tables.cutoff == timed["ratings"]["rated_at"].max() - 5 * DAY


@pytest.mark.parametrize(("drops_untimed", "fate"), [(False, "are kept"), (True, "are left out")])
def test_rows_left_out_and_rows_without_a_time_are_counted(write_data, timed, drops_untimed, fate):
    notes = [
        warning.note for warning in read_tables(write_data(**timed), retention=Retention(5, drops_untimed)).warnings
    ]
    assert "ratings, column rated_at: 10 rows older than 5 days, which are left out" in notes
    assert f"ratings, column rated_at: 10 rows without a time, which {fate}" in notes
    assert "plays, column played_at: 2 rows older than 5 days, which are left out" in notes


def test_too_few_raters_left_are_refused(write_data, timed):
    with pytest.raises(DataError, match="rated anything"):
        read_tables(write_data(**timed), retention=Retention(0.01, drops_untimed=True))


def test_tables_without_times_are_kept_or_refused_as_a_whole(write_data):
    assert len(read_tables(write_data(), retention=Retention(5)).play_table.raters) == 25
    with pytest.raises(DataError, match="only 0 members rated anything"):
        read_tables(write_data(), retention=Retention(5, drops_untimed=True))


def test_outcomes_are_left_out_by_age_too_and_none_is_later_than_it_was_received(write_data, timed, tmp_path):
    folder = tmp_path / "outcomes"
    folder.mkdir()
    moments = {"new": END + DAY, "older": END - 30 * DAY, "future": END + 900 * DAY}
    lines = [to_line(Outcome(name, name, "m3", 4.0, None, at, END + DAY)) for name, at in moments.items()]
    (folder / "1.jsonl").write_bytes(b"".join(lines))
    assert latest_outcome(folder) == END + DAY
    tables = read_tables(write_data(**timed), retention=Retention(5, latest=latest_outcome(folder)))
    assert tables.cutoff == END + DAY - 5 * DAY
    members = set(with_outcomes(tables, folder).tables.member_ids)
    assert members & set(moments) == {"new", "future"}


def test_a_rating_that_was_withdrawn_long_ago_does_not_come_back(write_data, tables, tmp_path):
    member_id, movie_id = tables["ratings"].row(0)[:2]
    folder = tmp_path / "outcomes"
    folder.mkdir()
    withdrawn = Outcome("1", member_id, movie_id, None, None, END - 30 * DAY, END, rating_withdrawn=True)
    (folder / "1.jsonl").write_bytes(to_line(withdrawn))
    kept = with_outcomes(read_tables(write_data(), retention=Retention(5, latest=latest_outcome(folder))), folder)
    left = kept.tables.ratings.select("member_id", "movie_id").rows()
    assert (member_id, movie_id) not in left
    assert len(left) == len(tables["ratings"]) - 1
