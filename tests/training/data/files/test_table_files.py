"""All Parquet files of a table's folder are read, at any depth, and no other file is passed over in silence."""

import os

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.training.conftest import refusal
from training.data.reading.tables import read_tables
from training.errors import DataError


@pytest.mark.parametrize(
    "places",
    [
        ("old.parquet", "year=2023/new.parquet"),
        ("year=2022/a.parquet", "year=2023/a.parquet"),
        ("year=2022/month=1/a.parquet", "year=2023/a.parquet"),
        ("a/b/c/d.parquet", "e.PARQUET"),
        ("_day=1/a.parquet", "part 1.parquet/[x].parquet"),
    ],
)
def test_parts_are_read_at_any_depth(write_data, write_parts, halves, places):
    whole = read_tables(write_data("parquet"))
    read = read_tables(write_parts("ratings", dict(zip(places, halves("ratings"), strict=True))))
    assert_frame_equal(read.ratings, whole.ratings)


def test_hidden_files_and_folders_are_skipped(write_data, write_parts, halves):
    whole = read_tables(write_data("parquet"))
    first, second = halves("ratings")
    hidden = ("._a.parquet", "_SUCCESS", ".a.parquet.crc", "_temporary/0/b.parquet", ".tmp/c.parquet")
    folder = write_parts("ratings", {"a.parquet": first, "b.parquet": second, **dict.fromkeys(hidden, b"x")})
    assert_frame_equal(read_tables(folder).ratings, whole.ratings)


def test_values_in_names_of_folders_are_columns(write_parts, tables):
    members = tables["members"]
    parts = {
        "country=NL/code=a%2Fb/0.parquet": members[:10],
        "country=__HIVE_DEFAULT_PARTITION__/0.parquet": members[10:20],
        "rest.parquet": members[20:],
    }
    read = read_tables(write_parts("members", parts)).members
    assert read["country"].value_counts(sort=True).rows() == [(None, 16), ("NL", 10)]
    assert read["code"].drop_nulls().to_list() == ["a/b"] * 10


def test_values_in_names_of_folders_are_what_their_values_are(write_parts, halves):
    first, second = halves("members")
    parts = {"joined=2019/active=true/0.parquet": first, "joined=2020/active=false/0.parquet": second}
    read = read_tables(write_parts("members", parts)).members
    assert set(read["joined"]) == {2019.0, 2020.0}
    assert set(read["active"]) == {"false", "true"}


def test_an_id_may_be_given_by_the_folder(write_data, write_parts, tables):
    whole = read_tables(write_data("parquet"))
    parts = {
        f"movie_id={movie}/0.parquet": rows.drop("movie_id")
        for (movie,), rows in tables["ratings"].group_by("movie_id")
    }
    assert_frame_equal(read_tables(write_parts("ratings", parts)).ratings, whole.ratings)


def test_some_parts_may_hold_a_column_that_folders_give_for_the_others(write_data, write_parts, tables):
    whole = read_tables(write_data("parquet"))
    ratings = tables["ratings"].select("member_id", "rating", "movie_id")
    parts = {"0.parquet": ratings.filter(movie_id="m0")} | {
        f"movie_id={movie}/0.parquet": rows.drop("movie_id")
        for (movie,), rows in ratings.filter(pl.col("movie_id") != "m0").group_by("movie_id")
    }
    assert_frame_equal(read_tables(write_parts("ratings", parts)).ratings, whole.ratings)


def test_a_value_in_the_name_of_a_folder_counts_before_that_in_the_file(write_parts, tables):
    parts = {f"country={name}/0.parquet": tables["members"][place::2].with_columns(country=pl.lit(7))
             for place, name in enumerate(("NL", "BE"))}  # fmt: skip
    assert set(read_tables(write_parts("members", parts)).members["country"]) == {"NL", "BE"}


def test_folders_above_the_table_give_no_columns(write_parts, halves, tmp_path):
    folder = write_parts("members", {"country=NL/0.parquet": halves("members")[0], "1.parquet": halves("members")[1]})
    folder = folder.rename((tmp_path / "run=5").absolute())
    assert "run" not in read_tables(folder).members


