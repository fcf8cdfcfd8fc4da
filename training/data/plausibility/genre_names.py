"""Checks whether genres are single names rather than several names that were read as one."""

import polars as pl

from training.errors import Problem

SEPARATORS = "[,;]"
"""Pattern of characters that separate genres in other exports, and that are in few names of genres."""


JOINTS = r"[/&+\t\n]| - "
"""Pattern of text between the names of several genres, or the words of a single one, such as Sci-Fi/Fantasy."""


def check_genres(table: str, genres: pl.Series, *, are_lists: bool) -> list[Problem]:
    """Return a problem if genres contain commas or semicolons, which separate genres in other exports.

    `genres` has the list of genres of each movie, null if unknown; `are_lists` says whether the file has lists. If some
    movies have several genres, names were read as they were meant. Then a name is only a problem if all its parts are
    names of other genres.
    """
    lists = pl.LazyFrame({"genre": genres.drop_nulls()}).with_row_index("movie")
    names = lists.with_columns(are_several=pl.col("genre").list.len() > 1).explode("genre").collect()
    is_wrong = pl.col("genre").str.contains(SEPARATORS)
    joined = names.filter(is_wrong & _is_of_known(SEPARATORS, names) if names["are_several"].any() else is_wrong)
    if joined.is_empty():
        return _joined_names(table, names)
    text = "with several genres in one name" if are_lists else "with genres that are separated by commas or semicolons"
    separator = "," if "," in joined["genre"][0] else ";"
    change = "write each genre as an element of its own" if are_lists else f'write separator = "{separator}"'
    remedy = f'{change}, or separator = "|" if it is part of names, under [movies] in schema.toml'
    return [Problem(table, text, "genres", joined["movie"].n_unique(), joined["genre"][0], remedy)]


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
