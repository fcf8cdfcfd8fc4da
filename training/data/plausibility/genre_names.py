"""Checks whether genres are single names rather than several names that were read as one."""

import json
import re

import polars as pl

from training.errors import Problem

SEPARATORS = r"[,;|\uFF0C\uFF1B\u3001\uFF5C\u2022^~\x00-\x1F]| \u00B7 "
"""Pattern of characters that separate genres in other exports, and that are in few names of genres: commas, semicolons,
bars and dots of several scripts, tabs, line ends and other control characters."""

JOINTS = r"[/&+:_>]| - "
"""Pattern of text between the names of several genres, or the words of a single one, such as Sci-Fi/Fantasy."""

GAPS = r"\s+and\s+|[/&+:_>\s-]+"
"""Pattern of all text that may be between the names of several genres."""

LEAST_JOINED_SHARE = 0.2
"""Minimum share of movies whose genre consists of other genres that can't be all by chance if no movie has several."""

LEFT_OVER = r"""^[\[{<"]|[\]}>"]$"""
"""Pattern of names with brackets or quotes at an end, which are left over from lists in another notation."""


def check_genres(table: str, genres: pl.Series, *, are_lists: bool) -> list[Problem]:
    """Return a problem if genres aren't single names, because other text separates them than is expected.

    `genres` has the list of genres of each movie, null if unknown; `are_lists` says whether the file has lists. If some
    movies have several genres, names were read as they were meant. Then a name is only a problem if all its parts are
    names of other genres.
    """
    lists = pl.LazyFrame({"genre": genres.drop_nulls()}).with_row_index("movie")
    names = lists.with_columns(are_several=pl.col("genre").list.len() > 1).explode("genre").collect()
    whole = 'separator = "|" if it is part of names, under [movies] in schema.toml'
    left_over = names.filter(pl.col("genre").str.contains(LEFT_OVER))
    if not left_over.is_empty():
        text = "with a genre in brackets or quotes, as if a list in another notation had been split"
        return [_problem(table, text, left_over, f"write lists as JSON, or {whole}")]
    joined = _joined(names)
    if joined.is_empty():
        return _joined_names(table, names)
    text = "with several genres in one name" if are_lists else "with genres that aren't separated by |"
    separator = re.search(f"{SEPARATORS}|{GAPS}", joined["genre"][0])
    between = separator[0] if separator else ""
    written = json.dumps(between if between.strip(" ") in ("", "and") else between.strip(" "))
    change = "write each genre as an element of its own" if are_lists else f"write separator = {written}"
    return [_problem(table, text, joined, f"{change}, or {whole}")]


def _joined(names: pl.DataFrame) -> pl.DataFrame:
    """Return the names that consist of several genres."""
    is_wrong = pl.col("genre").str.contains(SEPARATORS)
    if names["are_several"].any():
        return names.filter(is_wrong & _is_of_known(SEPARATORS, names))
    joined = names.filter(is_wrong)
    if not joined.is_empty():
        return joined
    joined = names.filter(pl.col("genre").str.contains(GAPS) & _is_of_known(GAPS, names))
    return joined if len(joined) >= LEAST_JOINED_SHARE * len(names) else joined.clear()


def _problem(table: str, text: str, names: pl.DataFrame, remedy: str) -> Problem:
    return Problem(table, text, "genres", names["movie"].n_unique(), names["genre"][0], remedy)


def _joined_names(table: str, names: pl.DataFrame) -> list[Problem]:
    """Return a warning about names that consist of the names of other genres."""
    joined = names.filter(pl.col("genre").str.contains(JOINTS) & _is_of_known(JOINTS, names))
    if joined.is_empty():
        return []
    text = "with a genre that consists of other genres, but counts as one"
    return [Problem(table, text, "genres", joined["movie"].n_unique(), joined["genre"][0], is_warning=True)]


def _is_of_known(separators: str, names: pl.DataFrame) -> pl.Expr:
    """Return an expression for whether all parts of a name between the separators are names of genres."""
    parts = pl.col("genre").str.replace_all(separators, "|").str.split("|")
    return parts.list.eval(pl.element().str.strip_chars().is_in(names["genre"].unique().implode())).list.all()
