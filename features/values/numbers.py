"""Numbers: finite, in the range of float32, with a decimal point and without separators of thousands."""

from collections.abc import Collection

import polars as pl

from features.values.column_types import is_text
from features.values.missing import NO_MARKS, is_given, is_marked_number, text

LARGEST = 3.4028234663852886e38
"""Largest finite value of float32, the type of the model's arrays."""

CODE = r"^[+-]?0[0-9]"
"""Pattern of digits that are a code rather than a number, such as the zip code 02139."""


def number_of(value: object) -> float | None:
    """Return a number of a request, a record or a line of JSON; None if it is none. Text and booleans are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -LARGEST <= value <= LARGEST:
        return None
    return float(value)


def number(column: str, dtype: pl.DataType, marks: Collection[str] = NO_MARKS) -> pl.Expr:
    """Return an expression for a number; null if the value is missing or none."""
    read = read_number(column, dtype, marks)
    return pl.when(read.is_between(-LARGEST, LARGEST)).then(read)


def no_number(column: str, dtype: pl.DataType, marks: Collection[str] = NO_MARKS) -> pl.Expr:
    """Return an expression for whether a value is given but is neither a number nor infinite."""
    read = read_number(column, dtype, marks)
    return is_given(column, dtype, marks) & ~(read.is_between(-LARGEST, LARGEST) | read.is_infinite()).fill_null(False)


def read_number(column: str, dtype: pl.DataType, marks: Collection[str]) -> pl.Expr:
    """Return an expression for the number that a value stands for, NaN and infinite ones included."""
    read = (text(column, marks) if is_text(dtype) else pl.col(column)).cast(pl.Float64, strict=not is_text(dtype))
    return pl.when(~is_marked_number(column, dtype, marks)).then(read) if marks else read
