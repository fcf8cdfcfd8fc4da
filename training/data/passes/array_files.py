"""Arrays of partitions in files, as many of which as fit stay in memory after they are first read."""

import io
import uuid
import zlib
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
CHECKSUM_BYTES = 4
"""Size of the CRC-32 of all bytes before it, at the end of each file."""

Arrays = Mapping[str, NDArray[Any]]
Made = TypeVar("Made")

_kept: dict[Path, Any] = {}
_bytes: dict[Path, int] = {}
_checked: set[Path] = set()
_lock = Lock()


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write arrays to a file, which appears whole, even if two processes write it at the same time.

    Names and arrays follow one another as in .npy files, since NumPy reads these several times as fast as an .npz file.
    """
    content = io.BytesIO()
    for array in (np.array(list(arrays)), *arrays.values()):
        np.save(content, array, allow_pickle=False)
    content.write(zlib.crc32(content.getbuffer()).to_bytes(CHECKSUM_BYTES, "little"))
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    unfinished.write_bytes(content.getbuffer())
    unfinished.replace(path)


def read_arrays(path: Path, make: Callable[[Arrays], Made], share: float = 1.0) -> Made:
    """Return what `make` makes of the arrays in a file, which is kept in memory if there is room.

    There is room if all files take up no more than this share of MOST_BYTES. A process checks a file when it first
    reads it. Raises DamagedPartition if the file is missing or damaged.
    """
    if path in _kept:
        return _kept[path]  # type: ignore[no-any-return]  # the same path is always made into the same
    try:
        _check(path)
        with path.open("rb") as file:
            names = np.load(file, allow_pickle=False)
            arrays = {str(name): np.load(file, allow_pickle=False) for name in names}
        made = make(arrays)
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise DamagedPartition.of(path.name) from error
    size = sum(array.nbytes for array in arrays.values())
    with _lock:
        if sum(_bytes.values()) + size <= share * MOST_BYTES:
            _kept[path], _bytes[path] = made, size
    return made


def forget_arrays(folder: Path) -> None:
    """Release the memory for files in a folder."""
    with _lock:
        for path in [path for path in _kept if path.is_relative_to(folder)]:
            del _kept[path], _bytes[path]
        _checked.difference_update([path for path in _checked if path.is_relative_to(folder)])


def _check(path: Path) -> None:
    """Compare a file with its checksum, once. Raises ValueError."""
    if path not in _checked:
        content = memoryview(path.read_bytes())
        if zlib.crc32(content[:-CHECKSUM_BYTES]) != int.from_bytes(content[-CHECKSUM_BYTES:], "little"):
            raise ValueError("a file that isn't as it was written")
        _checked.add(path)
