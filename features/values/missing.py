"""Missing values: blank text, the usual marks for them in numbers, flags and times, and marks of a data set's own."""

from collections.abc import Collection
from functools import lru_cache

import polars as pl

from features.values.column_types import is_text

WORDS = ("na", "n.a.", "n/a", "#n/a", "#na", "<na>", "nan", "-nan", "nat", "null", "(null)", "none", "nil", "undefined")
MARKS = frozenset((*WORDS, "\\n", ".", "-", "--", "\u2013", "\u2014"))
"""Marks that stand for a missing number, flag or time, in lower case. In other text, NA can be Namibia."""

WHITESPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""Characters that are trimmed: those with the Unicode property White_Space, as in Polars."""

NO_MARKS: Collection[str] = ()
"""No marks beside the usual ones."""


def trimmed(text: str) -> str:
    """Return the text without white space at both ends."""
    return text.strip(WHITESPACE)


def is_mark(text: str, marks: Collection[str] = NO_MARKS) -> bool:
    """Return whether text in place of a number, flag or time means that it is missing: blank, or a mark."""
    written = trimmed(text)
    return not written or written.lower() in MARKS or written in marks


def is_marked(written: pl.Expr, marks: Collection[str]) -> pl.Expr:
    """Return an expression for whether trimmed text is blank or a mark; null if it is null."""
    marked = written.str.to_lowercase().is_in(["", *sorted(MARKS)])
    return marked | written.is_in(list(marks)) if marks else marked


def text(column: str, marks: Collection[str] = NO_MARKS) -> pl.Expr:
    """Return an expression for trimmed text; null if it is blank or one of the data set's own marks."""
    written = pl.col(column).cast(pl.String).str.strip_chars()
    known = written != ""
    return pl.when(known & ~written.is_in(list(marks)) if marks else known).then(written)


def unmarked_text(column: str, marks: Collection[str] = NO_MARKS) -> pl.Expr:
    """Return an expression for trimmed text in place of a number, flag or time; null if it is blank or a mark."""
    written = pl.col(column).cast(pl.String).str.strip_chars()
    return pl.when(~is_marked(written, marks)).then(written)


def is_given(column: str, dtype: pl.DataType, marks: Collection[str] = NO_MARKS) -> pl.Expr:
    """Return an expression for whether a number, flag or time is present: not blank, NaN or a mark."""
    if is_text(dtype):
        given = ~is_marked(pl.col(column).cast(pl.String).str.strip_chars(), marks).fill_null(True)
    else:
        given = pl.col(column).is_not_null()
    if dtype.is_float():
        given &= pl.col(column).is_not_nan()
    return given & ~is_marked_number(column, dtype, marks) if marks else given


def is_marked_number(column: str, dtype: pl.DataType, marks: Collection[str]) -> pl.Expr:
    """Return an expression for whether a number, also in text, is one of the data set's own marks, such as 999."""
    numbers = marked_numbers(tuple(marks))
    if not numbers or not (is_text(dtype) or dtype.is_numeric()):
        return pl.lit(False)
    value = text(column) if is_text(dtype) else pl.col(column)
    return value.cast(pl.Float64, strict=False).is_in(numbers).fill_null(False)


@lru_cache(maxsize=100)
def marked_numbers(marks: tuple[str, ...]) -> tuple[float, ...]:
    """Return the numbers among the data set's own marks, which are read as text in a column of numbers is."""
    return tuple(pl.Series(marks, dtype=pl.String).str.strip_chars().cast(pl.Float64, strict=False).drop_nulls())
