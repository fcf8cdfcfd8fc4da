"""Warnings about the data are shown before a model is trained, and noted in the report without values."""

import json

import polars as pl
import pytest

from training.__main__ import main

WARNING = "members, column age: 1 row far outside the others"


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


def test_retrain_prints_warnings_and_notes_them_without_values(suspicious, retrained, light, capsys):
    store = retrained(suspicious, "--force", *light)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("; ")[0] for line in lines if line.startswith("warning: ")] == [
        f"warning: {WARNING}, for example '999'"
    ]
    folder = store.folder(store.current())
    for name in ("report.md", "report.html", "MODEL_CARD.md"):
        text = (folder / name).read_text()
        assert WARNING in text
        assert "for example '999'" not in text
