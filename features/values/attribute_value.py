"""The value of an attribute as tables, requests and records give it, and the number that the model knows it by."""

import math

from features.schema import Attribute

Value = str | float | bool
"""Text, a number or a flag."""


class WrongKind(ValueError):
    """A number was given for a categorical attribute, or text for a numeric one."""


def encode_attribute(attribute: Attribute, value: Value) -> float:
    """The number of the value's category, or the value of a numeric attribute; NaN where it isn't known.

    A category that the attribute lacks counts as its "other" category where it has one, else as unknown.
    Raises WrongKind for a number in place of a category and the other way round.
    """
    if attribute.kind == "numeric":
        if isinstance(value, (str, bool)):
            raise WrongKind(f"attribute {attribute.name} takes a number")
        return float(value) if math.isfinite(value) else math.nan
    if not isinstance(value, (str, bool)):
        raise WrongKind(f"attribute {attribute.name} takes text or a flag")
    text = str(value).lower() if isinstance(value, bool) else value
    number = attribute.category_numbers.get(text)
    if number is None:
        return float(len(attribute.categories)) if attribute.has_other else math.nan
    return float(number)
