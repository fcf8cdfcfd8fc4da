"""Categories: trimmed text in composed Unicode, `true` and `false` in any case, and whole numbers without decimals."""

import re
import unicodedata
from collections.abc import Collection

import polars as pl

from features.schema import FLAGS
from features.values.flags import flag_of
from features.values.missing import NO_MARKS, text, trimmed
from features.values.numbers import number

WHOLE = r"^(0|-?[1-9][0-9]*)\.0+$"
"""Pattern of whole numbers that were written with decimals, because other values of the column were missing."""
_WHOLE = re.compile(WHOLE.replace("$", r"\Z"))


def plain(written: str) -> str:
    """Return text without white space at both ends, in the composed form of Unicode (NFC)."""
    return unicodedata.normalize("NFC", trimmed(written))


def plain_text(written: pl.Expr) -> pl.Expr:
    """Return an expression for the same as `plain`."""
    return written.str.strip_chars().str.normalize("NFC")


def category_of(value: str | bool, marks: Collection[str] = NO_MARKS) -> str | None:
    """Return the name of the category that text or a boolean stands for; None if it is missing."""
    name = trimmed(str(value))
    if not name or name in marks:
        return None
    return flag_of(name) or _WHOLE.sub(r"\1", plain(name))


def category(column: str, dtype: pl.DataType, marks: Collection[str] = NO_MARKS) -> pl.Expr:
    """Return an expression for the category that text, a boolean or a number stands for; null if missing."""
    if dtype.is_float() or dtype.is_decimal():
        given = number(column, dtype, marks)
        whole = given.cast(pl.Int64, strict=False).cast(pl.String)
        return (
            pl.when(given == given.floor())
            .then(whole.fill_null(given.cast(pl.String)))
            .otherwise(given.cast(pl.String))
        )
    name = text(column, marks)
    lower = name.str.to_lowercase()
    return pl.when(lower.is_in(FLAGS)).then(lower).otherwise(plain_text(name).str.replace(WHOLE, "${1}"))
