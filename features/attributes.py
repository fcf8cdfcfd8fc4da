"""Attributes of members or movies as numbers that a linear model can use."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from features.schema import Attribute


def encode(values: NDArray[np.float32], attributes: Sequence[Attribute]) -> NDArray[np.float32]:
    """One row of numbers for each row of attribute values; NaN throughout the block of an unknown value.

    `values` is (N, A): category numbers or numbers, NaN where unknown. The result is (N, W), W the sum of the
    attributes' widths: one-hot for categories; for numbers a piecewise linear code that counts, for each gap between
    two knots, which share of it lies below the value (and, beyond the outermost knots, goes on as a straight line).
    """
    blocks = [_encode_one(values[:, place], attribute) for place, attribute in enumerate(attributes)]
    return np.concatenate(blocks, axis=1) if blocks else np.empty((len(values), 0), np.float32)


def owners(attributes: Sequence[Attribute]) -> NDArray[np.int64]:
    """(W,) the position of the attribute that each encoded column belongs to."""
    return np.repeat(np.arange(len(attributes)), [attribute.width for attribute in attributes])


def groups(values: NDArray[np.float32], attribute: Attribute) -> NDArray[np.int64]:
    """(N,) which group of like members or movies each value falls in, -1 where unknown.

    Categories are groups; a number falls in the gap between two knots.
    """
    known = np.isfinite(values)
    if attribute.kind == "categorical":
        return np.where(known, np.nan_to_num(values), -1).astype(np.int64)
    return np.where(known, np.searchsorted(attribute.knots, np.nan_to_num(values), side="right"), -1)


def group_count(attribute: Attribute) -> int:
    """How many groups `groups` tells apart."""
    return attribute.width if attribute.kind == "categorical" else len(attribute.knots) + 1


def _encode_one(values: NDArray[np.float32], attribute: Attribute) -> NDArray[np.float32]:
    known = np.isfinite(values)[:, None]
    filled = np.nan_to_num(values)[:, None]
    if attribute.kind == "categorical":
        code = filled == np.arange(attribute.width)
    elif len(attribute.knots) < 2:
        code = filled - (attribute.knots[0] if attribute.knots else 0.0)
    else:
        low, high = np.array(attribute.knots[:-1]), np.array(attribute.knots[1:])
        share = (filled - low) / (high - low)
        floor = np.where(np.arange(len(low)) == 0, -3.0, 0.0)  # three gaps beyond the ends nothing more is learned
        ceiling = np.where(np.arange(len(low)) == len(low) - 1, 4.0, 1.0)
        code = np.clip(share, floor, ceiling)
    return np.where(known, code, np.nan).astype(np.float32)
