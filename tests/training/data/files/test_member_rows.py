"""Rows of members leave the files of a data directory, which stay what they are otherwise."""

import polars as pl
import pytest

from training.data.files import member_rows
from training.data.files.member_rows import member_files

ROWS = pl.DataFrame(
    {"member_id": ["a", "b", "a", None, "c"], "movie_id": [1, 2, 3, 4, 5], "rating": [1.0, 2.0, 3.0, 4.0, None]},
    schema={"member_id": pl.Categorical, "movie_id": pl.Int16, "rating": pl.Float32},
)


def remove(folder, *member_ids):
    return {file.name: file.remove(member_ids) for file in member_files(folder)[0]}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_other_lines_of_a_csv_file_stay_byte_by_byte(tmp_path, end, mark):
    kept = ['"x,y",b', "1.50,c", '"two\nlines, ""quoted""",d', " ,'a'", 'é,"bb"']
    lines = ["note,member_id", kept[0], "mine,a", *kept[1:3], '"mine\ntoo","a"', *kept[3:]]
    path = tmp_path / "members.csv"
    path.write_bytes((mark + end.join(lines)).encode())
    path.chmod(0o640)
    assert remove(tmp_path, "a") == {"members.csv": 2}
    assert path.read_bytes().decode() == mark + end.join(["note,member_id", *kept])
    assert path.stat().st_mode & 0o777 == 0o640


def test_parquet_keeps_its_columns_types_and_rows_at_any_depth(tmp_path):
    for place in ("ratings.parquet", "plays/year=2024/part.parquet"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        ROWS.write_parquet(tmp_path / place)
    assert remove(tmp_path, "a", "nobody") == {"plays/year=2024/part.parquet": 2, "ratings.parquet": 2}
    left = pl.read_parquet(tmp_path / "plays" / "year=2024" / "part.parquet", hive_partitioning=False)
    assert left.equals(ROWS.filter(~pl.col("member_id").is_in(["a"]).fill_null(False)))
    assert left.schema == ROWS.schema


def test_a_file_without_these_members_is_not_even_written(tmp_path):
    ROWS.write_parquet(tmp_path / "ratings.parquet")
    (tmp_path / "members.csv").write_text("member_id\nb\n")
    before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in tmp_path.iterdir()}
    assert set(remove(tmp_path, "nobody").values()) == {0}
    assert before == {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in tmp_path.iterdir()}


def test_whole_numbers_links_and_folders_named_for_a_member_are_looked_into(tmp_path):
    far, folder = tmp_path / "far.parquet", tmp_path / "data"
    folder.mkdir()
    pl.DataFrame({"member_id": [1, 2], "x": [1, 2]}).write_parquet(far)
    (folder / "members.parquet").symlink_to(far)
    for member_id in "12":
        (folder / "plays" / f"member_id={member_id}").mkdir(parents=True)
        pl.DataFrame({"movie_id": ["m", "n"]}).write_parquet(folder / "plays" / f"member_id={member_id}" / "0.parquet")
    shown = {file.name: file.rows_of("1") for file in member_files(folder)[0]}
    assert shown["members.parquet"] == [{"member_id": 1, "x": 1}]
    assert shown["plays/member_id=1/0.parquet"] == [{"movie_id": "m"}, {"movie_id": "n"}]
    assert shown["plays/member_id=2/0.parquet"] == []
    assert {file.name_without_id for file in member_files(folder)[0]} == {
        "members.parquet",
        "plays/member_id=*/0.parquet",
    }
    assert sum(remove(folder, "1").values()) == 3
    assert pl.read_parquet(far)["member_id"].to_list() == [2]
    assert [path.name for path in folder.glob("plays/*")] == ["member_id=2"]


def test_files_that_are_no_tables_are_named_and_what_was_left_unfinished_is_removed(tmp_path):
    (tmp_path / "schema.toml").touch()
    (tmp_path / "export.csv.gz").write_bytes(b"packed")
    (tmp_path / "movies.csv").write_text("movie_id\nm\n")
    left = tmp_path / f".ratings.csv{member_rows.UNFINISHED}"
    left.write_text("member_id\nb\n")
    assert member_files(tmp_path) == ([], ["export.csv.gz"])
    member_rows.remove_unfinished(tmp_path)
    assert not left.exists()


def test_a_file_stays_as_it_is_if_writing_fails(tmp_path, monkeypatch):
    (tmp_path / "members.csv").write_text("member_id\na\nb\n")

    def fail(*_):
        raise OSError("no room")

    monkeypatch.setattr(member_rows.shutil, "copymode", fail)
    with pytest.raises(OSError, match="no room"):
        remove(tmp_path, "a")
    assert [path.name for path in tmp_path.iterdir()] == ["members.csv"]
    assert (tmp_path / "members.csv").read_text() == "member_id\na\nb\n"
