"""Values of attributes become numbers, and what can't be one is unknown or refused."""

import math

import pytest

from features.schema import Attribute
from features.values.attribute_value import WrongKind, encode_attribute

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


@pytest.mark.parametrize(("attribute", "value"), [(AGE, "31"), (AGE, True), (COLOUR, 1.0)])
def test_a_value_of_the_wrong_kind_is_refused_without_being_told(attribute, value):
    with pytest.raises(WrongKind) as raised:
        encode_attribute(attribute, value)
    assert attribute.name in str(raised.value)
    assert str(value) not in str(raised.value)
