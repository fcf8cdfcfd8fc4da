"""A value means the same in a table, a request and a record: both definitions of each kind of value agree."""

import math
import re

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from features.schema import Scale, Schema
from features.values.categories import category, category_of, plain
from features.values.flags import flag, flag_of
from features.values.genres import genre_numbers, genres
from features.values.ids import id_text, is_id
from features.values.missing import MARKS, is_given, is_mark, text, trimmed
from features.values.numbers import no_number, number, number_of
from features.values.times import counted_seconds, is_time
from features.values.years import is_year, is_year_column

MARKED = ("unknown", "999")
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
steady = settings(deadline=None)  # a busy machine makes single examples slow
anything = st.text(st.characters(codec="utf-8"), max_size=12)
accents = st.text("eo\u0301\u0308\u00e9\u1100\u1161\u212b", max_size=4)
words = st.sampled_from(
    [*sorted(MARKS), *map(str.upper, MARKS), *MARKED, "true", "False", "TRUE", "F", "7", "7.0", "-0.0"]
)
digits = st.text("0123456789.,eE+-_xnaif '", max_size=8)
numbers_as_text = st.floats(allow_nan=False).map(repr) | st.integers().map(str)
spaces = st.text(" \t\n\v\f\r\x1c\x1f\x85\xa0\u2003\u200b\u3000\ufeff", max_size=2)
written = st.tuples(spaces, anything | words | accents | digits | numbers_as_text, spaces).map("".join)
texts = st.lists(st.none() | written, max_size=30)


def column(values: list[str | None], expression: pl.Expr) -> list[object]:
    frame = pl.LazyFrame({"value": pl.Series(values, dtype=pl.String)})
    return frame.select(expression).collect(engine="streaming").to_series().to_list()


@steady
@given(texts)
def test_the_same_text_is_trimmed_everywhere(values):
    assert column(values, text("value")) == [
        (trimmed(value) or None) if value is not None else None for value in values
    ]


@steady
@given(texts)
def test_the_same_marks_are_missing_everywhere(values):
    given = column(values, is_given("value", pl.String(), MARKED))
    assert given == [value is not None and not is_mark(value, MARKED) for value in values]


@steady
@given(texts)
@example(
    ["1e999", "-1e999", "3.5e38", "1_000", "1e", ".", "5.", ".5", "+1", "0x10", "1 000", "infinity", "1.0f", "\u0661"]
)
def test_text_is_a_number_with_a_decimal_point_and_without_separators(values):
    expected = [
        number_of(float(trimmed(value))) if value is not None and NUMBER.fullmatch(trimmed(value)) else None
        for value in values
    ]
    expected = [None if number == 999 else number for number in expected]
    assert column(values, number("value", pl.String(), MARKED)) == expected


@steady
@given(st.lists(st.none() | st.floats(), max_size=30))
@example([3.4028234663852886e38, 3.4028234663852888e38, -1e39, math.nan, math.inf, -0.0])
def test_the_same_floats_are_numbers_everywhere(values):
    frame = pl.DataFrame({"value": pl.Series(values, dtype=pl.Float64)})
    read = frame.select(number("value", pl.Float64()), wrong=no_number("value", pl.Float64()))
    assert read["value"].to_list() == [number_of(value) for value in values]
    assert read["wrong"].to_list() == [
        value is not None and math.isfinite(value) and number_of(value) is None for value in values
    ]


@steady
@given(texts)
def test_the_same_text_is_a_category_everywhere(values):
    expected = [None if value is None else category_of(value, MARKED) for value in values]
    assert column(values, category("value", pl.String(), MARKED)) == expected


@steady
@given(texts)
def test_the_same_text_is_a_flag_everywhere(values):
    expected = [None if value is None else flag_of(value) for value in values]
    assert column(values, flag("value")) == expected


@pytest.mark.parametrize("value", [True, False])
def test_a_boolean_is_the_flag_and_the_category_of_its_name(value):
    booleans = pl.DataFrame({"value": [value]})
    assert booleans.select(flag("value")).item() == flag_of(value) == category_of(value)
    assert booleans.select(category("value", pl.Boolean())).item() == category_of(value)


@steady
@given(texts)
def test_the_same_text_is_an_id_everywhere(values):
    assert column(values, id_text("value")) == [value if is_id(value) else None for value in values]


@steady
@given(st.lists(st.floats(-1e13, 1e13) | st.integers(-(10**12), 10**12).map(float), max_size=30))
@example([-62_135_596_801.0, -62_135_596_800.0, 253_402_300_799.5, 253_402_300_800.0])
def test_the_same_seconds_are_times_everywhere(values):
    frame = pl.DataFrame({"value": pl.Series(values, dtype=pl.Float64)})
    read = frame.select(counted_seconds("value", pl.Float64())).to_series().to_list()
    assert read == [value if is_time(value) else None for value in values]


@steady
@given(st.lists(st.integers(-3000, 20_000_000).map(float) | st.floats(1700, 2300), max_size=30))
@example([0.0, 1799.0, 1800.0, 1999.5, 2200.0, 2201.0, 19990101.0])
def test_the_same_numbers_are_years_everywhere(values):
    frame = pl.DataFrame({"value": pl.Series(values, dtype=pl.Float64)})
    assert frame.select(is_year_column(pl.col("value"))).to_series().to_list() == list(map(is_year, values))


@steady
@given(st.lists(st.none() | st.lists(st.none() | written, max_size=4), max_size=20))
def test_the_same_lists_are_genres_everywhere(values):
    frame = pl.DataFrame({"value": pl.Series(values, dtype=pl.List(pl.String))})
    read = frame.lazy().select(genres("value", pl.List(pl.String()))).collect(engine="streaming").to_series()
    every = tuple(sorted({plain(name) for value in values for name in value or () if name is not None}))
    schema = Schema(Scale(1, 5, 4), (), (), every, None)
    numbers = [genre_numbers(schema, [name for name in value or () if name is not None]) for value in values]
    assert read.to_list() == [[every[place] for place in sorted(set(wanted))] or None for wanted in numbers]
