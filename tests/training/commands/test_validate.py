"""`training validate` shows what a data directory holds, and exits with 2 where it can't be used."""

import json
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from training.__main__ import COMMANDS, main
from training.commands.validate import described
from training.data.overview import make_overview
from training.data.reading.tables import read_tables
from training.errors import Problem

ROOT = Path(__file__).parents[3]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return python("-m", "training", *arguments)


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def columns(output: str, table: str) -> dict[str, list[str]]:
    """The cells of the lines of a table's columns, by column."""
    lines = output.split(f"{table}: ")[1].split("\n\n")[0].splitlines()[2:]
    return {line.split()[0]: re.split(" {2,}", line.strip())[1:] for line in lines}


def test_each_column_is_shown_with_what_it_is_taken_for(write_data, tables, capsys):
    members = tables["members"].with_columns(
        zip=pl.lit("02139"),
        job=pl.Series(["a"] * 22 + ["b", "c", None, None]),
        only=pl.int_range(26).cast(pl.String) + "x",
        happy=pl.Series(["True", "False"] * 13),
    )
    folder = write_data("csv", '[members]\nignore = ["zip"]', members=members)
    assert main(["validate", "--data", str(folder), "--min-holders", "5"]) == 0
    output = capsys.readouterr().out
    assert output.startswith("no warnings\n\nmembers: 26 rows in members.csv\n")
    of_members, of_movies, of_plays = (columns(output, table) for table in ("members", "movies", "plays"))
    assert of_members == {
        "member_id": ["id", "26", "0.0%", "quiet to r24"],
        "age": ["numeric", "26", "0.0%", "20 to 50, median 32.5"],
        "gender": ["categorical", "2", "0.0%", "F 50.0%, M 50.0%"],
        "job": ["categorical", "3", "7.7%", "a 91.7%, b 4.2%, c 4.2%; 2 rare values merged"],
        "only": ["categorical", "26", "0.0%", "left out: too few raters per value"],
        "happy": ["flag", "2", "0.0%", "false 50.0%, true 50.0%"],
        "zip": ["ignored"],
    }
    assert of_movies["genres"] == ["genres", "3", "0.0%", "Comedy 50.0%, Drama 50.0%, War 50.0%"]
    assert of_movies["release_year"] == ["year", "8", "0.0%", "1990 to 1997, median 1993.5"]
    assert of_plays["played_at"] == ["time", "2", "98.1%", "2024-03-01 10:00 to 2024-03-02 00:00"]


def test_ids_in_common_and_each_rating_are_counted(write_data, tables, capsys):
    members = tables["members"].filter(pl.col("member_id") != "r00")
    assert main(["validate", "--data", str(write_data("csv", members=members))]) == 0
    *_, in_common, ratings = capsys.readouterr().out.split("\n\n")
    assert in_common.splitlines() == [
        "ids in common",
        "  members who rate        25  96.0% are in members",
        "  members who only play    1  0.0% are in members",
        "  members without a play   1",
        "  movies rated             8  100.0% of movies",
        "  movies only played       0  0.0% of movies",
        "  movies without a play    0  0.0% of movies",
    ]
    title, *counts = ratings.splitlines()
    assert title == "scale 1 to 5 as seen, enjoyed from 4 by default: 41.0% of the ratings"
    assert [line.split() for line in counts] == [
        [str(rating), str(rows), f"{rows}.0%", "#" * round(40 * rows / 21)]
        for rating, rows in enumerate((20, 19, 20, 21, 20), 1)
    ]


def test_rows_of_the_files_are_counted_beside_the_pairs(write_data, tables, capsys):
    again = tables["ratings"].head(3).with_columns(rated_at=pl.lit("2024-01-01"))
    ratings = pl.concat([tables["ratings"].with_columns(rated_at=pl.lit("2023-01-01")), again])
    assert main(["validate", "--data", str(write_data("csv", ratings=ratings))]) == 0
    output = capsys.readouterr().out
    assert "ratings: 103 rows in ratings.csv; 100 pairs of member and movie\n" in output
    assert "plays: 3 rows in plays.csv; 103 pairs of member and movie played or rated\n" in output
    folder = write_data("parquet", members=None, plays=None)
    (folder / "members").mkdir()
    for number, part in enumerate(tables["members"].iter_slices(10)):
        part.write_parquet(folder / "members" / f"{number}.parquet")
    assert main(["validate", "--data", str(folder)]) == 0
    output = capsys.readouterr().out
    assert "members: 26 rows in 3 files\n" in output
    assert "plays: no such table; 100 pairs of member and movie played or rated\n" in output


def test_parts_that_the_marks_of_schema_toml_reconcile_are_counted_as_they_were_read(write_data, tables, capsys):
    folder = write_data("parquet", "[members]\nmissing = ['not known']", members=None)
    (folder / "members").mkdir()
    members = tables["members"]
    members.head(20).write_parquet(folder / "members" / "0.parquet")
    members.tail(6).with_columns(age=pl.lit("not known")).write_parquet(folder / "members" / "1.parquet")
    assert main(["validate", "--data", str(folder)]) == 0
    assert "members: 26 rows in 2 files\n" in capsys.readouterr().out


def test_rows_that_are_left_out_are_rows_of_the_files(write_data, capsys):
    assert main(["validate", "--data", str(write_data("csv", "[ratings]\nmissing = [1]"))]) == 0
    assert "ratings: 100 rows in ratings.csv; 80 pairs of member and movie\n" in capsys.readouterr().out


def test_a_scale_of_schema_toml_is_shown_as_such(write_data, capsys):
    folder = write_data("csv", "[ratings]\nscale = [0, 5]\nenjoyed_from = 3")
    assert main(["validate", "--data", str(folder)]) == 0
    assert "scale 0 to 5 by schema.toml, enjoyed from 3 by schema.toml: 61.0% of" in capsys.readouterr().out


