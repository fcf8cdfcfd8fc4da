"""A folder that several processes change in turns, each change in one step for whoever reads.

Everything is written beside its place under a name that begins with `.tmp-`, synced and renamed.
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
    """A folder, made when something is first written."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def changing(self) -> Iterator[None]:
        """One process, and one thread of it, at a time; the system frees the lock of a process that dies."""
        self.root.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.root / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """A new folder on the store's disk to write a version in; what is left in it goes in the end.

        That of a job that died goes with the next change of the store: nobody holds its lock any more.
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
        """Write a small file in one step for whoever reads; needs the lock."""
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content, beside=self._begun())

    def remove(self, folder: Path) -> None:
        """Out of sight in one step, then file by file."""
        away = self._begun()
        folder.rename(away)
        if away.is_dir() and not away.is_symlink():
            shutil.rmtree(away, ignore_errors=True)
        else:
            away.unlink(missing_ok=True)

    def clean(self) -> None:
        """Remove what dead jobs left; needs the lock, under which alone files and folders of this kind are begun."""
        for left in self.root.glob(f"{BEGUN}*"):
            if not left.is_dir() or left.is_symlink():
                left.unlink(missing_ok=True)
            elif not _is_held(left / LOCK):
                shutil.rmtree(left, ignore_errors=True)

    def _begun(self) -> Path:
        """A new path that `clean` removes if its job dies."""
        return self.root / f"{BEGUN}{uuid.uuid4().hex}"


def _is_held(lock: Path) -> bool:
    """Whether a living process holds the lock of its workspace."""
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
    """All that is in a folder is on the disk when this returns."""
    for path in sorted(folder.rglob("*")):
        sync(path)
    sync(folder)
