"""`training validate` shows what a data directory holds, and exits with 2 where it can't be used."""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from training.__main__ import COMMANDS, main

ROOT = Path(__file__).parents[3]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return python("-m", "training", *arguments)


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def columns(output: str) -> dict[tuple[str, str], list[str]]:
    """The lines of the table by table and column."""
    lines = output.split("\n\n")[0].splitlines()[1:]
    return {tuple(line.split()[:2]): line.split(maxsplit=2)[2].split("  ") for line in lines}


def test_each_column_is_shown_with_what_it_is_taken_for(write_data, tables, capsys):
    members = tables["members"].with_columns(
        zip=pl.lit("02139"),
        job=pl.Series(["a"] * 22 + ["b", "c", None, None]),
        only=pl.int_range(26).cast(pl.String) + "x",
    )
    folder = write_data("csv", '[members]\nignore = ["zip"]', members=members)
    assert main(["validate", "--data", str(folder)]) == 0
    output = capsys.readouterr().out
    assert "members  zip           ignored" in output
    shown = {key: [cell.strip() for cell in cells if cell.strip()] for key, cells in columns(output).items()}
    assert shown["members", "age"] == ["numeric", "26", "0.0%", "20 to 50"]
    assert shown["members", "job"] == ["categorical", "3", "7.7%", "2 merged"]
    assert shown["members", "only"] == ["categorical", "26", "0.0%", "left out"]
    assert shown["movies", "genres"] == ["genres", "3", "0.0%"]
    assert shown["movies", "release_year"] == ["year", "8", "0.0%", "1990 to 1997"]
    assert "rows: members 26, movies 8, ratings 100, plays 103 (every rating is also a play)" in output
    assert "members who rate: 25; who never rate: 2" in output
    assert "ratings from 1 to 5, enjoyed from 4" in output
    assert "members, column job: 2 of its values" in output
    assert "members, column only: left out" in output


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

    monkeypatch.setattr("training.commands.validate.read_tables", interrupted)
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
