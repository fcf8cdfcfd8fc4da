"""Codes among the numbers of an attribute, and columns that are nearly empty, are warnings."""

import polars as pl
import pytest

from training.data.reading.tables import read_tables

AGES = [20 + place for place in range(26)]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("ages", "rows", "example"),
    [
        ([999, *AGES[1:]], 1, "999"),
        ([-1] * 9 + AGES[9:], 9, "-1"),
        ([-99] * 5 + AGES[5:], 5, "-99"),
        ([999, -9, *AGES[2:]], 2, "-9"),
        ([5000, *AGES[1:]], 1, "5000"),
    ],
)
def test_numbers_far_outside_the_others_are_a_warning(write_data, tables, kind, ages, rows, example):
    folder = write_data(kind, members=tables["members"].with_columns(age=pl.Series(ages)))
    (warning,) = read_tables(folder).warnings
    assert (warning.table, warning.column, warning.rows, warning.example) == ("members", "age", rows, example)
    stated = write_data(
        kind, f"[members]\nmissing = [{example}]", members=tables["members"].with_columns(age=pl.Series(ages))
    )
    assert read_tables(stated).members["age"].null_count() == (1 if len(set(ages) - set(AGES)) > 1 else rows)


@pytest.mark.parametrize(
    "numbers",
    [
        AGES,
        [0] * 20 + [1] * 6,
        [-1.5, -0.5] * 13,
        [1000 * 1.3**place for place in range(26)],
        [0] * 13 + AGES[13:],
        [5] * 26,
        [1.0, 2.0] * 13,
    ],
)
def test_other_numbers_pass(write_data, tables, numbers):
    folder = write_data("parquet", members=tables["members"].with_columns(age=pl.Series(numbers, strict=False)))
    assert read_tables(folder).warnings == ()


def test_a_column_that_is_nearly_empty_is_a_warning(write_data, tables):
    members = tables["members"].with_columns(
        survey=pl.Series(["yes", *[None] * 25]), job=pl.Series(["a"] * 3 + [None] * 23)
    )
    (warning,) = read_tables(write_data("csv", members=members)).warnings
    assert str(warning) == "members, column survey: 25 rows without a value, which are nearly all"
