"""Writes data directories and tables whole or not at all, and rejects locations that can't be written to."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from model.files.atomic_write import atomic_path
from model.files.shared_folder import LOCK
from training.data.files.forgotten_list import FORGOTTEN
from training.data.reading.schema_file import SCHEMA_FILE
from training.errors import DataError, Problem, UsageError

MARK = "# Written by coldstart:"
"""Start of schema.toml in a data directory that `write_data_directory` wrote; the origin of the data follows."""


def write_data_directory(
    out: Path, parts: Iterable[Mapping[str, pl.DataFrame]], origin: str, schema: str
) -> dict[str, int]:
    """Write tables and schema.toml to a temporary folder beside `out`, rename it to `out`, and return numbers of rows.

    Each part has the next rows of some tables. A table is one file, however many parts it comes in; parts are joined
    without holding all rows in memory. The first line of schema.toml states where the data come from (`origin`).
    The list of forgotten members in `out` is kept. Raises DataError if `out` contains files that this function didn't
    write, or data of another origin.
    """
    refuse_foreign(out, origin)
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as temporary:
        fresh, stale, beside = (Path(temporary) / name for name in ("new", "old", "parts"))
        fresh.mkdir()
        counts = _write_parts(beside, parts)
        for name in counts:
            _join(beside / name, fresh / f"{name}.parquet")
            shutil.rmtree(beside / name)
        (fresh / SCHEMA_FILE).write_text(f"{MARK} {origin}.\n{schema}", encoding="utf-8")
        if out.exists():
            if (out / FORGOTTEN).exists():
                shutil.copyfile(out / FORGOTTEN, fresh / FORGOTTEN)
            out.rename(stale)
        try:
            fresh.rename(out)
        except OSError:
            if stale.exists():
                stale.rename(out)
            raise
    return counts


def write_table(out: Path, parts: Iterable[pl.DataFrame]) -> int:
    """Write a table to a file, as CSV if its suffix is .csv and otherwise as Parquet, and return the number of rows.

    Each of the parts, at least one, has the next rows. They are joined without holding all rows in memory. The file
    appears atomically; if anything fails, no file is left and `out` is as it was.
    """
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as temporary:
        beside = Path(temporary) / "parts"
        counts = _write_parts(beside, ({"rows": rows} for rows in parts))
        with atomic_path(out, Path(temporary) / f"joined{out.suffix}") as joined:
            _join(beside / "rows", joined)
    return counts["rows"]


def _write_parts(folder: Path, parts: Iterable[Mapping[str, pl.DataFrame]]) -> dict[str, int]:
    """Write the parts of each table to a folder with the table's name, and return the numbers of rows."""
    counts: dict[str, int] = {}
    for number, tables in enumerate(parts):
        for name, rows in tables.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            rows.write_parquet(folder / name / f"{number:08}.parquet")
            counts[name] = counts.get(name, 0) + len(rows)
    return counts


def _join(parts: Path, file: Path) -> None:
    """Write the rows of all Parquet files in a folder, in the order of their names, to one file."""
    written = sorted(parts.iterdir())
    rows = pl.scan_parquet(written, glob=False, hive_partitioning=False)
    if file.suffix == ".csv":
        rows.sink_csv(file)
    elif len(written) > 1:
        rows.sink_parquet(file)
    else:
        written[0].rename(file)


def refuse_foreign(out: Path, origin: str) -> None:
    """Raise DataError unless `out` is new, empty or a data directory that `write_data_directory` wrote.

    Its data must have the same origin, up to a comma: a sample replaces a sample, and never imported tables.
    """
    refuse_unwritable("--out", out.absolute().parent)
    if not out.exists():
        return
    if not out.is_dir():
        raise DataError([Problem(str(out), "is a file, not a folder")])
    entries = {entry.name for entry in out.iterdir()} - {FORGOTTEN, LOCK}
    schema = out / SCHEMA_FILE
    ours = schema.is_file() and schema.read_bytes().startswith(f"{MARK} {origin.split(',')[0]}".encode())
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
