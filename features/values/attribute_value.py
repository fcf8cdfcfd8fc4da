"""Attribute values as they appear in tables, requests and records, and their encoding as numbers for the model."""

import math

from features.schema import Attribute

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
