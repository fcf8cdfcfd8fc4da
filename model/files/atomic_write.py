"""Atomic writes of files."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: Path, beside: Path | None = None) -> Iterator[Path]:
    """Yield a path to write to; when the block ends, the written file atomically replaces `path`.

    The yielded path is `beside`, which must be on the same file system, or a hidden file in the folder of `path` if
    `beside` is None. The file is flushed to disk first. If the block raises, the file is removed and `path` is
    unchanged.
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
    """Replace the content of a file atomically; `mode` is subject to the umask, and `beside` is as in `atomic_path`."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with atomic_path(path, beside) as written, os.fdopen(os.open(written, flags, mode), "wb") as file:
        file.write(content)


def sync(path: Path) -> None:
    """Flush a file or folder to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
