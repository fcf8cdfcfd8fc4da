"""Files that are written as a whole or not at all."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: Path, beside: Path | None = None) -> Iterator[Path]:
    """A path to write to, which takes the place of `path` in one step when the block ends.

    It is `beside`, on the same disk, or else a hidden file in the folder of `path`. The bytes are on the disk before.
    Where the block raises, `path` stays as it was and nothing is left beside it.
    """
    beside = beside or path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        yield beside
        sync(beside)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_atomically(path: Path, content: bytes, mode: int = 0o666, beside: Path | None = None) -> None:
    """Replace a file in one step for its readers, by way of `beside` as `atomic_path` does; the umask limits `mode`."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with atomic_path(path, beside) as written, os.fdopen(os.open(written, flags, mode), "wb") as file:
        file.write(content)


def sync(path: Path) -> None:
    """A file or folder is on the disk when this returns."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
