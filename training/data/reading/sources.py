"""Opens tables of a data directory: Parquet files, CSV files or folders of Parquet files."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from training.errors import DataError, Problem


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


def open_table(folder: Path, table: str) -> Source | None:
    """Open a table, or return None if the folder lacks it. Raises DataError if it is ambiguous or can't be read."""
    places = [folder / f"{table}.parquet", folder / f"{table}.csv", folder / table]
    existing = [place for place in places if place.exists()]
    if not existing:
        return None
    if len(existing) > 1:
        raise DataError([Problem(table, f"there are {' and '.join(map(_named, existing))}; keep one of them")])
    (place,) = existing
    with readable(table):
        if place.is_dir():
            parts = sorted(place.glob("*.parquet"))
            if not parts:
                raise DataError([Problem(table, f"the folder {_named(place)} holds no Parquet parts")])
            return _opened(table, pl.scan_parquet(parts, glob=False, hive_partitioning=False), is_csv=False)
        if place.suffix == ".csv":
            return _opened(table, pl.scan_csv(place, infer_schema=False, glob=False), is_csv=True)
        return _opened(table, pl.scan_parquet(place, glob=False, hive_partitioning=False), is_csv=False)


def _opened(table: str, rows: pl.LazyFrame, *, is_csv: bool) -> Source:
    return Source(table, rows, dict(rows.collect_schema()), is_csv)


def _named(place: Path) -> str:
    return f"{place.name}/" if place.is_dir() else place.name


@contextmanager
def readable(table: str) -> Iterator[None]:
    """Convert errors while reading a broken file, including panics in Polars, to a DataError about the table."""
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError([Problem(table, f"can't be read: {lines[0]}")]) from error


def collect(table: str, *frames: pl.LazyFrame) -> list[pl.DataFrame]:
    """Compute the frames in one pass over the table. Raises DataError if the file is broken."""
    with readable(table):
        return pl.collect_all(frames, engine="streaming")
