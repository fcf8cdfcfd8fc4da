"""Checks of a table's values, made in one pass over its rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from features.values import conversion
from training.errors import Problem


@dataclass(frozen=True)
class Check:
    """A condition that no row of a table may meet."""

    column: str
    """The column it is about."""
    wrong: pl.Expr
    """True where a row is wrong."""
    text: str
    """What is wrong: a phrase to stand after "3 rows"."""
    show: bool = True
    """Whether a message shows one of the wrong values."""


def needs_id(column: str) -> Check:
    """The check that every row has an id in the column."""
    return Check(column, conversion.id_text(column).is_null(), "without an id", show=False)


def needs_number(column: str, unreadable: pl.Expr) -> Check:
    """The check that no row is `unreadable` as a number."""
    return Check(column, unreadable, "with a value that is no number")


def tally(rows: pl.LazyFrame, checks: Sequence[Check]) -> pl.LazyFrame:
    """One row: the number of rows that fail each check, with an example of each."""
    expressions: list[pl.Expr] = []
    for position, check in enumerate(checks):
        wrong = check.wrong.fill_null(False)
        expressions += [
            wrong.sum().alias(f"count {position}"),
            _example(check, wrong).alias(f"example {position}"),
        ]
    return rows.select(expressions)


def _example(check: Check, wrong: pl.Expr) -> pl.Expr:
    return pl.col(check.column).filter(wrong).first().cast(pl.String) if check.show else pl.lit(None, pl.String)


def failed(table: str, checks: Sequence[Check], tallied: pl.DataFrame) -> list[Problem]:
    """A problem for each check that fails, from its tally."""
    counts = tallied.row(0, named=True)
    return [
        Problem(table, check.text, check.column, counts[f"count {position}"], counts[f"example {position}"])
        for position, check in enumerate(checks)
        if counts[f"count {position}"]
    ]


def missing_columns(table: str, dtypes: Iterable[str], needed: Iterable[str]) -> list[Problem]:
    """A problem for each needed column that the table lacks."""
    present = list(dtypes)
    return [
        Problem(table, f"the column is missing; there are: {', '.join(map(repr, present))}", column)
        for column in needed
        if column not in present
    ]


def odd_headers(table: str, dtypes: Iterable[str], *, is_csv: bool) -> list[Problem]:
    """A problem for each column without a name, or (in CSV) with the name of another."""
    problems = []
    for column in dtypes:
        if not column.strip():
            problems.append(Problem(table, "a column has no name: name it, or leave it out if it only counts rows"))
        first, marker, copy = column.rpartition("_duplicated_")
        if is_csv and marker and copy.isdigit() and first in dtypes:
            problems.append(Problem(table, "two columns have this name", first))
    return problems


def repeated(table: str, column: str, rows: pl.DataFrame) -> list[Problem]:
    """A problem if an id occurs in more than one row."""
    repetitions = rows.filter(pl.col(column).is_not_null()).filter(~pl.col(column).is_first_distinct())
    if repetitions.is_empty():
        return []
    return [Problem(table, "with the id of an earlier row", column, len(repetitions), repetitions.item(0, column))]


def unknown_movies(table: str, column: str, rows: pl.DataFrame, movies: pl.DataFrame) -> list[Problem]:
    """A problem if rows refer to movies that the movies table lacks."""
    unknown = rows.filter(pl.col(column).is_not_null()).join(movies, on=column, how="anti", maintain_order="left")
    if unknown.is_empty():
        return []
    return [Problem(table, "with a movie that the movies table lacks", column, len(unknown), unknown.item(0, column))]
