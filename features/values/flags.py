"""Flags: the categories `true` and `false`, which text stands for in any case."""

from collections.abc import Collection

import polars as pl

from features.schema import FLAGS
from features.values.missing import NO_MARKS, trimmed, unmarked_text


def flag_of(value: str | bool) -> str | None:
    """Return `true` or `false` for a boolean or its name in any case; None for other text."""
    name = trimmed(str(value)).lower()
    return name if name in FLAGS else None


def flag(column: str, marks: Collection[str] = NO_MARKS) -> pl.Expr:
    """Return an expression for `true` or `false` in a column of booleans or text; null if missing or neither."""
    name = unmarked_text(column, marks).str.to_lowercase()
    return pl.when(name.is_in(FLAGS)).then(name)
