"""Writes data directories by renaming complete folders, and rejects locations that can't be written to."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from training.data.reading.schema_file import SCHEMA_FILE
from training.errors import DataError, Problem, UsageError

MARK = "# Written by coldstart:"
"""Start of schema.toml in a data directory that `write_data_directory` may replace."""


def write_data_directory(
    out: Path, parts: Iterable[Mapping[str, pl.DataFrame]], origin: str, schema: str
) -> dict[str, int]:
    """Write tables and schema.toml to a temporary folder beside `out`, rename it to `out`, and return numbers of rows.

    Each part has the next rows of some tables. A table is one file, however many parts it comes in; parts are joined
    without holding all rows in memory. The first line of schema.toml states where the data come from (`origin`).
    Raises DataError if `out` contains files that this function didn't write.
    """
    refuse_foreign(out)
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as temporary:
        fresh, stale, beside = (Path(temporary) / name for name in ("new", "old", "parts"))
        fresh.mkdir()
        counts = _write_tables(fresh, beside, parts)
        (fresh / SCHEMA_FILE).write_text(f"{MARK} {origin}.\n{schema}", encoding="utf-8")
        if out.exists():
            out.rename(stale)
        try:
            fresh.rename(out)
        except OSError:
            if stale.exists():
                stale.rename(out)
            raise
    return counts


def _write_tables(folder: Path, beside: Path, parts: Iterable[Mapping[str, pl.DataFrame]]) -> dict[str, int]:
    """Write one file per table and return the numbers of rows. The parts are written to `beside` first."""
    counts: dict[str, int] = {}
    for number, tables in enumerate(parts):
        for name, rows in tables.items():
            (beside / name).mkdir(parents=True, exist_ok=True)
            rows.write_parquet(beside / name / f"{number:08}.parquet")
            counts[name] = counts.get(name, 0) + len(rows)
    for name in counts:
        written, file = sorted((beside / name).iterdir()), folder / f"{name}.parquet"
        if len(written) == 1:
            written[0].rename(file)
        else:
            pl.scan_parquet(written, glob=False).sink_parquet(file)
        shutil.rmtree(beside / name)
    return counts


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


def refuse_unwritable_table(option: str, out: Path) -> None:
    """Raise UsageError or DataError, naming the option, unless a table can be written to this file."""
    if out.suffix not in (".parquet", ".csv"):
        raise UsageError(f"{option} must end with .parquet or .csv")
    if not out.parent.is_dir():
        raise UsageError(f"{option} is in a folder that isn't there")
    if out.is_dir():
        raise UsageError(f"{option} is a folder")
    refuse_unwritable(option, out.parent)
