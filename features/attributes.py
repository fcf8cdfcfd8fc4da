"""Encodings of attributes for linear models: one-hot for categories, piecewise linear for numbers."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from features.schema import Attribute


class Coder:
    """Encodes attribute values as inputs of linear models; look-up tables are computed once, for many calls."""

    def __init__(self, attributes: Sequence[Attribute]) -> None:
        self._owner = owners(attributes)
        numeric = np.array([attribute.kind == "numeric" for attribute in attributes], bool)[self._owner]
        places = [np.arange(attribute.width) for attribute in attributes]
        self._category = np.concatenate([np.empty(0), *places]).astype(np.float32)
        self._numeric = np.flatnonzero(numeric)
        bends = [_bends(attribute.knots) for attribute in attributes if attribute.kind == "numeric"]
        self._low, self._gap, self._floor, self._ceiling = np.concatenate([np.empty((4, 0)), *bends], axis=1)

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the (N, W) encoding of the values of A attributes of N members or movies.

        The function `encode` describes the values and the W columns.
        """
        spread = values.take(self._owner, axis=1)
        code: NDArray[np.float32] = (spread == self._category).astype(np.float32)
        if len(self._numeric):
            share = (spread.take(self._numeric, axis=1) - self._low) / self._gap
            code[:, self._numeric] = np.minimum(np.maximum(share, self._floor), self._ceiling)
        code[~np.isfinite(spread)] = np.nan
        return code


def encode(values: NDArray[np.float32], attributes: Sequence[Attribute]) -> NDArray[np.float32]:
    """Return the (N, W) encoding of (N, A) attribute values for linear models; W is the sum of the attributes' widths.

    Values are category numbers or numeric values, NaN if unknown. Categories are encoded one-hot. A numeric value has
    one column for each gap between two knots: the share of the gap that lies below the value, 0 to 1. The first and
    last columns continue linearly beyond the outermost knots, for three gap widths. All columns of an unknown value are
    NaN.
    """
    return Coder(attributes)(values)


def owners(attributes: Sequence[Attribute]) -> NDArray[np.int64]:
    """Return, for each of the W columns of the encoding, the index of the attribute whose value it encodes."""
    return np.repeat(np.arange(len(attributes)), [attribute.width for attribute in attributes])


def groups(values: NDArray[np.float32], attribute: Attribute) -> NDArray[np.int64]:
    """Return the number of the group that each of N values of an attribute is in; -1 if the value is unknown.

    Members or movies in one group are treated as alike, for example in mean residuals. Each category is a group. For a
    numeric attribute, the knots separate the groups.
    """
    known = np.isfinite(values)
    if attribute.kind == "categorical":
        return np.where(known, np.nan_to_num(values), -1).astype(np.int64)
    return np.where(known, np.searchsorted(attribute.knots, np.nan_to_num(values), side="right"), -1)


def group_count(attribute: Attribute) -> int:
    """Return the number of groups into which the function `groups` divides the values of an attribute."""
    return attribute.width if attribute.kind == "categorical" else len(attribute.knots) + 1


def _bends(knots: Sequence[float]) -> NDArray[np.float64]:
    """Return the four (W,) constants of a numeric attribute's encoding, one value for each of its W columns.

    They are the start and width of the gap between two knots, and the minimum and maximum of the column. Columns are
    constant from three gap widths beyond the outermost knots. With fewer than two knots, the only column is the value
    itself, less the knot if there is one.
    """
    if len(knots) < 2:
        return np.array([[knots[0] if knots else 0.0], [1.0], [-np.inf], [np.inf]])
    low, high = np.array(knots[:-1]), np.array(knots[1:])
    first, last = np.arange(len(low)) == 0, np.arange(len(low)) == len(low) - 1
    return np.stack([low, high - low, np.where(first, -3.0, 0.0), np.where(last, 4.0, 1.0)])
