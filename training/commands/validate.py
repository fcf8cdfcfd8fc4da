"""`training validate`: check a data directory, and print how each of its columns is interpreted."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from features.columns import COMPLETION, GENRES, MEMBER_ID, MOVIE_ID, PLAYED_AT, RATED_AT, RATING, RELEASE_YEAR, TITLE
from model.exit_codes import ExitCode
from training.data.infer_schema import MergedColumn, infer_schema
from training.data.reading.tables import TABLES, Tables, read_tables

ROLES = {
    MEMBER_ID: "id",
    MOVIE_ID: "id",
    TITLE: "title",
    RELEASE_YEAR: "year",
    GENRES: "genres",
    RATING: "rating",
    RATED_AT: "time",
    PLAYED_AT: "time",
    COMPLETION: "share",
}
"""Interpretation of columns that aren't attributes."""

HEADER = ("table", "column", "taken for", "values", "missing", "note")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `training validate`."""
    parser.add_argument("--data", type=Path, required=True, help="the data directory to check")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Print a summary of the tables. Raises DataError listing all problems."""
    tables = read_tables(arguments.data)
    print(described(tables))
    return ExitCode.DONE


def described(tables: Tables) -> str:
    """Return a table with a line for each column, followed by the numbers of rows, members and movies."""
    _, merged = infer_schema(tables)
    lines = [HEADER, *(line for table in TABLES for line in _columns(tables, table, merged))]
    widths = [max(len(line[place]) for line in lines) for place in range(len(HEADER))]
    rows = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([*rows, "", *_counts(tables), *map(str, merged)])


def _columns(tables: Tables, table: str, merged: tuple[MergedColumn, ...]) -> Iterator[tuple[str, ...]]:
    rows: pl.DataFrame = getattr(tables, table)
    notes = {(column.table, column.column): column for column in merged}
    for column in rows.iter_columns():
        role = ROLES.get(column.name) if column.name in _known(table) else None
        kind = role or ("numeric" if column.dtype == pl.Float64 else "categorical")
        missing = f"{column.null_count() / max(len(column), 1):.1%}"
        note = notes.get((table, column.name))
        yield table, column.name, kind, f"{_values(column):,}", missing, _note(note) if note else _span(column)
    for name in tables.ignored.get(table, ()):
        yield table, name, "ignored", "", "", ""


def _known(table: str) -> tuple[str, ...]:
    return {"members": (MEMBER_ID,), "movies": (MOVIE_ID, TITLE, RELEASE_YEAR, GENRES)}.get(table, tuple(ROLES))


def _values(column: pl.Series) -> int:
    known = column.explode() if isinstance(column.dtype, pl.List) else column
    return known.drop_nulls().n_unique()


def _note(merged: MergedColumn) -> str:
    return f"{merged.values:,} merged" if merged.kept else "left out"


def _span(column: pl.Series) -> str:
    if column.dtype != pl.Float64 or column.name in (RATED_AT, PLAYED_AT) or column.null_count() == len(column):
        return ""
    lowest, highest = (float(end) for end in (column.min(), column.max()))  # type: ignore[arg-type]
    return f"{lowest:g} to {highest:g}"


def _counts(tables: Tables) -> list[str]:
    raters = tables.ratings.select(MEMBER_ID).unique()
    known = pl.concat([tables.members.select(MEMBER_ID), tables.plays.select(MEMBER_ID)]).unique()
    rated = tables.ratings[MOVIE_ID].n_unique()
    rows = ", ".join(f"{table} {len(getattr(tables, table)):,}" for table in TABLES)
    never = len(known) - len(raters)
    return [
        f"rows: {rows} (every rating is also a play)",
        f"members who rate: {len(raters):,}; who never rate: {never:,}",
        f"movies rated: {rated:,} of {len(tables.movies):,}",
        f"ratings from {tables.scale.low:g} to {tables.scale.high:g}, enjoyed from {tables.scale.enjoyed_from:g}",
    ]
