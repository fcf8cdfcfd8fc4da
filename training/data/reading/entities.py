"""Reads the members and movies tables: predefined columns and arbitrary attribute columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from features.columns import GENRES, MEMBER_ID, MOVIE_ID, RELEASE_YEAR, TITLE
from features.values import categories, column_types, flags, genres, ids, missing, numbers, years
from training.data.reading.checks import (
    Check,
    failed,
    missing_columns,
    needs_id,
    needs_number,
    odd_headers,
    repeated,
    tally,
)
from training.data.reading.schema_file import SCHEMA_FILE, ColumnSettings
from training.data.reading.sources import Source, collect
from training.errors import DataError, Problem

Kind = Literal["categorical", "flag", "numeric"]

NO_GENRES = (
    'with a list of other things than genres, which are text, as ["Drama"], or have a name, as [{"name": "Drama"}]'
)


@dataclass(frozen=True)
class Layout:
    """The predefined columns of a table; all other columns are attributes."""

    id: str
    """Name of the id column."""
    known: Mapping[str, pl.DataType] = field(default_factory=dict)
    """Optional predefined columns, with the types that they are converted to."""


MEMBERS = Layout(MEMBER_ID)
MOVIES = Layout(MOVIE_ID, {TITLE: pl.String(), RELEASE_YEAR: pl.Float64(), GENRES: pl.List(pl.String())})


def read_entities(source: Source, layout: Layout, settings: ColumnSettings) -> tuple[pl.DataFrame, list[Problem]]:
    """Return the rows sorted by id, and all problems with their values.

    Categorical attributes are converted to text and numeric ones to Float64. Raises DataError if columns are missing,
    unnamed or of the wrong type, because their values can't be checked then.
    """
    problems = _problems_of_columns(source, layout, settings)
    if problems:
        raise DataError(problems)
    columns = [pl.lit(None, dtype).alias(name) for name, dtype in layout.known.items() if name not in source.dtypes]
    checks = [needs_id(layout.id)]
    kinds = _kinds(source, layout, settings)
    for name, dtype in source.dtypes.items():
        if name in settings.ignore and name in layout.known:
            columns.append(pl.lit(None, layout.known[name]).alias(name))
        elif name != layout.id and name not in settings.ignore:
            kind = kinds.get(name)
            columns.append(_converted(name, dtype, kind).alias(name))
            checks += _checks(name, dtype, kind)
    canonical = source.rows.select(ids.id_text(layout.id).alias(layout.id), *columns)
    rows, tallied = collect(source, canonical, tally(source.rows, checks))
    if rows.is_empty():
        return rows, [Problem(source.table, "the table has no rows")]
    problems = failed(source.table, checks, tallied) + repeated(source.table, layout.id, rows)
    attributes = [name for name in rows.columns if name != layout.id and name not in layout.known]
    return rows.select(layout.id, *layout.known, *attributes).sort(layout.id), problems


def _problems_of_columns(source: Source, layout: Layout, settings: ColumnSettings) -> list[Problem]:
    read = [name for name in source.dtypes if name not in settings.ignore]
    source.refuse_parts(read, [layout.id], f", or name it under ignore in {SCHEMA_FILE}")
    problems = missing_columns(source.table, source.dtypes, [layout.id])
    problems += odd_headers(source.table, source.dtypes, is_csv=source.is_csv)
    for key in ("categorical", "numeric", "ignore"):
        for name in getattr(settings, key):
            if name not in source.dtypes and name not in layout.known:
                text = f"[{source.table}] {key} names the column {name!r}, which the table lacks"
                problems.append(Problem(SCHEMA_FILE, text))
            elif name == layout.id or (name in layout.known and key != "ignore"):
                problems.append(Problem(SCHEMA_FILE, f"[{source.table}] {key} names {name!r}, which is no attribute"))
    for name, dtype in source.dtypes.items():
        required = None if name in settings.ignore else _required_types(name, dtype, layout)
        if required is not None:
            remedy = "" if name == layout.id else f"; else name it under ignore in {SCHEMA_FILE}"
            problems.append(Problem(source.table, f"holds {dtype}, but must hold {required}{remedy}", name))
    return problems


def _required_types(name: str, dtype: pl.DataType, layout: Layout) -> str | None:
    """Return a description of the allowed types of a column, or None if its type is allowed."""
    if name == layout.id:
        return None if column_types.is_id(dtype) else column_types.ID_TYPES
    if name == GENRES and name in layout.known:
        return None if column_types.is_genres(dtype) else column_types.GENRES_TYPES
    if name == RELEASE_YEAR and name in layout.known:
        return None if column_types.is_number(dtype) else column_types.NUMBER_TYPES
    is_attribute = column_types.is_number(dtype) or dtype == pl.Boolean
    return None if is_attribute else "text, numbers or flags"


def _kinds(source: Source, layout: Layout, settings: ColumnSettings) -> dict[str, Kind]:
    """Return the kind of each attribute column."""
    kinds: dict[str, Kind] = {}
    undeclared: list[str] = []
    for name, dtype in source.dtypes.items():
        if name == layout.id or name in layout.known or name in settings.ignore:
            continue
        if name in settings.numeric:
            kinds[name] = "numeric"
        elif name in settings.categorical:
            kinds[name] = "categorical"
        elif source.is_csv:
            undeclared.append(name)
        else:
            kinds[name] = "numeric" if dtype.is_numeric() else "categorical"
    return kinds | _kinds_by_values(source, undeclared)


def _kinds_by_values(source: Source, names: list[str]) -> dict[str, Kind]:
    """Infer the kinds of CSV columns from their values. Numbers with a leading zero (02139) are codes: categorical."""
    if not names:
        return {}
    tests = []
    for name in names:
        given = missing.unmarked_text(name)
        is_number = ~numbers.no_number(name, source.dtypes[name]) & ~given.str.contains(numbers.CODE)
        is_flag = flags.flag(name).is_not_null()
        tests += [
            given.is_null().all().alias(f"blank {name}"),
            (given.is_null() | is_number).all().alias(f"numeric {name}"),
            (given.is_null() | is_flag).all().alias(f"flag {name}"),
        ]
    (results,) = collect(source, source.rows.select(tests))
    holds = results.row(0, named=True)
    return {name: _kind_of(*(holds[f"{test} {name}"] for test in ("blank", "numeric", "flag"))) for name in names}


def _kind_of(is_blank: bool, is_numeric: bool, is_flag: bool) -> Kind:
    if is_blank:
        return "categorical"
    return "numeric" if is_numeric else "flag" if is_flag else "categorical"


def _is_number(name: str, kind: Kind | None) -> bool:
    return kind == "numeric" or (kind is None and name == RELEASE_YEAR)


def _checks(name: str, dtype: pl.DataType, kind: Kind | None) -> list[Check]:
    """Return the checks of an attribute or a predefined column."""
    checks = [needs_number(name, numbers.no_number(name, dtype))] if _is_number(name, kind) else []
    if kind is None and name == RELEASE_YEAR:
        text = (
            f"that is no whole number from {years.EARLIEST_YEAR} to {years.LATEST_YEAR}; leave the year empty if it "
            "isn't known"
        )
        checks.append(Check(name, ~years.is_year_column(numbers.number(name, dtype)), text))
    if kind is None and name == GENRES:
        checks.append(Check(name, genres.no_genres(name, dtype), NO_GENRES))
    return checks


def _converted(name: str, dtype: pl.DataType, kind: Kind | None) -> pl.Expr:
    """Return the column converted to its kind or, for a predefined column, to its type."""
    if _is_number(name, kind):
        return numbers.number(name, dtype)
    if kind == "flag":
        return flags.flag(name)
    if kind == "categorical":
        return categories.category(name, dtype)
    return genres.genres(name, dtype) if name == GENRES else missing.text(name)
