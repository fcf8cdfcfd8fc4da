"""The folder of published models: immutable version folders, and labels that name some of them.

    MODELS/current, previous, candidate     one line each: the version with that label
    MODELS/versions/<version>/              never changed once it is there
    MODELS/records/<version>/<name>         what is said of a version later
    MODELS/.lock, .tmp-*                    one change at a time; what is being written

Everything is written beside its place, synced and renamed, so that whoever reads finds the old or the new whole.
"""

import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from model.files import MANIFEST, SMALL_BYTES, ArtifactError, read_plain
from model.manifest import check_version

VERSION = re.compile(r"[0-9a-f]{12}")
RECORD = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
CURRENT, PREVIOUS, CANDIDATE = "current", "previous", "candidate"
LABELS = (CURRENT, PREVIOUS, CANDIDATE)
VERSIONS, RECORDS = "versions", "records"
LOCK, BEGUN = ".lock", ".tmp-"
SECONDS_PER_DAY = 86_400.0


class StoreError(Exception):
    """The store's folder doesn't hold what it should."""


class Store:
    """MODELS, which other processes may change at the same time."""

    def __init__(self, folder: Path) -> None:
        self.root = folder

    def label(self, name: str) -> str | None:
        """The version with a label, None where there is none; raises StoreError for a file that names no version."""
        if name not in LABELS:
            raise ValueError(f"{name} is no label")
        path = self.root / name
        try:
            text = read_plain(path, f"the file {name}", SMALL_BYTES).decode("utf-8", errors="replace").strip()
        except ArtifactError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise StoreError(str(error)) from error
        if not VERSION.fullmatch(text):
            raise StoreError(f"the file {name} doesn't name a version")
        return text

    def current(self) -> str | None:
        """The version that serves, None where none was published; raises StoreError for a pointer that names none."""
        return self.label(CURRENT)

    def labels(self) -> dict[str, str]:
        """The versions that have a label, by label; one whose file is damaged is left out."""
        found = {}
        for name in LABELS:
            with suppress(StoreError):
                version = self.label(name)
                if version is not None:
                    found[name] = version
        return found

    def damaged_labels(self) -> list[str]:
        """What is wrong with each label that can't be read."""
        told = []
        for name in LABELS:
            try:
                self.label(name)
            except StoreError as error:
                told.append(str(error))
        return told

    def set_label(self, name: str, version: str) -> None:
        """Give a label to a version; raises StoreError unless it is there, ArtifactError unless it is whole."""
        self.check(version)
        with self._changing():
            self._point(name, version)

    def remove_label(self, name: str) -> None:
        """Take a label away, whichever version has it."""
        if name not in LABELS:
            raise ValueError(f"{name} is no label")
        with self._changing():
            (self.root / name).unlink(missing_ok=True)
            _sync(self.root)

    def promote(self, version: str) -> None:
        """Let a version serve; what served before becomes `previous`, and a candidate that is promoted is none.

        Raises StoreError unless it is there, ArtifactError unless it is whole.
        """
        self.check(version)
        with self._changing():
            labels = self.labels()
            before = labels.get(CURRENT)
            if before not in (None, version):
                self._point(PREVIOUS, before)
            self._point(CURRENT, version)
            if labels.get(CANDIDATE) == version:
                (self.root / CANDIDATE).unlink()
                _sync(self.root)

    def roll_back(self) -> str:
        """Let the version serve that served before, which then is no longer `previous`; returns it.

        Raises StoreError where there is none, ArtifactError unless it is whole.
        """
        version = self.label(PREVIOUS)
        if version is None or version == self.labels().get(CURRENT):
            raise StoreError("there is no version that served before: promote names one")
        self.check(version)
        with self._changing():
            self._point(CURRENT, version)
            (self.root / PREVIOUS).unlink(missing_ok=True)
            _sync(self.root)
        return version

    def folder(self, version: str) -> Path:
        """Where the files of a version are."""
        return self.root / VERSIONS / version

    def versions(self) -> list[str]:
        """All versions, in text order."""
        folder = self.root / VERSIONS
        if not folder.is_dir():
            return []
        return sorted(one.name for one in folder.iterdir() if VERSION.fullmatch(one.name))

    def check(self, version: str) -> None:
        """Raises StoreError where a version isn't there, ArtifactError where it isn't as it was written."""
        if not VERSION.fullmatch(version) or not self.folder(version).is_dir():
            raise StoreError(f"there is no version {version}")
        check_version(self.folder(version))

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """A new folder on the store's disk to write a version in; what is left in it goes in the end.

        That of a job that died goes with the next change of the store: nobody holds its lock any more.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with self._changing():
            self._clean()
            folder = self.root / f"{BEGUN}{uuid.uuid4().hex}"
            folder.mkdir()
            handle = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            os.close(handle)
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, beside: Path, version: str) -> None:
        """Make the finished folder `beside` (of a workspace) a version by one rename.

        One that is there already stays if it is whole; if it isn't, the new one takes its place.
        """
        target = self.folder(version)
        _sync_tree(beside)
        with self._changing():
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_symlink():
                target.unlink()
            elif target.exists():
                try:
                    check_version(target)
                    return
                except ArtifactError:
                    self._remove(target)
            beside.rename(target)
            _sync(target.parent)

    def prune(self, keep: int, keep_days: float, now: float) -> list[str]:
        """Remove old versions with their records; returns them.

        Kept are those with a label, the `keep` that were written last, and those younger than `keep_days` at `now`
        (seconds since 1970). Raises StoreError, having removed nothing, where a label can't be read.
        """
        if not self.root.is_dir():
            return []
        with self._changing():
            self._clean()
            labelled = {self.label(name) for name in LABELS}
            written = {version: self._written(version) for version in self.versions()}
            order = sorted(written, key=lambda version: (-written[version], version))
            gone = [
                version
                for version in order[keep:]
                if version not in labelled and now - written[version] >= keep_days * SECONDS_PER_DAY
            ]
            for version in gone:
                self._remove(self.folder(version))
                shutil.rmtree(self.root / RECORDS / version, ignore_errors=True)
        return gone

    def write_record(self, version: str, name: str, content: bytes) -> None:
        """Keep what is said of a version after it was made, in place of what was said before under this name."""
        folder = self._record(version, name).parent
        folder.mkdir(parents=True, exist_ok=True)
        with self._changing():
            self._replace(folder / name, content)

    def read_record(self, version: str, name: str) -> bytes | None:
        """What was said of a version, None where nothing was."""
        try:
            return self._record(version, name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"the record {name} can't be read: {type(error).__name__}") from error

    def records(self, version: str) -> list[str]:
        """Names of all that was said of a version, in text order."""
        folder = self.root / RECORDS / version
        return sorted(one.name for one in folder.iterdir() if RECORD.fullmatch(one.name)) if folder.is_dir() else []

    def _record(self, version: str, name: str) -> Path:
        if not VERSION.fullmatch(version) or not RECORD.fullmatch(name):
            raise ValueError("a record has the name of a version and a plain lower-case name")
        return self.root / RECORDS / version / name

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One process, and one thread of it, at a time; the system frees the lock of a process that dies."""
        self.root.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.root / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _point(self, name: str, version: str) -> None:
        if name not in LABELS:
            raise ValueError(f"{name} is no label")
        if not (self.folder(version) / MANIFEST).is_file():
            raise StoreError(f"there is no version {version}")
        self._replace(self.root / name, f"{version}\n".encode())

    def _replace(self, path: Path, content: bytes) -> None:
        """One step for whoever reads; needs the lock."""
        beside = self.root / f"{BEGUN}{uuid.uuid4().hex}"
        try:
            beside.write_bytes(content)
            _sync(beside)
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        _sync(path.parent)

    def _remove(self, folder: Path) -> None:
        """Out of sight in one step, then file by file."""
        away = self.root / f"{BEGUN}{uuid.uuid4().hex}"
        folder.rename(away)
        if away.is_dir() and not away.is_symlink():
            shutil.rmtree(away, ignore_errors=True)
        else:
            away.unlink(missing_ok=True)

    def _clean(self) -> None:
        """Remove what dead jobs left; needs the lock, under which alone files and folders of this kind are begun."""
        for left in self.root.glob(f"{BEGUN}*"):
            if not left.is_dir() or left.is_symlink():
                left.unlink(missing_ok=True)
            elif not _is_held(left / LOCK):
                shutil.rmtree(left, ignore_errors=True)

    def _written(self, version: str) -> float:
        """When a version was written, in seconds since 1970; 0 where that can't be told."""
        try:
            return (self.folder(version) / MANIFEST).lstat().st_mtime
        except OSError:
            return 0.0


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
