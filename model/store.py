"""The folder of published models: one folder a version, and a pointer to the one that serves."""

import os
import re
from pathlib import Path

VERSION = re.compile(r"[0-9a-f]{12}")
POINTER = "current"
VERSIONS = "versions"


class StoreError(Exception):
    """The store's folder doesn't hold what it should."""


class Store:
    """MODELS: `versions/<version>/` and the one-line file `current`."""

    def __init__(self, folder: Path) -> None:
        self.root = folder

    def current(self) -> str | None:
        """The version that serves, None where none was published; raises StoreError for a pointer that names none."""
        try:
            text = (self.root / POINTER).read_text(encoding="utf-8", errors="replace").strip()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"the file {POINTER} can't be read: {type(error).__name__}") from error
        if not VERSION.fullmatch(text):
            raise StoreError(f"the file {POINTER} doesn't name a version")
        return text

    def folder(self, version: str) -> Path:
        """Where the files of a version are."""
        return self.root / VERSIONS / version

    def versions(self) -> list[str]:
        """All complete versions, in text order."""
        folder = self.root / VERSIONS
        if not folder.is_dir():
            return []
        return sorted(one.name for one in folder.iterdir() if VERSION.fullmatch(one.name))

    def publish(self, beside: Path, version: str) -> None:
        """Make the finished folder `beside` (on the same disk) a version by one rename; one already there stays."""
        target = self.folder(version)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            _sync_tree(beside)
            beside.rename(target)
            _sync(target.parent)

    def promote(self, version: str) -> None:
        """Let a version serve, by replacing the pointer; raises StoreError for one that isn't there."""
        if not self.folder(version).is_dir():
            raise StoreError(f"there is no version {version}")
        beside = self.root / f".{POINTER}.{os.getpid()}"
        beside.write_text(version + "\n", encoding="utf-8")
        _sync(beside)
        beside.replace(self.root / POINTER)
        _sync(self.root)


def _sync_tree(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
