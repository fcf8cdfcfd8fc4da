"""Attribute values as they appear in tables, requests and records, and their encoding as numbers for the model."""

import math

from features.schema import FLAGS, Attribute
from features.values.categories import category_of
from features.values.missing import is_mark, marked_numbers
from features.values.numbers import number_of

Value = str | float | bool
"""Value of an attribute: text, a number or a boolean."""


class WrongKind(ValueError):
    """A number was given for a categorical attribute, or text or a boolean for a numeric one."""


def encode_attribute(attribute: Attribute, value: Value) -> float:
    """Return the number of the value's category, or the value itself if the attribute is numeric; NaN if unknown.

    An unseen category is encoded as "other" if the attribute has that category, and as unknown otherwise. Raises
    WrongKind if the value is a number and the attribute is categorical, or the other way round.
    """
    if attribute.kind == "numeric":
        number = number_of(value)
        if number is None or attribute.missing:
            return _unusual_number(attribute, value)
        return number
    if not isinstance(value, (str, bool)):
        raise WrongKind(f"attribute {attribute.name} takes text or a flag")
    place = attribute.category_numbers.get(value if isinstance(value, str) else FLAGS[value])
    if place is None:  # most requests name a category as it is in the schema
        if is_missing(attribute, value):
            return math.nan
        place = attribute.category_numbers.get(category_of(value) or "")
    if place is None:
        return float(len(attribute.categories)) if attribute.has_other else math.nan
    return float(place)


def is_missing(attribute: Attribute, value: Value) -> bool:
    """Return whether the value means that the attribute is unknown.

    Blank text does, and so do marks in place of numbers, flags, codes and times.
    """
    if not isinstance(value, str):
        return False
    if attribute.kind == "numeric" or attribute.is_flag or attribute.are_codes:
        return is_mark(value, attribute.missing)
    return category_of(value, attribute.missing) is None


def _unusual_number(attribute: Attribute, value: Value) -> float:
    if isinstance(value, bool) or (isinstance(value, str) and not is_mark(value, attribute.missing)):
        raise WrongKind(f"attribute {attribute.name} takes a number")
    number = number_of(value)
    return math.nan if number is None or number in marked_numbers(attribute.missing) else number
