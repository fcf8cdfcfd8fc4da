"""Finds and removes the rows of single members in the files of a data directory, whatever tables they belong to."""

import csv
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from features.columns import MEMBER_ID
from features.values import ids
from model.files.atomic_write import atomic_path
from training.data.files.forgotten_list import FORGOTTEN
from training.data.files.table_files import keys_of, readable
from training.errors import WorkFailed

UNFINISHED = ".forgetting"
"""End of the names of files that are being written."""
OWN = (FORGOTTEN, "schema.toml")
"""Files of a data directory that hold no rows."""


@dataclass(frozen=True)
class MemberFile:
    """A file with a column of members' ids."""

    path: Path
    name: str
    """Path of the file in the data directory."""
    member_id: str | None = None
    """Id that the folders give to all rows, as in `member_id=7/`; None if the file has the column."""

    def rows_of(self, member_id: str) -> list[dict[str, Any]]:
        """Return the rows of a member as they stand in the file."""
        if self.member_id is not None and self.member_id != member_id:
            return []
        with readable(self.name):
            rows = _scan(self.path)
            return (rows if self.member_id else rows.filter(_is_of([member_id]))).collect(engine="streaming").to_dicts()

    def remove(self, member_ids: Collection[str]) -> int:
        """Remove the rows of members and return their number; the file is replaced atomically, if there are any.

        A file whose folders give one of the ids is removed.
        """
        if self.member_id is not None:
            return self._remove_file() if self.member_id in member_ids else 0
        write = _write_csv_without if self.path.suffix.lower() == ".csv" else _write_parquet_without
        target = self.path.resolve()
        return _replaced(target, lambda beside: write(target, beside, member_ids))

    @property
    def name_without_id(self) -> str:
        """Path of the file in the data directory, with * in place of an id."""
        return re.sub(rf"(?<=\b{MEMBER_ID}=)[^/]*", "*", self.name)

    def _remove_file(self) -> int:
        """Remove the file, and the folders in that of the table that are empty then; and return its number of rows."""
        rows = int(_scan(self.path).select(pl.len()).collect().item())
        self.path.unlink()
        for folder in list(self.path.parents)[: self.name.count("/") - 1]:
            if any(folder.iterdir()):
                break
            folder.rmdir()
        return rows


def member_files(folder: Path) -> tuple[list[MemberFile], list[str]]:
    """Return the Parquet and CSV files with ids of members at any depth of a folder, and the names of other files.

    Files and folders whose names begin with `.` are skipped. Raises DataError if a file can't be read.
    """
    files: list[MemberFile] = []
    others: list[str] = []
    for path in sorted(path for path in _all_files(folder) if path.stat().st_size):
        name = path.relative_to(folder).as_posix()
        if path.suffix.lower() not in (".parquet", ".csv"):
            others += [] if name in OWN else [name]
            continue
        member_id = keys_of(path, folder).get(MEMBER_ID)
        with readable(name):
            if member_id is not None or MEMBER_ID in _scan(path).collect_schema():
                files.append(MemberFile(path, name, member_id))
    return files, others


def remove_unfinished(folder: Path) -> None:
    """Remove files that were being written when a process died. No other process may be writing."""
    for path in _all_files(folder, hidden=True):
        if path.name.endswith(UNFINISHED):
            path.unlink()


def _all_files(folder: Path, *, hidden: bool = False) -> Iterator[Path]:
    """Yield the files at any depth of a folder whose names begin with `.` or, unless `hidden`, don't."""
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place, name) for name in names if name.startswith(".") is hidden)


def _scan(path: Path) -> pl.LazyFrame:
    if path.suffix.lower() == ".csv":
        return pl.scan_csv(path, infer_schema=False, glob=False)
    return pl.scan_parquet(path, glob=False, hive_partitioning=False)


def _is_of(member_ids: Collection[str]) -> pl.Expr:
    return ids.id_text(MEMBER_ID).is_in(list(member_ids)).fill_null(False)


def _replaced(target: Path, write: Callable[[Path], int]) -> int:
    """Replace a file atomically by what `write` writes to another path, unless it returns that no row was left out."""
    beside = target.with_name(f".{target.name}{UNFINISHED}")
    beside.unlink(missing_ok=True)
    count = 0
    try:
        with atomic_path(target, beside):
            count = write(beside)
            if not count:
                raise _Unchanged
            shutil.copymode(target, beside)
    except _Unchanged:
        return 0
    return count


class _Unchanged(Exception):
    """No row of a file is to be left out, so that it stays as it is."""


def _write_parquet_without(source: Path, target: Path, member_ids: Collection[str]) -> int:
    """Write the rows of a file that aren't of these members to another, and return the number of the others."""
    with readable(source.name):
        rows, gone = _scan(source), _is_of(member_ids)
        count = int(rows.select(gone.sum()).collect(engine="streaming").item())
        if count:
            rows.filter(~gone).sink_parquet(target)
    return count


def _write_csv_without(source: Path, target: Path, member_ids: Collection[str]) -> int:
    """Write the lines of a file that aren't of these members to another as they are, and return how many rows are."""
    gone, count = set(member_ids), 0
    lines: list[str] = []  # those of the current row, which has more than one if a value holds line ends
    with (
        source.open(encoding="utf-8", errors="surrogateescape", newline="") as text,
        target.open("w", encoding="utf-8", errors="surrogateescape", newline="") as kept,
    ):
        rows = csv.reader(_noted(text, lines))
        try:
            column = [name.removeprefix("\ufeff").strip('"') for name in next(rows)].index(MEMBER_ID)
            kept.writelines(lines)
            lines.clear()
            for row in rows:
                if len(row) > column and row[column] in gone:
                    count += 1
                else:
                    kept.writelines(lines)
                lines.clear()
        except csv.Error as error:
            raise WorkFailed(f"{source.name} can't be read as CSV: {error}") from error
    return count


def _noted(text: Iterator[str], lines: list[str]) -> Iterator[str]:
    """Yield lines, and add each to a list."""
    for line in text:
        lines.append(line)
        yield line
