"""However many buckets and partitions ratings and plays are merged in, the tables and what is refused are the same."""

import os
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from training.data.passes.play_table import play_table
from training.data.reading import merged_events
from training.data.reading.tables import Tables, read_tables
from training.errors import DamagedPartition, DataError
from training.versions.provenance import fingerprint

ROOT = Path(__file__).parents[4]


@pytest.fixture
def many_rows(tables) -> dict[str, pl.DataFrame]:
    """Ratings of which some are repeated later, and plays of which some are repeated."""
    rated = tables["ratings"].with_columns(rated_at=1e9 + pl.int_range(pl.len()))
    again = rated.head(30).with_columns(pl.col("rating").reverse(), pl.col("rated_at") + 500)
    plays = rated.tail(60).select(
        "member_id", "movie_id", played_at=1.1e9 + 3600 * pl.int_range(pl.len()), completion=pl.lit(0.25)
    )
    more = plays.head(20).with_columns(pl.col("played_at") - 900, completion=pl.lit(0.75))
    shuffled = {"ratings": pl.concat([again, rated]), "plays": pl.concat([plays, more])}
    return {name: rows.sample(fraction=1, shuffle=True, seed=3) for name, rows in shuffled.items()}


@pytest.fixture
def small_buckets(monkeypatch):
    """Buckets of two or three members each."""
    monkeypatch.setattr(merged_events, "BUCKET_ROWS", 10)


def in_order(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.sort("member_id", "movie_id")


def test_the_latest_rating_the_latest_play_and_the_highest_completion_count(write_data, many_rows, small_buckets):
    read = read_tables(write_data("parquet", **many_rows))
    latest = in_order(many_rows["ratings"].sort("rated_at").unique(["member_id", "movie_id"], keep="last"))
    assert_frame_equal(read.ratings, latest.select(read.ratings.columns))
    pairs = pl.concat([rows.select("member_id", "movie_id") for rows in many_rows.values()]).unique()
    best = many_rows["plays"].group_by("member_id", "movie_id").agg(pl.all().max())
    assert_frame_equal(read.plays, in_order(pairs.join(best, on=["member_id", "movie_id"], how="left")))


def test_the_number_of_buckets_changes_nothing(write_data, many_rows, monkeypatch, tmp_path):
    folder = write_data("csv", **many_rows)
    whole = read_tables(folder)
    for rows in (1, 10, 60):
        monkeypatch.setattr(merged_events, "BUCKET_ROWS", rows)
        read = read_tables(folder, tmp_path)
        assert_frame_equal(read.play_table.collect(), whole.play_table.collect())
        assert fingerprint(read) == fingerprint(whole)


def test_problems_of_all_buckets_are_counted_and_the_first_is_shown(write_data, many_rows, small_buckets):
    ratings = many_rows["ratings"]
    twice = ratings.filter(pl.col("member_id").is_in(["r03", "r20"])).unique(["member_id", "movie_id"], keep="last")
    unknown = pl.DataFrame({"member_id": ["r20", "r07"], "movie_id": ["gone", "lost"], "rating": [3.0, 3.0]})
    more = pl.concat([ratings.drop("rated_at"), twice.drop("rated_at"), unknown])
    with pytest.raises(DataError) as refused:
        read_tables(write_data("parquet", ratings=more.sort("member_id", descending=True)))
    ambiguous, lacking = refused.value.problems
    repeated = len(more) - len(more.unique(["member_id", "movie_id"]))
    assert (ambiguous.rows, ambiguous.example) == (repeated, "member r00, movie m1")
    assert (lacking.rows, lacking.example) == (2, "lost")


def test_a_scale_is_checked_over_all_buckets(write_data, many_rows, small_buckets):
    mistaken = pl.when(pl.int_range(pl.len()) == 77).then(45).otherwise("rating")
    ratings = many_rows["ratings"].with_columns(rating=mistaken)
    with pytest.raises(DataError, match="1 row far outside the others, which are 1 to 5, for example '45'"):
        read_tables(write_data("parquet", ratings=ratings))


def in_partitions(tables: Tables) -> Tables:
    """The same tables with small partitions."""
    rows, members = tables.play_table.collect(), len(tables.member_ids)
    return replace(tables, play_table=play_table(rows, members, 10))


def test_one_changed_rating_in_any_partition_changes_the_fingerprint(write_data, tables):
    read = in_partitions(read_tables(write_data()))
    assert len(read.play_table.partitions) > 5
    fingerprints = {fingerprint(read)}
    for row in range(0, 100, 9):
        changed = pl.when(pl.int_range(pl.len()) == row).then(pl.col("rating") % 5 + 1).otherwise("rating")
        ratings = tables["ratings"].with_columns(rating=changed)
        fingerprints.add(fingerprint(read_tables(write_data(ratings=ratings))))
    assert len(fingerprints) == 13


def test_partitions_are_in_the_given_folder_alone_and_a_damaged_one_is_noticed(write_data, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    read = read_tables(write_data(), work)
    [file] = [path for path in work.rglob("*") if path.is_file()]
    assert read.play_table.collect()["rating"].count() == 100
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DamagedPartition, match=file.name):
        read.play_table.collect()


@pytest.mark.parametrize("limit", [1_000, 1_700])  # a file of rows by bucket has 1,600 bytes, and of a partition 1,900
def test_a_disk_without_room_fails_the_work_and_nothing_is_left(write_data, tmp_path, limit):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-m", "training", "validate", "--data", str(write_data("parquet"))]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "nothing more can be written: File too large; what was there before is as it was\n"
    assert list(temporary.iterdir()) == []