@pytest.mark.parametrize(
    ("name", "contents", "message"),
    [
        (
            "b.csv",
            b"x",
            "the folder ratings/ holds files that are no Parquet parts: ratings/b.csv; write them as Parquet, or",
        ),
        ("deep/README.md", b"x", "holds files that are no Parquet parts: ratings/deep/README.md; write them"),
        ("y=1/b.parquet", b"", "can't be read: ratings/y=1/b.parquet is empty (0 bytes)"),
        ("y=1/b.parquet", b"member_id,movie_id", "can't be read: ratings/y=1/b.parquet: "),
        ("_delta_log/0.json", b"{}", "the files beside ratings/_delta_log may hold deleted rows"),
    ],
)
def test_a_file_that_is_no_part_is_named(write_parts, tables, name, contents, message):
    told = refusal(write_parts("ratings", {"a.parquet": tables["ratings"], name: contents}))
    assert told.startswith("ratings: ")
    assert message in told
    assert "\n" not in told


def test_many_foreign_files_are_counted(write_parts, tables):
    parts = {"a.parquet": tables["ratings"], **{f"{name}.json": b"{}" for name in "bcdef"}}
    assert "ratings/b.json, ratings/c.json, ratings/d.json and 2 more" in refusal(write_parts("ratings", parts))


def test_a_part_with_damaged_pages_is_named(write_parts, halves):
    first, second = halves("ratings")
    folder = write_parts("ratings", {"a.parquet": first, "b.parquet": second})
    part = folder / "ratings" / "b.parquet"
    good = part.read_bytes()
    part.write_bytes(good[:4] + bytes(60) + good[64:])
    assert refusal(folder).startswith("ratings: can't be read: ratings/b.parquet: ")


def test_links_are_followed_and_those_that_lead_nowhere_or_back_are_refused(write_data, write_parts, halves, tmp_path):
    whole = read_tables(write_data("parquet"))
    first, second = halves("ratings")
    folder = write_parts("ratings", {"a.parquet": first})
    (tmp_path / "elsewhere").mkdir()
    second.write_parquet(tmp_path / "elsewhere" / "b.parquet")
    (folder / "ratings" / "more").symlink_to(tmp_path / "elsewhere")
    assert_frame_equal(read_tables(folder).ratings, whole.ratings)
    (tmp_path / "elsewhere" / "c.parquet").symlink_to("nowhere")
    assert "ratings/more/c.parquet: [Errno 2] No such file" in refusal(folder)
    (tmp_path / "elsewhere" / "c.parquet").unlink()
    (folder / "ratings" / "back").symlink_to(folder)
    assert "the folder is a link to a folder around it" in refusal(folder)


def test_a_pipe_is_refused_in_place_of_waiting_for_it(write_parts, tables):
    folder = write_parts("ratings", {"a.parquet": tables["ratings"]})
    os.mkfifo(folder / "ratings" / "b.parquet")
    assert refusal(folder) == "ratings: can't be read: ratings/b.parquet is no plain file"


@pytest.mark.parametrize(
    "name",
    ["plays.csv.gz", "Plays.parquet", "plays.tsv", "plays.PARQUET", "play.csv", "plays_2024.csv", "Plays (1).csv"],
)
def test_a_file_that_is_named_almost_like_a_table_is_not_passed_over(write_data, name):
    folder = write_data(plays=None)
    (folder / name).write_bytes(b"x")
    assert refusal(folder) == (
        f"plays: {name} isn't read: write plays.parquet, plays.csv or a folder plays of Parquet files"
    )


def test_a_path_that_is_not_utf_8_is_refused(write_parts, tables):
    folder = write_parts("ratings", {"a.parquet": tables["ratings"]})
    (folder / "ratings" / "a.parquet").rename(folder / "ratings" / os.fsdecode(b"\xff.parquet"))
    with pytest.raises(DataError, match=r"the path of ratings/.*parquet isn't UTF-8: rename the file"):
        read_tables(folder)


@pytest.mark.parametrize("place", ["_delta_log", "2024/_delta_log", "2024/.hoodie"])
def test_folders_of_formats_with_deleted_rows_are_refused_at_any_depth(write_parts, tables, place):
    folder = write_parts("ratings", {"2024/a.parquet": tables["ratings"], f"{place}/0.json": b"{}"})
    with pytest.raises(DataError, match=f"the files beside ratings/{place} may hold deleted rows"):
        read_tables(folder)


@pytest.mark.parametrize("name", ["playlists.csv", "players.parquet", "display.csv", "my_plays.csv", "play_store.csv"])
def test_files_with_other_names_are_passed_over(write_data, name):
    folder = write_data(plays=None)
    (folder / name).write_bytes(b"x")
    assert read_tables(folder)
