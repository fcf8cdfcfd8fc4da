"""Finds the files of a table, and names the file that can't be read."""

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import polars as pl

from training.errors import DataError, Problem, listed

NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
"""Folder name that Hive and Spark write for a missing value: `year=__HIVE_DEFAULT_PARTITION__`."""
OTHER_FORMATS = ("_delta_log", ".hoodie")
"""Folders of table formats in which Parquet files may hold deleted rows."""

UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
"""Errors while reading a broken file."""


@dataclass(frozen=True)
class TableFile:
    """A file that holds rows of a table."""

    path: Path
    """Where the file is."""
    name: str
    """Path of the file in the data directory, for messages."""
    keys: Mapping[str, str | None] = field(default_factory=dict)
    """Columns that are given by the folders: `{"year": "2023"}` for a file in `year=2023`; None if missing."""


def find_parts(table: str, folder: Path) -> list[TableFile]:
    """Return the Parquet files at any depth of a table's folder, sorted by path.

    Files and folders whose names begin with `.` or `_` are skipped, as by Spark, except partitions such as `_day=1`.
    Raises DataError if a folder can't be read, or if there are other files or no Parquet files.
    """
    with readable(table):
        paths = sorted(files_in(folder))
        for place in dict.fromkeys([folder, *(path.parent for path in paths)]):
            for name in OTHER_FORMATS:
                if (place / name).is_dir():
                    beside = (place / name).relative_to(folder.parent).as_posix()
                    text = f"the files beside {beside} may hold deleted rows: export the table as plain Parquet"
                    raise DataError([Problem(table, text)])
    foreign = [path.relative_to(folder.parent).as_posix() for path in paths if path.suffix.lower() != ".parquet"]
    if foreign:
        text = f"the folder {folder.name}/ holds files that are no Parquet parts: {listed(foreign)}"
        raise DataError([Problem(table, text, remedy="write them as Parquet, or move them away")])
    if not paths:
        raise DataError([Problem(table, f"the folder {folder.name}/ holds no Parquet parts")])
    return [TableFile(path, path.relative_to(folder.parent).as_posix(), keys_of(path, folder)) for path in paths]


def files_in(folder: Path) -> Iterator[Path]:
    """Yield the files at any depth of a folder, but for names that begin with `.` or `_`.

    Raises OSError if a folder can't be read or contains itself.
    """

    def refuse(error: OSError) -> None:
        raise error

    for place, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        folders[:] = [name for name in folders if not _is_skipped(name)]
        for name in folders:
            target = Path(place, name)
            if Path(place).resolve().is_relative_to(target.resolve()):
                raise OSError(errno.ELOOP, "the folder is a link to a folder around it", str(target))
        yield from (Path(place, name) for name in names if not _is_skipped(name))


def refuse_no_folder(place: str, folder: Path) -> None:
    """Raise DataError, which names the place, unless the folder is there and can be listed."""
    try:
        os.scandir(folder).close()
    except OSError as error:
        match error:
            case FileNotFoundError():
                problem = "there is no such folder"
            case NotADirectoryError():
                problem = "is a file, not a folder"
            case _:
                problem = f"can't be read: {error.strerror}"
        raise DataError([Problem(place, problem)]) from error


def refuse_empty(table: str, files: list[TableFile]) -> None:
    """Raise DataError unless all are plain files with content, whose paths Polars can read. A pipe might never end."""
    problems = []
    for file in files:
        if not _is_utf_8(file.path):
            name = os.fsencode(file.name).decode(errors="replace")
            problems.append(Problem(table, f"can't be read: the path of {name} isn't UTF-8: rename the file or folder"))
            continue
        with readable(table, file.name):
            status = file.path.stat()
        if not stat.S_ISREG(status.st_mode):
            problems.append(Problem(table, f"can't be read: {file.name} is no plain file"))
        elif status.st_size == 0:
            problems.append(Problem(table, f"can't be read: {file.name} is empty (0 bytes)"))
    if problems:
        raise DataError(problems)


@contextmanager
def readable(table: str, name: str = "") -> Iterator[None]:
    """Convert errors while reading a broken file, including panics in Polars, to a DataError about the table."""
    try:
        yield
    except UNREADABLE as error:
        place = f"{name}: " if name else ""
        raise DataError([Problem(table, f"can't be read: {place}{reason(error)}")]) from error


def reason(error: BaseException) -> str:
    """Return the first line of an error's message, without hints for programmers."""
    return str(error).strip().partition("\n")[0].partition(" Hint:")[0] or type(error).__name__


def _is_utf_8(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_skipped(name: str) -> bool:
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def keys_of(path: Path, folder: Path) -> dict[str, str | None]:
    """Return the columns and values in the names of the folders between `folder` and the file."""
    pairs = (name.partition("=") for name in path.relative_to(folder).parent.parts)
    return {
        unquote(key): None if value == NULL_PARTITION else unquote(value) for key, sign, value in pairs if key and sign
    }
