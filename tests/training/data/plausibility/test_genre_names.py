"""Genres that another character separates are refused until schema.toml states the separator."""

import json

import polars as pl
import pytest

from training.data.reading.tables import read_tables
from training.errors import DataError


def movies(tables, genres: list) -> pl.DataFrame:
    return tables["movies"].with_columns(pl.Series("genres", (genres * 8)[:8]))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("genres", "rows", "separator"),
    [
        (["Action, Comedy"], 8, ","),
        (["Drama", "War", "Action,Comedy", None], 2, ","),
        (["Drama; War", "War"], 4, ";"),
        (["Drama", "War", "Drama|War", "Drama, War"], 2, ","),
        (["Action\uff0cComedy"], 8, "\uff0c"),
        (["Action\u3001Comedy"], 8, "\u3001"),
        (["Action \u00b7 Comedy"], 8, "\u00b7"),
        (["Action\tComedy"], 8, "\t"),
        (["Action\x01Comedy"], 8, "\x01"),
        (["Action~Comedy"], 8, "~"),
        (["Drama", "War", "Drama War"], 2, " "),
        (["Drama", "War", "War/Drama"], 2, "/"),
        (["Drama", "War", "War and Drama", None], 2, " and "),
    ],
)
def test_other_separators_are_refused_until_they_are_stated(write_data, tables, kind, genres, rows, separator):
    with pytest.raises(DataError) as raised:
        read_tables(write_data(kind, movies=movies(tables, genres)))
    message = str(raised.value)
    assert message.startswith(f"movies, column genres: {rows} rows with genres that aren't separated by |")
    assert f"separator = {json.dumps(separator)}" in message
    stated = f"[movies]\nseparator = {json.dumps(separator)}"
    names = read_tables(write_data(kind, stated, movies=movies(tables, genres))).movies["genres"].explode()
    if rows == 8:
        assert set(names) == {"Action", "Comedy"}
    whole = read_tables(write_data(kind, '[movies]\nseparator = "|"', movies=movies(tables, genres))).movies["genres"]
    assert any(separator in name for name in whole.explode().drop_nulls())


def test_lists_of_one_name_that_holds_several_are_refused(write_data, tables):
    with pytest.raises(DataError, match="8 rows with several genres in one name, for example 'Action, Comedy'"):
        read_tables(write_data("parquet", movies=movies(tables, [["Action, Comedy"]])))


def test_lists_of_names_with_a_bar_are_refused(write_data, tables):
    with pytest.raises(DataError, match=r"8 rows with several genres in one name, for example 'Action\|Comedy'"):
        read_tables(write_data("parquet", movies=movies(tables, [["Action|Comedy"]])))


@pytest.mark.parametrize("genre", ['["Action", "Comedy"', "<g>Action</g><g>Comedy</g>", '"Action"|"Comedy"'])
def test_names_in_brackets_or_quotes_are_refused(write_data, tables, genre):
    with pytest.raises(DataError, match="8 rows with a genre in brackets or quotes") as raised:
        read_tables(write_data("csv", movies=movies(tables, [genre])))
    assert "write lists as JSON" in str(raised.value)


@pytest.mark.parametrize("joint", ["/", " / ", " & ", " - "])
def test_a_name_that_consists_of_other_genres_is_a_warning(write_data, tables, joint):
    (warning,) = read_tables(
        write_data("csv", movies=movies(tables, ["Drama|X", "War", f"Drama{joint}War", "X"]))
    ).warnings
    assert (warning.rows, warning.example) == (2, f"Drama{joint}War")


@pytest.mark.parametrize(
    "genres",
    [
        ["Drama", "War"],
        ["Drama|War", "Children's"],
        ["Drama", "Romantic comedy", "Sci-Fi", "Film noir", "Col\u00b7lecci\u00f3", "(no genres listed)"],
        ["Drama|War", "Documentary, short"],
        ["Sci-Fi/Fantasy", "Action & Adventure"],
        ['["Action","Comedy"]', "[]"],
        ['[{"id": 1, "name": "Action"}, {"id": 2, "name": "War"}]'],
        [["Action", "Comedy"], ["Documentary, short"]],
    ],
)
def test_other_names_pass(write_data, tables, genres):
    assert read_tables(write_data("parquet", movies=movies(tables, genres))).warnings == ()
