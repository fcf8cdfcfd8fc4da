"""Checks of a table's values, which are all made in one pass over the rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from features.columns import MOVIE_ID
from features.values import ids, missing
from training.data.plausibility.spelling import REMEDY, compare_spellings
from training.errors import Problem


@dataclass(frozen=True)
class Check:
    """A check that fails for every row in which a condition is true."""

    column: str
    """Name of the column that is checked."""
    wrong: pl.Expr
    """The condition: true if a row is wrong."""
    text: str
    """Description of the problem: a phrase that follows "3 rows"."""
    show: bool = True
    """Whether messages contain one of the wrong values."""
    remedy: str | None = None
    """What to change in the file or in schema.toml, or None if the text says it."""
    is_warning: bool = False
    """Whether the data can be used even if the check fails."""
    among: pl.Expr | None = None
    """A condition that takes less time and is true for all wrong rows and few others; None for `wrong` itself."""


def needs_id(column: str) -> Check:
    """Return a check that every row has an id in the column."""
    return Check(column, ids.id_text(column).is_null(), "without an id", show=False)


def marked_id(column: str) -> Check:
    """Return a check, which is only a warning, that no id is a word that usually means a missing value."""
    words = sorted(missing.MARKS - {"."})
    text = "with an id that often means that the value is missing, but counts as one id"
    is_marked = ids.id_text(column).str.strip_chars().str.to_lowercase().is_in(words)
    return Check(column, is_marked, text, remedy="if it is missing, leave these rows out", is_warning=True)


def needs_number(column: str, unreadable: pl.Expr, remedy: str | None = None, among: pl.Expr | None = None) -> Check:
    """Return a check that every value is a number; `unreadable` is true for values that can't be read as a number."""
    return Check(column, unreadable, "with a value that is no number", remedy=remedy, among=among)


def tally(rows: pl.LazyFrame, checks: Sequence[Check], weight: str | None = None) -> pl.LazyFrame:
    """Return one row with the number of rows that fail each check, and an example from these rows.

    `weight` is a column with the number of times that a row counts; None if once.
    """
    expressions: list[pl.Expr] = []
    for position, check in enumerate(checks):
        wrong = check.wrong.fill_null(False)
        count = wrong.sum() if weight is None else pl.col(weight).filter(wrong).sum()
        expressions += [count.alias(f"count {position}"), _example(check, wrong).alias(f"example {position}")]
    suspects = [check.wrong if check.among is None else check.among for check in checks]
    return rows.filter(pl.any_horizontal(pl.lit(False), *suspects)).select(expressions)


def _example(check: Check, wrong: pl.Expr) -> pl.Expr:
    return pl.col(check.column).filter(wrong).first().cast(pl.String) if check.show else pl.lit(None, pl.String)


def failed(table: str, checks: Sequence[Check], tallied: pl.DataFrame) -> list[Problem]:
    """Return a problem for each check that fails, according to the result of `tally`."""
    counts = tallied.row(0, named=True) if checks else {}
    return [
        Problem(
            table,
            check.text,
            check.column,
            counts[f"count {position}"],
            counts[f"example {position}"],
            check.remedy,
            check.is_warning,
        )
        for position, check in enumerate(checks)
        if counts[f"count {position}"]
    ]


def missing_columns(table: str, dtypes: Iterable[str], needed: Iterable[str]) -> list[Problem]:
    """Return a problem for each needed column that the table lacks."""
    present = list(dtypes)
    return [
        Problem(table, f"the column is missing; there are: {', '.join(map(repr, present))}", column)
        for column in needed
        if column not in present
    ]


def odd_headers(table: str, dtypes: Iterable[str], *, is_csv: bool) -> list[Problem]:
    """Return a problem for each column whose name is blank, has white space at an end or, in CSV, is an earlier one."""
    problems = []
    for column in dtypes:
        if column.strip() and column != column.strip():
            text = "the name has white space at its beginning or end: remove it"
            problems.append(Problem(table, text, column))
        if not column.strip():
            problems.append(Problem(table, "a column has no name: name it, or leave it out if it only counts rows"))
        first, marker, copy = column.rpartition("_duplicated_")
        if is_csv and marker and copy.isdigit() and first in dtypes:
            problems.append(Problem(table, "two columns have this name", first))
    return problems


def repeated(table: str, column: str, rows: pl.DataFrame) -> list[Problem]:
    """Return a problem if any id occurs in more than one row."""
    repetitions = rows.filter(pl.col(column).is_not_null()).filter(~pl.col(column).is_first_distinct())
    if repetitions.is_empty():
        return []
    return [Problem(table, "with the id of an earlier row", column, len(repetitions), repetitions.item(0, column))]


def unknown_movies(table: str, rows: int, unknown: pl.Series, movies: pl.Series, example: str) -> Problem:
    """Return the problem that rows refer to movies that the movies table lacks.

    `unknown` are their distinct ids, `movies` those in the movies table, and `example` is an unknown id.
    """
    text = "with a movie that the movies table lacks"
    spellings = compare_spellings(unknown, movies)
    if spellings.example is None:
        return Problem(table, text, MOVIE_ID, rows, example)
    text += f", {len(spellings.pairs):,} of {spellings.ids:,} ids only because they are written differently there"
    return Problem(table, text, MOVIE_ID, rows, spellings.example, REMEDY)
