"""Opens a table of a data directory: a Parquet file, a CSV file or a folder of Parquet parts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from training.errors import DataError, Problem


@dataclass(frozen=True)
class Source:
    """A table that is open but not read yet."""

    table: str
    """Its name."""
    rows: pl.LazyFrame
    """Its rows; all columns of CSV are text, so that an id such as 007 stays as it is."""
    dtypes: dict[str, pl.DataType]
    """Its columns and their types."""
    is_csv: bool
    """Whether text columns may hold numbers and flags."""


def open_table(folder: Path, table: str) -> Source | None:
    """The table, or None where the folder lacks it; raises DataError if it has the table twice or can't read it."""
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
    """Turn errors of reading a broken file, polars' panics too, into a DataError about that table."""
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError([Problem(table, f"can't be read: {lines[0]}")]) from error


def collect(table: str, *frames: pl.LazyFrame) -> list[pl.DataFrame]:
    """The frames, computed in one pass over the table; raises DataError where the file is broken."""
    with readable(table):
        return pl.collect_all(frames, engine="streaming")
