"""Writes tables as folders of parts."""

from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl
import pytest


@pytest.fixture
def write_parts(write_data) -> Callable[..., Path]:
    """Writes a sound data directory in Parquet in which one table is a folder of files, given by their paths."""

    def write(table: str, parts: Mapping[str, pl.DataFrame | bytes], schema: str | None = None) -> Path:
        folder = write_data("parquet", schema, **{table: None})
        for name, contents in parts.items():
            path = folder / table / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(contents, bytes):
                path.write_bytes(contents)
            else:
                contents.write_parquet(path)
        return folder

    return write


@pytest.fixture
def halves(tables) -> Callable[[str], tuple[pl.DataFrame, pl.DataFrame]]:
    """The first and the second half of the rows of a table."""

    def split(table: str) -> tuple[pl.DataFrame, pl.DataFrame]:
        middle = len(tables[table]) // 2
        return tables[table][:middle], tables[table][middle:]

    return split