def test_a_line_fits_a_terminal(write_data, tables, capsys):
    members = tables["members"].with_columns(
        pl.Series("a very long name of a column that nobody would write", ["x" * 50, "y\n\tz"] * 13),
        pl.Series("many", [f"category {number % 13}" for number in range(26)]),
    )
    ratings = tables["ratings"].with_columns(pl.Series("rating", [number / 7 for number in range(100)]))
    assert main(["validate", "--data", str(write_data("parquet", members=members, ratings=ratings))]) == 0
    output = capsys.readouterr().out
    assert max(map(len, output.splitlines())) <= 100
    assert output.replace("\n", "").isprintable()
    assert len(output.split("\n\n")[-1].splitlines()) == 11


def test_warnings_come_first_and_are_counted(write_data):
    folder = write_data("csv")
    overview = make_overview(read_tables(folder), 20)
    far = Problem("members", "far from the others", "age", 2, "999", "name them under missing", is_warning=True)
    rare = Problem("plays", "of members who are not in members", "member_id", 1_900, is_warning=True)
    title, *lines = described(overview, (far, rare)).split("\n\n")[0].splitlines()
    assert title == "2 warnings"
    assert lines == [
        "- members, column age: 2 rows far from the others, for example '999'; name them under missing",
        "- plays, column member_id: 1,900 rows of members who are not in members",
    ]
    assert described(overview, (rare,)).startswith("1 warning\n")
    long = Problem("members", "with a text " * 20, is_warning=True)
    first, second, *_ = described(overview, (long,)).splitlines()[1:]
    assert (first[:2], second[:2]) == ("- ", "  ")
    assert len(first) <= 100


def test_json_has_all_that_is_shown(write_data, capsys):
    assert main(["validate", "--data", str(write_data("csv")), "--json"]) == 0
    overview = json.loads(capsys.readouterr().out)
    assert (overview["problems"], overview["warnings"]) == ([], [])
    assert overview["tables"]["members"]["rows_used"] == 26
    assert {column["name"]: column["kind"] for column in overview["tables"]["movies"]["columns"]} == {
        "movie_id": "id", "title": "title", "release_year": "year", "genres": "genres",
    }  # fmt: skip
    assert overview["members"]["raters_in_members"] == 25
    assert overview["scale"] == [1, 5]
    assert overview["ratings"][0] == {"lowest": 1, "highest": 1, "rows": 20}
    times = overview["tables"]["plays"]["columns"][2]
    assert (times["lowest"], times["highest"]) == ("2024-03-01T10:00:00Z", "2024-03-02T00:00:00Z")


def test_a_refusal_is_json_too(write_data, tables, capsys):
    ratings = tables["ratings"].with_columns(pl.lit("many").alias("rating"))
    assert main(["validate", "--data", str(write_data("csv", ratings=ratings)), "--json"]) == 2
    written = capsys.readouterr()
    [problem] = json.loads(written.out)["problems"]
    assert (problem["table"], problem["column"], problem["rows"]) == ("ratings", "rating", 100)
    assert problem["example"] == "many"
    assert written.err == ""


def test_problems_go_to_stderr_one_a_line_with_exit_code_2(write_data, capsys):
    assert main(["validate", "--data", str(write_data("csv", movies=None, plays="member_id\n"))]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert [line.split(":")[0] for line in told.err.splitlines()] == ["movies", "plays, column movie_id"]


def test_validate_writes_nothing(write_data):
    folder = write_data("parquet")
    before = {path: path.stat().st_mtime_ns for path in [folder, *folder.iterdir()]}
    finished = run("validate", "--data", str(folder))
    assert (finished.returncode, finished.stderr) == (0, "")
    assert {path: path.stat().st_mtime_ns for path in [folder, *folder.iterdir()]} == before


def test_a_wrong_call_exits_with_2_and_says_how_to_call(capsys):
    for arguments in ([], ["teach"], ["validate"], ["validate", "--data"], ["import", "netflix", "x", "--out", "y"]):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2
        assert "usage: python -m training" in capsys.readouterr().err


def test_help_names_every_command_without_loading_any():
    check = (
        "import sys; from training.__main__ import main\ntry: main(['--help'])\nfinally: print('polars' in sys.modules)"
    )
    finished = python("-c", check)
    assert finished.returncode == 0
    assert finished.stdout.endswith("False\n")
    for name, _, purpose in COMMANDS:
        assert f" {name} " in finished.stdout
        assert purpose.split()[0] in finished.stdout


def test_an_interrupted_command_exits_with_130(monkeypatch, tmp_path):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("training.commands.validate.temporary_tables", interrupted)
    assert main(["validate", "--data", str(tmp_path)]) == 130


def test_an_error_that_nobody_foresaw_shows_its_traceback_and_exits_with_1(tmp_path):
    code = (
        "import sys, training.commands.validate as command\nfrom training.__main__ import main\n"
        f"command.described = None\nsys.exit(main(['validate', '--data', {str(tmp_path)!r}]))"
    )
    assert main(["sample", "--out", str(tmp_path), "--members", "40", "--movies", "20"]) == 0
    finished = python("-c", code)
    assert finished.returncode == 1
    assert "Traceback" in finished.stderr


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_broken_file_is_told_in_a_line_without_a_traceback(write_data, capsys, kind):
    path = write_data(kind) / f"ratings.{kind}"
    path.write_bytes(b"PAR1" + b"\xff\x00" * 50)
    assert main(["validate", "--data", str(path.parent)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("ratings")
    assert "Traceback" not in told
