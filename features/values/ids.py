"""Ids: text as it stands, which isn't blank; whole numbers are read as their text."""

import polars as pl

from features.values.missing import trimmed


def is_id(value: object) -> bool:
    """Return whether a value of a request, a record or a line of JSON is an id."""
    return isinstance(value, str) and bool(trimmed(value))


def id_text(column: str) -> pl.Expr:
    """Return an expression for an id, which isn't trimmed; null if blank."""
    written = pl.col(column).cast(pl.String)
    return pl.when(written.str.strip_chars() != "").then(written)
