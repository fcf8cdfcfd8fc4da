"""Genres: lists of text, or text that is split by a separator or written as a list of JSON, Python or Postgres."""

import json
import re
from collections.abc import Collection, Iterable
from typing import Any

import polars as pl

from features.schema import OTHER_GENRE, Schema
from features.values.categories import plain, plain_text
from features.values.column_types import is_text, name_type
from features.values.missing import NO_MARKS, is_mark, is_marked, unmarked_text

SEPARATOR = "|"

LISTED = r"""(?s)^(?:\[.*\]|\{.*\}|\(['"].*\))$"""
"""Pattern of text that is a list in brackets."""
QUOTED = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_ENTRY = re.compile(rf"""{QUOTED}|[^,'"\s][^,]*""", re.DOTALL)
_NAMED = re.compile(rf"""['"]name['"]\s*:\s*({QUOTED})""", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U(000[0-9a-f]{5}|0010[0-9a-f]{4})|(.))", re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_OBJECT = re.compile(r"\{\s*['\"]\w+['\"]\s*:")


def genre_numbers(schema: Schema, names: Iterable[str]) -> list[int | None]:
    """Return the number of each genre in the schema; None if the schema has neither it nor the genre "other".

    Names that are blank or marks of missing values are left out.
    """
    other = schema.genre_numbers.get(OTHER_GENRE) if schema.has_other_genre else None
    return [
        schema.genre_numbers.get(name, other)
        for name in map(plain, names)
        if not is_mark(name, schema.missing_in_movies)
    ]


def genres(column: str, dtype: pl.DataType, separator: str = SEPARATOR, marks: Collection[str] = NO_MARKS) -> pl.Expr:
    """Return an expression for genres: trimmed, composed, sorted and unique, without blank names and marks.

    It is null if there are none, since every movie has a genre.
    """
    name = plain_text(pl.element())
    names = _names(column, dtype, separator, marks).cast(pl.List(pl.String))
    named = names.list.eval(name.filter(~is_marked(name, marks))).list.unique().list.sort()
    return pl.when(named.list.len() > 0).then(named)


def no_genres(column: str, dtype: pl.DataType, marks: Collection[str] = NO_MARKS) -> pl.Expr:
    """Return an expression for whether text is a list in brackets from which names of genres can't be read."""
    if not is_text(dtype):
        return pl.lit(False)
    written = unmarked_text(column, marks)
    return written.str.contains(LISTED) & _in_brackets(written).is_null()


def _names(column: str, dtype: pl.DataType, separator: str, marks: Collection[str]) -> pl.Expr:
    if isinstance(dtype, (pl.List, pl.Array)):
        names = pl.col(column).arr.to_list() if isinstance(dtype, pl.Array) else pl.col(column)
        is_named = dtype.inner != name_type(dtype)
        return names.list.eval(pl.element().struct.field("name")) if is_named else names
    written = unmarked_text(column, marks)
    in_brackets = written.str.contains(LISTED)
    return pl.when(in_brackets).then(_in_brackets(written)).otherwise(written.str.split(separator))


def _in_brackets(written: pl.Expr) -> pl.Expr:
    return written.map_batches(
        lambda texts: pl.Series(texts.name, [_listed(text) for text in texts], pl.List(pl.String)),
        pl.List(pl.String),
        is_elementwise=True,
    )


def _listed(text: str | None) -> list[str] | None:
    """Return the names in a list of text, or of objects with a name, in brackets; None if there is no such list."""
    if text is None or not re.match(LISTED, text):
        return None
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        names = _quoted(text)
    else:
        names = [_name(entry) for entry in (entries if isinstance(entries, list) else [entries])]
    return None if any(name is None or _SURROGATE.search(name) for name in names) else names  # type: ignore[return-value]


def _name(entry: Any) -> str | None:
    """Return the name in an entry of a list of JSON, blank if it is missing; None if the entry is something else."""
    if isinstance(entry, dict):
        entry = entry.get("name", 0 if entry else None)
    if entry is None or entry != entry:
        return ""
    return entry if isinstance(entry, str) else None


def _quoted(text: str) -> list[str | None]:
    """Return the names in a list that isn't JSON, and None for an object without a name."""
    objects = len(_OBJECT.findall(text))
    names = _NAMED.findall(text) if objects else _ENTRY.findall(text[1:-1])
    unnamed = [None] * max(objects - len(names), 0)
    return [_ESCAPE.sub(_unescaped, name[1:-1]) if name[0] in "'\"" else name for name in names] + unnamed


def _unescaped(escape: re.Match[str]) -> str:
    code = escape[1] or escape[2] or escape[3]
    return chr(int(code, 16)) if code else escape[4]
