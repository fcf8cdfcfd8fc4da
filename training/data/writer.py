"""Writes data directories by renaming complete folders, and rejects locations that can't be written to."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from training.data.reading.schema_file import SCHEMA_FILE
from training.errors import DataError, Problem

MARK = "# Written by coldstart:"
"""Start of schema.toml in a data directory that `write_data_directory` may replace."""


def write_data_directory(out: Path, tables: Mapping[str, pl.DataFrame], origin: str, schema: str) -> None:
    """Write tables and schema.toml to a temporary folder beside `out`, then rename it to `out`.

    The first line of schema.toml states where the data come from (`origin`). Raises DataError if `out` contains files
    that this function didn't write.
    """
    refuse_foreign(out)
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as temporary:
        fresh, stale = Path(temporary) / "new", Path(temporary) / "old"
        fresh.mkdir()
        for name, rows in tables.items():
            rows.write_parquet(fresh / f"{name}.parquet")
        (fresh / SCHEMA_FILE).write_text(f"{MARK} {origin}.\n{schema}", encoding="utf-8")
        if out.exists():
            out.rename(stale)
        try:
            fresh.rename(out)
        except OSError:
            if stale.exists():
                stale.rename(out)
            raise


def refuse_foreign(out: Path) -> None:
    """Raise DataError unless `out` is new, empty or a data directory written by `write_data_directory`."""
    refuse_unwritable("--out", out.absolute().parent)
    if not out.exists():
        return
    if not out.is_dir():
        raise DataError([Problem(str(out), "is a file, not a folder")])
    entries = {entry.name for entry in out.iterdir()}
    schema = out / SCHEMA_FILE
    ours = schema.is_file() and schema.read_bytes().startswith(MARK.encode())
    if entries and not (ours and all(name == SCHEMA_FILE or name.endswith(".parquet") for name in entries)):
        text = "the folder holds files that this command has not written: name another, or empty it"
        raise DataError([Problem(str(out), text)])


def refuse_unwritable(option: str, folder: Path) -> None:
    """Raise DataError, naming the option, unless the folder can be written to. The folder need not exist."""
    nearest = next(path for path in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(path))
    if not nearest.is_dir():
        raise DataError([Problem(option, f"{nearest} is no folder: name another place")])
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise DataError([Problem(option, f"{nearest} can't be written to: name another place, or change its rights")])
