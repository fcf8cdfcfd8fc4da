"""Attributes become numbers that stay finite, tell what is unknown, and don't run away beyond the knots."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.attributes import encode, group_count, groups, owners
from features.schema import Attribute, Scale, Schema

COLOUR = Attribute("colour", "categorical", categories=("blue", "red"), has_other=True)
AGE = Attribute("age", "numeric", knots=(20.0, 30.0, 50.0))
CONSTANT = Attribute("constant", "numeric", knots=(7.0,))
ALL = (COLOUR, AGE, CONSTANT)

colours = st.sampled_from([0.0, 1.0, 2.0, np.nan])
any_number = st.floats(width=32, allow_nan=True, allow_infinity=False)


def row(*values: float) -> np.ndarray:
    return np.array([values], np.float32)


@given(st.lists(st.tuples(colours, any_number, any_number), max_size=5))
def test_a_row_has_the_widths_of_its_attributes_and_nan_only_where_unknown(rows):
    values = np.array(rows, np.float32).reshape(len(rows), 3)
    code = encode(values, ALL)
    assert code.shape == (len(rows), sum(attribute.width for attribute in ALL)) == (len(rows), 6)
    known = np.isfinite(values)[:, owners(ALL)]
    assert (np.isfinite(code) == known).all()


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=2).map(sorted))
def test_a_greater_number_never_has_a_smaller_code(pair):
    low, high = (encode(row(value), (AGE,)) for value in pair)
    assert (low <= high).all()


@given(st.floats(20, 50, width=32))
def test_between_the_knots_the_code_tells_the_number(value):
    code = encode(row(value), (AGE,))[0]
    assert 20 + code @ np.array([10, 20]) == pytest.approx(value, rel=1e-5)


def test_beyond_the_knots_the_code_goes_on_and_then_stops():
    assert encode(row(15), (AGE,))[0] == pytest.approx([-0.5, 0])
    assert encode(row(60), (AGE,))[0] == pytest.approx([1, 1.5])
    assert encode(row(1e9), (AGE,))[0] == pytest.approx([1, 4])
    assert encode(row(-1e9), (AGE,))[0] == pytest.approx([-3, 0])


def test_a_category_has_a_one_in_its_place():
    assert encode(row(1), (COLOUR,)).tolist() == [[0, 1, 0]]
    assert encode(row(2), (COLOUR,)).tolist() == [[0, 0, 1]]


@given(colours, any_number)
def test_every_known_value_falls_in_one_of_the_groups(colour, age):
    for value, attribute in ((colour, COLOUR), (age, AGE)):
        [group] = groups(np.array([value], np.float32), attribute)
        assert 0 <= group < group_count(attribute) if np.isfinite(value) else group == -1


def test_no_attributes_make_rows_without_columns():
    assert encode(np.empty((3, 0), np.float32), ()).shape == (3, 0)
    assert owners(()).shape == (0,)


def test_a_schema_survives_its_json_form():
    schema = Schema(Scale(1, 5, 4), ALL, (COLOUR,), ("Drama", "War"), 1.5)
    assert Schema.from_dict(schema.to_dict()) == schema
