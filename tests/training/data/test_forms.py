"""Whatever the form that tables are written in, they are read the same, and give the same version."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from model.store.store import Store
from tests.training.data.forms import meant_tables, write_oddly, write_plainly
from training.__main__ import main
from training.data.reading.tables import TABLES, Tables, read_tables
from training.errors import Problem
from training.versions.provenance import fingerprint

SEEDS = st.integers(0, 19)


@cache
def read_plainly(seed: int) -> Tables:
    """The tables of a seed, read from plain Parquet files."""
    with TemporaryDirectory() as folder:
        return read_tables(write_plainly(Path(folder) / "data", meant_tables(seed)))


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.data())
def test_tables_are_read_the_same_in_any_form(seed, data):
    plain = read_plainly(seed)
    with TemporaryDirectory() as folder:
        odd = read_tables(write_oddly(data.draw, Path(folder) / "data", meant_tables(seed)))
    for name in TABLES:
        assert_frame_equal(getattr(odd, name), getattr(plain, name))
    assert fingerprint(odd) == fingerprint(plain)
    assert {about(warning) for warning in odd.warnings} <= {about(warning) for warning in plain.warnings}


def about(warning: Problem) -> tuple[str, str | None, str]:
    """What a warning is about, without the example, which is that of the first such row."""
    return warning.table, warning.column, warning.text


def version_of(data: Path, *options: str) -> str:
    """The version that a retrain on a data directory publishes in a store of its own."""
    models = data.parent / "models"
    assert main(["retrain", "--data", str(data), "--models", str(models), "--force", *options]) == 0
    return Store(models).current()


@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SEEDS, st.data())
def test_tables_give_the_same_version_in_any_form(light, seed, data):
    tables = meant_tables(seed)
    spelled_out = pl.col("gender").replace({"NA": "Namibia", "-": "Nauru"})
    tables["members"] = tables["members"].with_columns(spelled_out)  # else a warning about text stands in the report
    with TemporaryDirectory() as plain, TemporaryDirectory() as odd:
        expected = version_of(write_plainly(Path(plain) / "data", tables), *light)
        assert version_of(write_oddly(data.draw, Path(odd) / "data", tables), *light) == expected
