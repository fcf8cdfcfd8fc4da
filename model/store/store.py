"""The folder of published models: immutable version folders, and labels that name some of them.

    MODELS/current, previous, candidate     one line each: the version with that label
    MODELS/versions/<version>/              never changed once it is there
    MODELS/records/<version>/<name>         what is said of a version later
    MODELS/gate_key.json                    which raters no version learns from
    MODELS/.lock, .tmp-*                    one change at a time; what is being written

Everything is written beside its place, synced and renamed, so that whoever reads finds the old or the new whole.
"""

import re
import shutil
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from model.errors import ArtifactError, StoreError
from model.files.atomic_write import sync
from model.files.manifest import check_version
from model.files.plain_files import MANIFEST, read_plain
from model.files.shared_folder import SharedFolder, sync_tree

VERSION = re.compile(r"[0-9a-f]{12}")
RECORD = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
CURRENT, PREVIOUS, CANDIDATE = "current", "previous", "candidate"
LABELS = (CURRENT, PREVIOUS, CANDIDATE)
VERSIONS, RECORDS = "versions", "records"
GATE_KEY = "gate_key.json"
RECORD_BYTES = 64 << 20
"""No label, record or key is larger."""
SECONDS_PER_DAY = 86_400.0


class Store:
    """MODELS, which other processes may change at the same time."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self._files = SharedFolder(folder)

    def label(self, name: str) -> str | None:
        """The version with a label, None where there is none; raises StoreError for a file that names no version."""
        if name not in LABELS:
            raise ValueError(f"{name} is no label")
        content = self._read(name, f"the file {name}")
        if content is None:
            return None
        text = content.decode("utf-8", errors="replace").strip()
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
        with self._files.changing():
            self._point(name, version)

    def remove_label(self, name: str) -> None:
        """Take a label away, whichever version has it."""
        if name not in LABELS:
            raise ValueError(f"{name} is no label")
        with self._files.changing():
            self._erase(name)

    def promote(self, version: str) -> None:
        """Let a version serve; what served before becomes `previous`, and a candidate that is promoted is none.

        Raises StoreError unless it is there, ArtifactError unless it is whole.
        """
        self.check(version)
        with self._files.changing():
            labels = self.labels()
            before = labels.get(CURRENT)
            if before not in (None, version):
                self._point(PREVIOUS, before)
            self._point(CURRENT, version)
            if labels.get(CANDIDATE) == version:
                self._erase(CANDIDATE)

    def roll_back(self) -> str:
        """Let the version serve that served before, which then is no longer `previous`; returns it.

        Raises StoreError where there is none, ArtifactError unless it is whole.
        """
        version = self.label(PREVIOUS)
        if version is None or version == self.labels().get(CURRENT):
            raise StoreError("there is no version that served before: promote names one")
        self.check(version)
        with self._files.changing():
            self._point(CURRENT, version)
            self._erase(PREVIOUS)
        return version

    def folder(self, version: str) -> Path:
        """Where the files of a version are, or will be once it is fetched."""
        return self.root / VERSIONS / version

    def fetch(self, version: str) -> Path:
        """The folder with the files of a version, from wherever the store is."""
        return self.folder(version)

    def versions(self) -> list[str]:
        """All versions, in text order."""
        folder = self.root / VERSIONS
        if not folder.is_dir():
            return []
        return sorted(one.name for one in folder.iterdir() if VERSION.fullmatch(one.name))

    def newest_written(self) -> float:
        """When the newest version was written, whatever its label, in seconds since 1970; 0 where there is none."""
        return max(map(self._written, self.versions()), default=0.0)

    def check(self, version: str) -> None:
        """Raises StoreError where a version isn't there, ArtifactError where it isn't as it was written."""
        if version not in self.versions():
            raise StoreError(f"there is no version {version}")
        check_version(self.fetch(version))

    def workspace(self) -> AbstractContextManager[Path]:
        """A new folder on the store's disk to write a version in; what is left in it goes in the end."""
        return self._files.workspace()

    def publish(self, beside: Path, version: str) -> None:
        """Make the finished folder `beside` (of a workspace) a version by one rename.

        One that is there already stays if it is whole; if it isn't, the new one takes its place.
        """
        target = self.folder(version)
        sync_tree(beside)
        with self._files.changing():
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_symlink():
                target.unlink()
            elif target.exists():
                try:
                    check_version(target)
                    return
                except ArtifactError:
                    self._files.remove(target)
            beside.rename(target)
            sync(target.parent)

    def prune(self, keep: int, keep_days: float, now: float) -> list[str]:
        """Remove old versions with their records; returns them.

        Kept are those with a label, the `keep` that were written last, and those younger than `keep_days` at `now`
        (seconds since 1970). Raises StoreError, having removed nothing, where a label can't be read.
        """
        if not self.root.is_dir():
            return []
        with self._files.changing():
            self._files.clean()
            labelled = {self.label(name) for name in LABELS}
            written = {version: self._written(version) for version in self.versions()}
            order = sorted(written, key=lambda version: (-written[version], version))
            gone = [
                version
                for version in order[keep:]
                if version not in labelled and now - written[version] >= keep_days * SECONDS_PER_DAY
            ]
            for version in gone:
                self._remove_version(version)
        return gone

    def write_record(self, version: str, name: str, content: bytes) -> None:
        """Keep what is said of a version after it was made, in place of what was said before under this name."""
        place = _record(version, name)
        with self._files.changing():
            self._replace(place, content)

    def read_record(self, version: str, name: str) -> bytes | None:
        """What was said of a version, None where nothing was."""
        return self._read(_record(version, name), f"the record {name}")

    def records(self, version: str) -> list[str]:
        """Names of all that was said of a version, in text order."""
        folder = self.root / RECORDS / version
        return sorted(one.name for one in folder.iterdir() if RECORD.fullmatch(one.name)) if folder.is_dir() else []

    def gate_key(self) -> bytes | None:
        """What was kept to tell which raters no version learns from, None where nothing was; raises StoreError."""
        return self._read(GATE_KEY, f"the file {GATE_KEY}")

    def keep_gate_key(self, content: bytes) -> None:
        """Keep it for all later versions; what is there already stays."""
        with self._files.changing():
            if self.gate_key() is None:
                self._replace(GATE_KEY, content)

    def _read(self, place: str, told: str) -> bytes | None:
        """The content of a small file, None where there is none; raises StoreError."""
        try:
            return read_plain(self.root / place, told, RECORD_BYTES)
        except ArtifactError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise StoreError(str(error)) from error

    def _erase(self, name: str) -> None:
        """Remove a label; needs the lock."""
        (self.root / name).unlink(missing_ok=True)
        sync(self.root)

    def _point(self, name: str, version: str) -> None:
        if name not in LABELS:
            raise ValueError(f"{name} is no label")
        if not self._is_there(version):
            raise StoreError(f"there is no version {version}")
        self._replace(name, f"{version}\n".encode())

    def _is_there(self, version: str) -> bool:
        return (self.folder(version) / MANIFEST).is_file()

    def _replace(self, place: str, content: bytes) -> None:
        """Write a small file in one step for whoever reads; needs the lock."""
        self._files.replace(place, content)

    def _remove_version(self, version: str) -> None:
        """Remove a version and what was said of it; needs the lock."""
        self._files.remove(self.folder(version))
        shutil.rmtree(self.root / RECORDS / version, ignore_errors=True)

    def _written(self, version: str) -> float:
        """When a version was written, in seconds since 1970; 0 where that can't be told."""
        try:
            return (self.folder(version) / MANIFEST).lstat().st_mtime
        except OSError:
            return 0.0


def _record(version: str, name: str) -> str:
    """Where a record is in the store."""
    if not VERSION.fullmatch(version) or not RECORD.fullmatch(name):
        raise ValueError("a record has the name of a version and a plain lower-case name")
    return f"{RECORDS}/{version}/{name}"
