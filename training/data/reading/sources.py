"""Opens tables of a data directory: Parquet files, CSV files or folders of Parquet files."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from features.columns import MEMBER_ID
from features.values import column_types, ids
from features.values.missing import NO_MARKS
from training.data.files.csv_text import fault_of_head, fault_of_lines
from training.data.files.forgotten_list import Forgotten
from training.data.files.part_types import Conflict, join_parts
from training.data.files.table_files import UNREADABLE, TableFile, find_parts, readable, reason, refuse_empty
from training.errors import DataError, Problem, is_no_room


@dataclass(frozen=True)
class ReadTable:
    """A table that has been read."""

    rows: pl.DataFrame
    """Rows in canonical form."""
    problems: list[Problem]
    """All problems and warnings about the values."""
    rows_in_files: int
    """Number of rows in the files, of which `rows` may be a part."""
    codes: tuple[str, ...] = ()
    """Attributes that are codes or times."""


@dataclass(frozen=True)
class Source:
    """A table that has been opened but not yet read."""

    table: str
    """Name of the table."""
    rows: pl.LazyFrame
    """Rows of the table. All columns of a CSV file are text, so that ids such as 007 keep their zeros."""
    dtypes: dict[str, pl.DataType]
    """Types of the columns, by name."""
    is_csv: bool
    """Whether the table is a CSV file, in which text may represent numbers and flags."""
    files: tuple[TableFile, ...] = ()
    """The files that hold the rows."""
    conflicts: Mapping[str, Conflict] = field(default_factory=dict)
    """Columns that can't be read, because their types in different parts don't go together."""
    absent: Mapping[str, str] = field(default_factory=dict)
    """Columns that some parts lack, each with the names of these parts. Values are null there."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the files, relative to the data directory."""
        return tuple(file.name for file in self.files)

    def with_dates_as_text(self, but: str) -> "Source":
        """Return the table with dates as ISO 8601 text, as CSV files have them; the column `but` stays as it is."""
        dates = [name for name, dtype in self.dtypes.items() if dtype == pl.Date and name != but]
        if not dates:
            return self
        rows = self.rows.with_columns(pl.col(dates).cast(pl.String))
        return replace(self, rows=rows, dtypes=self.dtypes | dict.fromkeys(dates, pl.String()))

    def without(self, forgotten: Forgotten) -> "Source":
        """Return the table without the rows of forgotten members.

        If there are any, the ids are read, and each that is distinct is hashed. Raises DataError if a file is broken.
        """
        dtype = self.dtypes.get(MEMBER_ID)
        if not forgotten or dtype is None or MEMBER_ID in self.conflicts or not column_types.is_id(dtype):
            return self
        written = ids.id_text(MEMBER_ID)
        (distinct,) = collect(self, self.rows.select(written.unique().drop_nulls()))
        gone = list(forgotten.of(distinct[MEMBER_ID]))
        return replace(self, rows=self.rows.filter(~written.is_in(gone).fill_null(False)))

    def refuse_parts(self, read: Collection[str], needed: Collection[str], or_else: str = "") -> None:
        """Raise DataError if types of a column to be read don't go together, or if parts lack a needed column.

        `or_else` is another remedy for types, a phrase that follows the first one.
        """
        remedy = f"write all parts with the same type{or_else}"
        problems = [
            Problem(self.table, f"holds {conflict.text}", name, example=conflict.example, remedy=remedy)
            for name, conflict in self.conflicts.items()
            if name in read
        ]
        problems += [
            Problem(self.table, f"the column is missing in {self.absent[name]}", name)
            for name in needed
            if name in self.absent and name not in self.conflicts
        ]
        if problems:
            raise DataError(problems)


def open_table(folder: Path, table: str, marks: Collection[str] = NO_MARKS) -> Source | None:
    """Open a table, or return None if the folder lacks it. Raises DataError if it is ambiguous or can't be read.

    `marks` stand for missing values where parts differ in types, in addition to the usual ones.
    """
    with readable(table):
        names = sorted(entry.name for entry in folder.iterdir())
        existing = [folder / name for name in (f"{table}.parquet", f"{table}.csv", table) if name in names]
        if not existing:
            _refuse_similar(table, names)
            return None
        if len(existing) > 1:
            raise DataError([Problem(table, f"there are {' and '.join(map(_named, existing))}; keep one of them")])
        return open_file(table, existing[0], marks)


def open_file(table: str, place: Path, marks: Collection[str] = NO_MARKS) -> Source:
    """Open a table in a folder of Parquet files, a file that ends with .parquet, or a CSV file.

    Raises DataError if it can't be read.
    """
    if place.is_dir():
        return _open_parquet(table, find_parts(table, place), marks)
    file = TableFile(place, place.name)
    return _open_parquet(table, [file], marks) if place.suffix == ".parquet" else _open_csv(table, file)


def collect(source: Source, *frames: pl.LazyFrame) -> list[pl.DataFrame]:
    """Compute the frames, or write those that end in a sink, side by side. Each reads the columns that it needs.

    Raises DataError, which names the file, if one is broken.
    """
    apart = pl.QueryOptFlags(comm_subplan_elim=False)  # frames that share a scan hold its rows until all have read them
    try:
        return pl.collect_all(frames, engine="streaming", optimizations=apart)
    except UNREADABLE as error:
        if is_no_room(error):
            raise
        cause = next(filter(None, map(_fault, source.files)), reason(error))
        raise DataError([Problem(source.table, f"can't be read: {cause}")]) from error


def _open_parquet(table: str, files: list[TableFile], marks: Collection[str]) -> Source:
    refuse_empty(table, files)
    joined = join_parts(table, files, marks)
    dtypes = joined.dtypes | dict.fromkeys(joined.conflicts, pl.Null())
    return Source(table, joined.rows, dtypes, False, tuple(files), joined.conflicts, joined.absent)


def _open_csv(table: str, file: TableFile) -> Source:
    refuse_empty(table, [file])
    with readable(table, file.name):
        if fault := fault_of_head(file.path):
            raise DataError([Problem(table, f"can't be read: {file.name}: {fault}")])
        rows = pl.scan_csv(file.path, infer_schema=False, glob=False)
        return Source(table, rows, dict(rows.collect_schema()), True, (file,))


def _fault(file: TableFile) -> str | None:
    """Return the name of a file and why it can't be read, or None if it can."""
    try:
        if file.path.suffix.lower() == ".parquet":
            pl.scan_parquet(file.path, glob=False, hive_partitioning=False).select(pl.all().count()).collect()
            fault = None
        else:
            fault = fault_of_lines(file.path)
    except UNREADABLE as error:
        fault = reason(error)
    return f"{file.name}: {fault}" if fault else None


def _refuse_similar(table: str, names: list[str]) -> None:
    """Raise DataError if a file is named almost like the table, as Plays.csv, play.csv and plays_2024.csv."""
    similar = re.compile(rf"[\W_]*(?:{table}(?![a-z])|{table[:-1]}\.)", re.IGNORECASE)
    for name in names:
        if similar.match(name):
            text = f"{name} isn't read: write {table}.parquet, {table}.csv or a folder {table} of Parquet files"
            raise DataError([Problem(table, text)])


def _named(place: Path) -> str:
    return f"{place.name}/" if place.is_dir() else place.name
