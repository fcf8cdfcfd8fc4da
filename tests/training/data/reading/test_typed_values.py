"""Raw values of tables become typed ones: marks of missing values, flags, categories, years and genres."""

import math

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.values.attribute_value import encode_attribute
from tests.training.conftest import refusal
from training.data.infer_schema import infer_schema
from training.data.reading.tables import read_tables

MARKS = ["NA", "NULL", "None", "\\N", "n/a", "N/A", "-", "NaN", "nan", "null", "none", "<NA>", "", "  "]


def with_first(frame: pl.DataFrame, column: str, value: object) -> pl.DataFrame:
    """The frame with another value in the first row of a column; as text, as CSV would hold it."""
    values = [value, *frame[column].cast(pl.String).to_list()[1:]]
    return frame.with_columns(pl.Series(column, values, dtype=pl.String))


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize(
    ("table", "column"),
    [("members", "age"), ("movies", "release_year"), ("plays", "played_at"), ("plays", "completion")],
)
def test_a_mark_among_numbers_or_times_is_a_missing_value(write_data, tables, table, column, mark):
    marked = getattr(read_tables(write_data("csv", **{table: with_first(tables[table], column, mark)})), table)
    plain = getattr(read_tables(write_data("csv", **{table: with_first(tables[table], column, None)})), table)
    assert_frame_equal(marked, plain)
    assert plain[column].dtype == pl.Float64


@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_among_flags_is_a_missing_value(write_data, tables, mark):
    happy = pl.Series("happy", [mark, *["True", "false", "FALSE", " true ", "False"] * 5])
    members = read_tables(write_data("csv", members=tables["members"].with_columns(happy))).members
    assert members["happy"].null_count() == 1
    assert set(members["happy"].drop_nulls()) == {"false", "true"}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_mark_in_other_text_is_text(write_data, tables, kind):
    country = pl.Series("country", ["NA", "None", "-", " ", *["FR"] * 22])
    members = read_tables(write_data(kind, members=tables["members"].with_columns(country))).members
    assert members["country"].null_count() == 1
    assert {"NA", "None", "-"} < set(members["country"].drop_nulls())


@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_in_place_of_a_rating_is_a_missing_rating(write_data, tables, mark):
    folder = write_data("csv", ratings=with_first(tables["ratings"], "rating", mark))
    assert refusal(folder).startswith("ratings, column rating: 1 row without a rating; leave these rows out")


def test_categories_are_the_same_however_they_are_written(write_data, tables):
    def members(**columns: list[object]) -> pl.DataFrame:
        read = read_tables(write_data(kind, schema, members=tables["members"].with_columns(**columns))).members
        return read.select("gender", "job", "happy")

    schema = '[members]\ncategorical = ["gender", "job", "happy"]'
    kind = "parquet"
    half = 13
    plain = members(
        gender=pl.Series(["F", "M"] * half), job=pl.Series([7, 12] * half), happy=pl.Series([True, False] * half)
    )
    padded = pl.Series(["F   ", "M"] * half)
    text = pl.Series(["True", "FALSE"] * half)
    floats = pl.Series([7.0, 12.0] * half)
    assert_frame_equal(members(gender=padded, job=floats, happy=text), plain)
    kind = "csv"
    assert_frame_equal(members(gender=padded, job=floats, happy=text), plain)


@pytest.mark.parametrize("year", ["0", "1799", "2201", "19990101", "1999.5", "-1", "1e39"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_year_that_requests_may_not_have_is_refused_in_tables(write_data, tables, year, kind):
    movies = with_first(tables["movies"], "release_year", year)
    if kind == "parquet":
        movies = movies.with_columns(pl.col("release_year").cast(pl.Float64))
    message = refusal(write_data(kind, movies=movies))
    assert message.startswith("movies, column release_year: 1 row")
    assert "1800 to 2200" in message or "no number" in message


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_year_that_schema_toml_lists_as_missing_is_unknown(write_data, tables, kind):
    movies = tables["movies"].with_columns(release_year=pl.Series([0, 9999, *[1999] * 6]))
    read = read_tables(write_data(kind, "[movies]\nmissing = [0, 9999]", movies=movies)).movies
    assert read["release_year"].to_list() == [None, None, *[1999] * 6]


@pytest.mark.parametrize("year", ["1800", "2200.0", " 1999 "])
def test_other_years_are_read(write_data, tables, year):
    movies = read_tables(write_data("csv", movies=with_first(tables["movies"], "release_year", year))).movies
    assert movies["release_year"][0] == float(year)


@pytest.mark.parametrize(
    "genres",
    [
        '["Drama", "Comedy"]',
        "['Comedy', 'Drama']",
        '[{"id": 1, "name": "Drama"}, {"id": 2, "name": "Comedy"}]',
        "[{'name': 'Drama'}, {'name': 'Comedy'}]",
        " Comedy| Drama ",
    ],
)
def test_genres_are_the_same_however_they_are_written(write_data, tables, genres):
    written = pl.Series("genres", [genres if row % 2 else '["War"]' for row in range(8)])
    read = read_tables(write_data("csv", movies=tables["movies"].with_columns(written))).movies
    assert_frame_equal(read, read_tables(write_data("csv")).movies)


def test_a_list_of_other_things_than_genres_is_refused(write_data, tables):
    message = refusal(write_data("csv", movies=with_first(tables["movies"], "genres", "[18, 35]")))
    assert message.startswith("movies, column genres: 1 row with a list of other things than genres")
    assert message.endswith("for example '[18, 35]'")


def test_a_number_beyond_the_range_of_the_model_is_refused(write_data, tables):
    members = tables["members"].with_columns(age=pl.Series([1e39, float("inf"), float("nan"), *[30.0] * 23]))
    message = refusal(write_data("parquet", members=members))
    assert message.startswith("members, column age: 1 row with a value that is no number, for example")
    read = read_tables(write_data("parquet", "[members]\nmissing = [1e39, inf]", members=members)).members
    assert read["age"].null_count() == 3


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(("table", "column"), [("ratings", "rating"), ("plays", "completion")])
def test_an_infinite_number_is_no_number_of_a_rating_or_play(write_data, tables, kind, table, column):
    values = tables[table][column].cast(pl.Float64).to_list()
    endless = tables[table].with_columns(pl.Series(column, [float("inf"), *values[1:]]))
    message = refusal(write_data(kind, **{table: endless}))
    assert message.startswith(f"{table}, column {column}: 1 row with a value that is no number, for example 'inf'")


def test_a_mark_is_read_as_the_numbers_of_the_column_are(write_data, tables):
    ages = pl.Series("age", ["1000", "999", *["30"] * 24])
    folder = write_data(
        "csv", '[members]\nmissing = ["1_000", " 999.0 "]', members=tables["members"].with_columns(ages)
    )
    tables_read = read_tables(folder)
    assert sorted(tables_read.members["age"].drop_nulls().unique()) == [30, 1000]
    attribute = infer_schema(tables_read)[0].member_attributes[0]
    assert encode_attribute(attribute, 1000) == 1000
    assert math.isnan(encode_attribute(attribute, 999))
