"""A file that can't be read, whatever broke it, is told as a problem of its table."""

import os
from pathlib import Path

import polars as pl
import pytest

from training.data.reading.sources import readable
from training.data.reading.tables import read_tables
from training.errors import DataError


def told(folder: Path) -> list[str]:
    """What a data scientist is told of the folder."""
    with pytest.raises(DataError) as raised:
        read_tables(folder)
    return str(raised.value).splitlines()


def test_a_table_in_two_forms_is_told(write_data, tables):
    folder = write_data("csv")
    tables["movies"].write_parquet(folder / "movies.parquet")
    (folder / "plays").mkdir()
    assert told(folder) == [
        "movies: there are movies.parquet and movies.csv; keep one of them",
        "plays: there are plays.csv and plays/; keep one of them",
    ]


def test_a_folder_without_parts_is_told(write_data):
    folder = write_data("csv", ratings=None)
    (folder / "ratings").mkdir()
    assert told(folder) == ["ratings: the folder ratings/ holds no Parquet parts"]


def test_parts_that_do_not_fit_together_are_told(write_data, tables):
    folder = write_data("csv", ratings=None)
    (folder / "ratings").mkdir()
    tables["ratings"].write_parquet(folder / "ratings" / "a.parquet")
    tables["ratings"].with_columns(pl.lit(1).alias("rating")).drop("movie_id").write_parquet(
        folder / "ratings" / "b.parquet"
    )
    (message,) = told(folder)
    assert message.startswith("ratings: can't be read: ")


@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_a_truncated_parquet_file_is_told(write_data, share):
    path = write_data("parquet") / "ratings.parquet"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    (message,) = told(path.parent)
    assert message.startswith("ratings: can't be read: ")


def test_damaged_pages_of_parquet_are_told(write_data):
    path = write_data("parquet") / "members.parquet"
    good = path.read_bytes()
    path.write_bytes(good[:4] + bytes(60) + good[64:])
    (message,) = told(path.parent)
    assert message.startswith("members: can't be read: ")


@pytest.mark.parametrize(
    "contents",
    [b"", "member_id,age\nr1,1,2,3\n", b"member_id,age\n\xff\xfe,1\n", 'member_id,age\nr1,"1\nr2,2\n'],
)
def test_a_broken_csv_file_is_told(write_data, contents):
    (message,) = told(write_data("csv", members=contents))
    assert message.startswith("members: can't be read: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(write_data):
    path = write_data("csv") / "members.csv"
    path.chmod(0)
    (message,) = told(path.parent)
    assert message.startswith("members: can't be read: ")


def test_a_panic_of_the_reader_is_a_problem_and_no_crash():
    assert not issubclass(pl.exceptions.PanicException, Exception)
    with pytest.raises(DataError, match=r"^members: can't be read: index out of bounds$"), readable("members"):
        raise pl.exceptions.PanicException("index out of bounds\nmore")
