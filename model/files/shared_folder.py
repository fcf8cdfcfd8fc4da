"""A folder that only one process changes at a time, and in which each change is atomic for readers.

Files are written under names that begin with `.tmp-`, flushed to disk and then renamed.
"""

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model.files.atomic_write import sync, write_atomically

LOCK, BEGUN = ".lock", ".tmp-"


class SharedFolder:
    """A folder that only one process changes at a time, by a lock; it is created at the first write."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the folder's lock during a `with` block. Other processes and threads that want the lock wait.

        The operating system releases the lock of a process that dies.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.root / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """Yield a new temporary folder on the same file system to write in, which is removed when the block ends.

        A workspace that is left by a process that died is removed when the next workspace is created.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with self.changing():
            self.clean()
            folder = self._begun()
            folder.mkdir()
            handle = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            os.close(handle)
            shutil.rmtree(folder, ignore_errors=True)

    def replace(self, place: str, content: bytes) -> None:
        """Replace a file's content atomically; `place` is its path in the folder. The caller must hold the lock."""
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content, beside=self._begun())

    def remove(self, folder: Path) -> None:
        """Remove one of the folders inside; it is renamed first, so that readers see either all of it or none."""
        away = self._begun()
        folder.rename(away)
        if away.is_dir() and not away.is_symlink():
            shutil.rmtree(away, ignore_errors=True)
        else:
            away.unlink(missing_ok=True)

    def clean(self) -> None:
        """Remove temporary files and folders of processes that died.

        The caller must hold the lock, so that no other process creates a temporary file or folder meanwhile.
        """
        for left in self.root.glob(f"{BEGUN}*"):
            if not left.is_dir() or left.is_symlink():
                left.unlink(missing_ok=True)
            elif not _is_held(left / LOCK):
                shutil.rmtree(left, ignore_errors=True)

    def _begun(self) -> Path:
        """Return a new temporary path to write to, which `clean` removes if this process dies."""
        return self.root / f"{BEGUN}{uuid.uuid4().hex}"


def _is_held(lock: Path) -> bool:
    """Return whether a running process still uses a temporary folder: whether it holds the folder's lock."""
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def sync_tree(folder: Path) -> None:
    """Flush a folder and everything in it to disk."""
    for path in sorted(folder.rglob("*")):
        sync(path)
    sync(folder)
