"""Genres are read from whatever form other tools write lists in."""

import json
from unicodedata import normalize

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.schema import Scale, Schema
from features.values.column_types import is_genres
from features.values.genres import genre_numbers, genres, no_genres

BOTH = ["Action", "Science Fiction"]
names = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=12)
lists = st.lists(names.map(lambda name: normalize("NFC", name).strip() + "!"), min_size=1, max_size=4)


def read(value: object, dtype: pl.DataType | None = None, **options: object) -> object:
    frame = pl.DataFrame({"genres": pl.Series([value], dtype=dtype)})
    expression = genres("genres", frame.schema["genres"], **options)
    return frame.lazy().select(expression).collect(engine="streaming").item()


def listed(value: object, dtype: pl.DataType | None = None, **options: object) -> list[str] | None:
    given = read(value, dtype, **options)
    return None if given is None else list(given)


@pytest.mark.parametrize(
    "written",
    [
        "Action|Science Fiction",
        " Science Fiction | Action|",
        '["Action", "Science Fiction"]',
        ' ["Action","Science Fiction", null, ""]',
        '[{"id": 28, "name": "Action"}, {"id": 878, "name": "Science Fiction"}]',
        "['Action', 'Science Fiction']",
        "['Action' 'Science Fiction']",
        "['Action'\n 'Science Fiction']",
        "[{'id': 28, 'name': 'Action'}, {'id': 878, 'name': 'Science Fiction'}]",
        "('Action', 'Science Fiction')",
        "{'Action', 'Science Fiction'}",
        '{Action,"Science Fiction"}',
        "[Action, Science Fiction]",
        "['Action', 'Science Fiction', nan, None]",
        "NA|Action|-|Science Fiction",
    ],
)
def test_text_is_read_however_a_list_was_written(written):
    assert listed(written) == BOTH


@pytest.mark.parametrize(
    "empty", [None, "", " ", "|", "[]", "{}", "[null]", "[None]", "[nan]", "NA", "\\N", "N/A", "[{}]"]
)
def test_a_movie_without_genres_has_unknown_genres(empty):
    assert listed(empty, pl.String) is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("(no genres listed)", ["(no genres listed)"]),
        ("Drama, Romance", ["Drama, Romance"]),
        ("Children's|War", ["Children's", "War"]),
        ("[\"Children's\", 'War']", ["Children's", "War"]),
        (r"['Children\'s', 'War']", ["Children's", "War"]),
        ('["Com\\u00e9die", "\\ud83d\\ude00"]', ["Comédie", "😀"]),
        ('{"id": 1, "name": "War"}', ["War"]),
        ("Come\u0301die", ["Com\u00e9die"]),
        ('["Come\u0301die", "Com\u00e9die"]', ["Com\u00e9die"]),
        ("[Children's, War]", ["Children's", "War"]),
    ],
)
def test_odd_names_survive(written, expected):
    assert listed(written) == expected


def test_a_separator_stands_in_place_of_the_usual_one():
    assert listed("Science Fiction, Action", separator=",") == BOTH
    assert listed("Science Fiction; Action", separator=";") == BOTH
    assert listed('["Action", "Science Fiction"]', separator=",") == BOTH


@pytest.mark.parametrize(
    "dtype",
    [
        pl.List(pl.String),
        pl.Array(pl.String, 2),
        pl.List(pl.Categorical),
        pl.List(pl.Enum(BOTH)),
        pl.List(pl.Struct({"id": pl.Int64, "name": pl.String})),
    ],
)
def test_lists_of_any_type_of_text_are_read(dtype):
    named = isinstance(dtype.inner, pl.Struct)
    value = [{"id": 1, "name": name} for name in BOTH] if named else BOTH
    series = pl.Series([value], dtype=dtype)
    assert is_genres(series.dtype)
    assert listed(value, dtype) == BOTH


def test_lists_that_are_all_empty_are_read():
    assert is_genres(pl.List(pl.Null()))
    assert listed([], pl.List(pl.Null)) is None


@pytest.mark.parametrize("dtype", [pl.List(pl.Int64()), pl.List(pl.Struct({"id": pl.Int64})), pl.Int64(), pl.Boolean()])
def test_other_types_hold_no_genres(dtype):
    assert not is_genres(dtype)


@pytest.mark.parametrize("written", ["[28, 12]", '[{"id": 28}]', "[{'id': 28}, {'id': 1, 'name': 'War'}]", '[["War"]]'])
def test_a_list_of_other_things_is_no_list_of_genres(written):
    frame = pl.DataFrame({"genres": [written, "War", None, "[]"]})
    assert frame.select(no_genres("genres", pl.String())).to_series().fill_null(False).to_list() == [
        True,
        False,
        False,
        False,
    ]


@settings(deadline=None)  # a busy machine makes single examples slow
@given(lists)
def test_lists_are_read_as_json_and_python_write_them(given_names):
    expected = sorted(set(given_names))
    assert listed(json.dumps(given_names)) == expected
    assert listed(json.dumps(given_names, ensure_ascii=False)) == expected
    assert listed(json.dumps([{"id": 1, "name": name} for name in given_names])) == expected
    assert listed(repr(given_names)) == expected
    assert listed(repr([{"name": name, "id": 1} for name in given_names])) == expected


def test_a_genre_that_the_schema_lacks_counts_as_other_where_there_is_one():
    scale = Scale(1, 5, 4)
    plain = Schema(scale, (), (), ("Drama", "other"), None)
    merged = Schema(scale, (), (), ("Drama", "other"), None, has_other_genre=True)
    assert genre_numbers(plain, [" Drama ", "Opera", " ", "NA"]) == [0, None]
    assert genre_numbers(merged, ["Drama", "Opera", "", "other"]) == [0, 1, 1]
