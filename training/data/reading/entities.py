"""Reads the members and movies tables: predefined columns and arbitrary attribute columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from features.columns import GENRES, MEMBER_ID, MOVIE_ID, RELEASE_YEAR, TITLE
from features.values import categories, column_types, flags, genres, ids, missing, numbers, years
from training.data.plausibility.attribute_numbers import check_missing, check_numbers
from training.data.plausibility.genre_names import check_genres
from training.data.reading.checks import (
    Check,
    failed,
    marked_id,
    missing_columns,
    needs_id,
    needs_number,
    odd_headers,
    repeated,
    tally,
)
from training.data.reading.schema_file import NAMING_COLUMNS, SCHEMA_FILE, ColumnSettings, MovieSettings
from training.data.reading.sources import ReadTable, Source, collect
from training.data.reading.text_columns import TextCounts, TextKind, check_text, count_text, text_kind
from training.errors import DataError, Problem

NO_NUMBER = f'correct them, or write in {SCHEMA_FILE} missing = [...] with the text that means "not known"'

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


def read_entities(source: Source, layout: Layout, settings: ColumnSettings) -> ReadTable:
    """Return the rows sorted by id, and all problems with their values.

    Categorical attributes are converted to text and numeric ones to Float64. Raises DataError if columns are missing,
    unnamed or of the wrong type, because their values can't be checked then.
    """
    source = source.with_dates_as_text(but=layout.id)
    problems = _problems_of_columns(source, layout, settings)
    if problems:
        raise DataError(problems)
    columns = [pl.lit(None, dtype).alias(name) for name, dtype in layout.known.items() if name not in source.dtypes]
    checks = [needs_id(layout.id), marked_id(layout.id)]
    kinds, mixtures = _kinds(source, layout, settings)
    for name, dtype in source.dtypes.items():
        if name in settings.ignore and name in layout.known:
            columns.append(pl.lit(None, layout.known[name]).alias(name))
        elif name != layout.id and name not in settings.ignore:
            kind = kinds.get(name)
            columns.append(_converted(name, dtype, kind, settings).alias(name))
            checks += _checks(name, dtype, kind, settings.missing)
    canonical = source.rows.select(ids.id_text(layout.id).alias(layout.id), *columns)
    rows, tallied = collect(source, canonical, tally(source.rows, checks))
    if rows.is_empty():
        return ReadTable(rows, [Problem(source.table, "the table has no rows")], 0)
    problems = failed(source.table, checks, tallied) + mixtures + repeated(source.table, layout.id, rows)
    problems += _unlikely_values(source, rows, kinds, settings)
    attributes = [name for name in rows.columns if name != layout.id and name not in layout.known]
    codes = tuple(name for name in attributes if kinds[name] == "code")
    return ReadTable(rows.select(layout.id, *layout.known, *attributes).sort(layout.id), problems, len(rows), codes)


def _problems_of_columns(source: Source, layout: Layout, settings: ColumnSettings) -> list[Problem]:
    read = [name for name in source.dtypes if name not in settings.ignore]
    source.refuse_parts(read, [layout.id], f", or name it under ignore in {SCHEMA_FILE}")
    problems = missing_columns(source.table, source.dtypes, [layout.id])
    problems += odd_headers(source.table, source.dtypes, is_csv=source.is_csv)
    for key in NAMING_COLUMNS:
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


def _kinds(source: Source, layout: Layout, settings: ColumnSettings) -> tuple[dict[str, TextKind], list[Problem]]:
    """Return the kind of each attribute column, and the problems of text that is of several kinds."""
    kinds: dict[str, TextKind] = {}
    undeclared: list[str] = []
    for name, dtype in source.dtypes.items():
        if name == layout.id or name in layout.known or name in settings.ignore:
            continue
        if name in settings.numeric:
            kinds[name] = "numeric"
        elif name in settings.categorical:
            kinds[name] = "categorical"
        elif dtype == pl.String:
            undeclared.append(name)
        else:
            kinds[name] = "numeric" if dtype.is_numeric() else "categorical"
    counts = _text_counts(source, undeclared, settings.missing)
    problems = [problem for name in undeclared for problem in check_text(source.table, name, counts[name])]
    return kinds | {name: text_kind(counts[name]) for name in undeclared}, problems


def _text_counts(source: Source, names: list[str], marks: tuple[str, ...]) -> dict[str, TextCounts]:
    """Count what the text in columns stands for, in one pass over the table."""
    if not names:
        return {}
    (counts,) = collect(source, source.rows.select(_distinct(name) for name in names))
    return {name: count_text(counts[name].explode().struct.unnest(), marks) for name in names}


def _distinct(name: str) -> pl.Expr:
    """Return an expression for a list of the distinct values of a column, `text`, and their numbers of `rows`."""
    return pl.col(name).alias("text").value_counts(name="rows").implode().alias(name)


def _unlikely_values(
    source: Source, rows: pl.DataFrame, kinds: Mapping[str, TextKind], settings: ColumnSettings
) -> list[Problem]:
    """Return the problems and warnings about values that can be read, but hardly mean what they say."""
    problems = []
    for name, kind in kinds.items():
        problems += check_missing(source.table, rows[name])
        if kind == "numeric":
            problems += check_numbers(source.table, rows[name])
    if isinstance(settings, MovieSettings) and settings.separator is None and GENRES in source.dtypes:
        problems += check_genres(source.table, rows[GENRES], are_lists=not column_types.is_text(source.dtypes[GENRES]))
    return problems


def _is_number(name: str, kind: TextKind | None) -> bool:
    return kind == "numeric" or (kind is None and name == RELEASE_YEAR)


def _checks(name: str, dtype: pl.DataType, kind: TextKind | None, marks: tuple[str, ...]) -> list[Check]:
    """Return the checks of an attribute or a predefined column."""
    checks = []
    if _is_number(name, kind):
        is_infinite = numbers.read_number(name, dtype, marks).is_infinite()
        infinite = "with an infinite number, which counts as missing"
        checks = [
            needs_number(name, numbers.no_number(name, dtype, marks), NO_NUMBER),
            Check(name, is_infinite, infinite, is_warning=True),
        ]
    if kind is None and name == RELEASE_YEAR:
        text = (
            f"with a value that is no whole number from {years.EARLIEST_YEAR} to {years.LATEST_YEAR}; if the year is "
            f"unknown, leave it empty, or list the value under [movies] in {SCHEMA_FILE} as missing = [...]"
        )
        checks.append(Check(name, ~years.is_year_column(numbers.number(name, dtype, marks)), text))
    if kind is None and name == GENRES:
        checks.append(Check(name, genres.no_genres(name, dtype, marks), NO_GENRES))
    return checks


def _converted(name: str, dtype: pl.DataType, kind: TextKind | None, settings: ColumnSettings) -> pl.Expr:
    """Return the column converted to its kind or, for a predefined column, to its type."""
    marks = settings.missing
    if _is_number(name, kind):
        return numbers.number(name, dtype, marks)
    if kind == "flag":
        return flags.flag(name, marks)
    if kind == "code":
        given = missing.unmarked_text(name, marks).is_not_null()
        return pl.when(given).then(categories.category(name, dtype, marks))
    if kind == "categorical":
        return categories.category(name, dtype, marks)
    if name != GENRES:
        return missing.text(name, marks)
    separator = settings.separator if isinstance(settings, MovieSettings) else None
    return genres.genres(name, dtype, separator or genres.SEPARATOR, marks)
