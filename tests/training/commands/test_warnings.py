"""Warnings about the data are shown before a model is trained, and noted in the report without values."""

import json
import sys

import polars as pl
import pytest

from training.__main__ import main

WARNING = "members, column age: 1 row far outside the others"
REMEDY = "; if they mean that the value isn't known, list them under [members] in schema.toml as missing = [...]"


@pytest.fixture
def suspicious(write_data, tables):
    """A data directory in which one age is 999."""
    age = pl.when(pl.int_range(pl.len()) == 3).then(999).otherwise("age")
    return write_data("csv", members=tables["members"].with_columns(age=age))


def test_validate_shows_warnings_first_and_succeeds(suspicious, capsys):
    assert main(["validate", "--data", str(suspicious)]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith(f"1 warning\n- {WARNING}, for example '999'")
    assert shown.err == ""
    assert main(["validate", "--data", str(suspicious), "--json"]) == 0
    [warning] = json.loads(capsys.readouterr().out)["warnings"]
    assert (warning["table"], warning["column"], warning["rows"], warning["example"]) == ("members", "age", 1, "999")


def test_a_refusal_shows_the_warnings_after_the_problems(suspicious, capsys):
    (suspicious / "movies.csv").unlink()
    assert main(["validate", "--data", str(suspicious)]) == 2
    problem, warning = capsys.readouterr().err.splitlines()
    assert problem.startswith("movies: the table is missing")
    assert warning.startswith(f"warning: {WARNING}, for example '999'")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_evaluate_shows_values_of_warnings_on_a_terminal_only(suspicious, capsys, monkeypatch, is_terminal, tmp_path):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    assert main(["evaluate", "--data", str(suspicious), "--out", str(tmp_path), "--by-time"]) == 2
    example = ", for example '999'" if is_terminal else ""
    assert f"warning: {WARNING}{example}{REMEDY}" in capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("command", ["retrain --models {}/models", "evaluate --out {}/out", "validate"])
def test_a_refusal_shows_one_of_the_wrong_values(write_data, tables, capsys, command, tmp_path):
    data = write_data("csv", members=pl.concat([tables["members"], tables["members"].tail(1)]))
    assert main([*command.format(tmp_path).split(), "--data", str(data)]) == 2
    refusal = capsys.readouterr().err.splitlines()[-1]
    assert refusal == "members, column member_id: 1 row with the id of an earlier row, for example 'quiet'"


def test_retrain_prints_warnings_and_notes_them_without_values(suspicious, retrained, light, capsys):
    store = retrained(suspicious, "--force", *light)
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith("warning: ")] == [f"warning: {WARNING}{REMEDY}"]
    folder = store.folder(store.current())
    for name in ("report.md", "report.html", "MODEL_CARD.md"):
        text = (folder / name).read_text()
        assert WARNING in text
        assert "for example '999'" not in text
