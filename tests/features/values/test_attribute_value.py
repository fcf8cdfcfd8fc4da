"""Values of attributes become numbers, and what can't be one is unknown or refused."""

import math
from dataclasses import replace

import pytest

from features.schema import Attribute, Scale, Schema
from features.values.attribute_value import WrongKind, encode_attribute, is_missing

COLOUR = Attribute("colour", "categorical", categories=("blue", "red"))
MERGED = Attribute("town", "categorical", categories=("big",), has_other=True)
FLAG = Attribute("flag", "categorical", categories=("false", "true"))
AGE = Attribute("age", "numeric", knots=(20.0, 50.0))


def test_values_become_the_numbers_of_their_categories():
    assert encode_attribute(COLOUR, "red") == 1
    assert encode_attribute(FLAG, True) == 1
    assert encode_attribute(FLAG, "false") == 0
    assert encode_attribute(AGE, 31) == 31


def test_an_unseen_category_is_other_where_there_is_one_and_else_unknown():
    assert encode_attribute(MERGED, "small") == 1
    assert math.isnan(encode_attribute(COLOUR, "green"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_none_is_unknown(value):
    assert math.isnan(encode_attribute(AGE, value))


@pytest.mark.parametrize("value", ["red", " red ", "red\u00a0"])
def test_blanks_around_a_category_do_not_matter_but_its_case_does(value):
    assert encode_attribute(COLOUR, value) == 1
    assert math.isnan(encode_attribute(COLOUR, value.upper()))


def test_an_accent_may_be_written_apart():
    town = Attribute("town", "categorical", categories=("M\u00fcnchen",))
    assert encode_attribute(town, "Mu\u0308nchen") == encode_attribute(town, "M\u00fcnchen") == 0


@pytest.mark.parametrize("value", [True, "true", "True", "TRUE", " true "])
def test_a_flag_is_a_boolean_or_its_name_in_any_case(value):
    assert encode_attribute(FLAG, value) == 1


@pytest.mark.parametrize("attribute", [COLOUR, MERGED, FLAG, AGE])
@pytest.mark.parametrize("value", ["", " ", "\t\n"])
def test_blank_text_is_a_missing_value(attribute, value):
    assert math.isnan(encode_attribute(attribute, value))
    assert is_missing(attribute, value)


def test_marks_are_missing_numbers_and_other_text_is_not():
    assert math.isnan(encode_attribute(AGE, "n/a"))
    assert math.isnan(encode_attribute(replace(FLAG, categories=("true",), has_other=True), "NA"))
    assert encode_attribute(MERGED, "n/a") == 1
    assert not is_missing(MERGED, "n/a")
    assert math.isnan(encode_attribute(replace(MERGED, are_codes=True), "n/a"))


def test_flags_have_no_third_category():
    few = replace(FLAG, categories=("true",))
    assert [attribute.is_flag for attribute in (FLAG, few, replace(few, has_other=True))] == [True, True, True]
    assert not replace(FLAG, has_other=True).is_flag
    assert not replace(FLAG, categories=("false", "maybe")).is_flag
    assert not replace(MERGED, categories=()).is_flag
    assert encode_attribute(replace(FLAG, has_other=True), "NA") == 2


def test_marks_of_the_data_set_are_missing_in_requests_too():
    age, town = replace(AGE, missing=("999", "?")), replace(MERGED, missing=("unknown",))
    assert math.isnan(encode_attribute(age, 999))
    assert math.isnan(encode_attribute(age, " ? "))
    assert encode_attribute(age, 99) == 99
    assert math.isnan(encode_attribute(town, " unknown"))
    assert encode_attribute(town, "elsewhere") == 1


def test_marks_of_the_data_set_are_written_with_the_schema():
    schema = Schema(Scale(1, 5, 4), (replace(AGE, missing=("999",)), replace(COLOUR, are_codes=True)), (), (), None)
    written = schema.to_dict()
    assert [attribute.get("missing") for attribute in written["member_attributes"]] == [("999",), None]
    assert [attribute.get("are_codes") for attribute in written["member_attributes"]] == [None, True]
    assert Schema.from_dict(written) == schema


@pytest.mark.parametrize(("attribute", "value"), [(AGE, "31"), (AGE, True), (COLOUR, 1.0)])
def test_a_value_of_the_wrong_kind_is_refused_and_not_repeated(attribute, value):
    with pytest.raises(WrongKind) as raised:
        encode_attribute(attribute, value)
    assert attribute.name in str(raised.value)
    assert str(value) not in str(raised.value)
