"""Writing a data directory as a whole or not at all."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from training.data.reading.schema_file import SCHEMA_FILE
from training.errors import DataError, Problem

MARK = "# Written by coldstart:"
"""How the schema.toml of a data directory begins that may be written anew."""


def write_data_directory(out: Path, tables: Mapping[str, pl.DataFrame], origin: str, schema: str) -> None:
    """Write tables and schema.toml into a folder beside `out`, then rename it.

    Raises DataError where `out` holds anything that this function has not written.
    """
    refuse_foreign(out)
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as beside:
        fresh, stale = Path(beside) / "new", Path(beside) / "old"
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
    """Raise DataError unless `out` can be made: new, an empty folder or one that `write_data_directory` made."""
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
    """Raise DataError that names the option unless files can be made in the folder, which needn't be there yet."""
    nearest = next(one for one in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(one))
    if not nearest.is_dir():
        raise DataError([Problem(option, f"{nearest} is no folder: name another place")])
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise DataError([Problem(option, f"{nearest} can't be written to: name another place, or change its rights")])
