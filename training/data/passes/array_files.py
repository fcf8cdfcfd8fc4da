"""Arrays of partitions in files, as many of which as fit stay in memory after they are first read."""

import uuid
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from training.errors import DamagedPartition

MOST_BYTES = 768 * 1024 * 1024
"""Maximum size of the files that a process keeps in memory. The others are read again in every pass, since a pass reads
all of them in turn, so that to replace the oldest would help none."""

Arrays = Mapping[str, NDArray[Any]]
Made = TypeVar("Made")

_kept: dict[Path, Any] = {}
_bytes: dict[Path, int] = {}
_lock = Lock()


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write arrays to a file, which appears whole, even if two processes write it at the same time."""
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with unfinished.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # its stubs take the names for options
    unfinished.replace(path)


def read_arrays(path: Path, make: Callable[[Arrays], Made]) -> Made:
    """Return what `make` makes of the arrays in a file, which is kept in memory if there is room.

    Raises DamagedPartition if the file is missing or damaged.
    """
    if path in _kept:
        return _kept[path]  # type: ignore[no-any-return]  # the same path is always made into the same
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        made = make(arrays)
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        raise DamagedPartition.of(path.name) from error
    size = sum(array.nbytes for array in arrays.values())
    with _lock:
        if sum(_bytes.values()) + size <= MOST_BYTES:
            _kept[path], _bytes[path] = made, size
    return made


def forget_arrays(folder: Path) -> None:
    """Release the memory for files in a folder."""
    with _lock:
        for path in [path for path in _kept if path.is_relative_to(folder)]:
            del _kept[path], _bytes[path]
