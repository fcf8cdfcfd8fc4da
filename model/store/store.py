"""The store of versions (published models): folders that never change, and labels that point to some of them.

    MODELS/current, previous, candidate     labels, one line each: the version that has the label
    MODELS/labels.jsonl                     each move of a label: who, when, why, from which version to which
    MODELS/versions/<version>/              the files of a version, never changed after publication
    MODELS/records/<version>/<name>         records about a version, added after publication
    MODELS/status/<job>.json                what a job, such as the retrain, last did
    MODELS/gate_key.json                    the key that selects the raters held out of training
    MODELS/.lock, .tmp-*                    the lock for changes, and unfinished writes

Everything is written to a temporary path, flushed and renamed, so that readers see either the old or the new content.
"""

import re
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from model.errors import ArtifactError, StoreError, Unreadable
from model.facts.facts import SECONDS_PER_DAY
from model.files.atomic_write import sync
from model.files.manifest import check_version
from model.files.plain_files import MANIFEST, RUN, names_in, read_plain
from model.files.shared_folder import SharedFolder, sync_tree
from model.store.label_log import UNSTATED, LabelMove, Reason, moves_in, with_move

VERSION = re.compile(r"[0-9a-f]{12}")
RECORD = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
CURRENT, PREVIOUS, CANDIDATE = "current", "previous", "candidate"
LABELS = (CURRENT, PREVIOUS, CANDIDATE)
VERSIONS, RECORDS, STATUS = "versions", "records", "status"
GATE_KEY, LABEL_LOG = "gate_key.json", "labels.jsonl"
RECORD_BYTES = 64 << 20
"""Maximum size of labels, keys and records (small files about a version) in bytes; larger ones are refused."""
TEXTS = (".html", ".json", ".md", ".txt")
"""Endings of the names of records that are text, and so may name versions."""


class Store:
    """A store of published models in a local folder, which other processes may change at the same time."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self._files = SharedFolder(folder)

    def label(self, name: str) -> str | None:
        """Return the version that has a label (current, previous or candidate); None if no version has it.

        Raises StoreError if the file of the label is invalid, and ValueError if `name` isn't a label.
        """
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
        """Return the version that serves, which has the label `current`; None if there is none.

        Raises StoreError if the file of the label is invalid.
        """
        return self.label(CURRENT)

    def labels(self) -> dict[str, str]:
        """Return the version that each label (current, previous, candidate) points to, by label.

        Labels that aren't set, or whose file is damaged, are left out. Raises Unreadable if the file of a label exists,
        but can't be read.
        """
        labels = {}
        for name in LABELS:
            try:
                version = self.label(name)
            except Unreadable:
                raise
            except StoreError:
                continue
            if version is not None:
                labels[name] = version
        return labels

    def damaged_labels(self) -> list[str]:
        """Return an error message for each label, such as `current`, whose file can't be read."""
        damages = []
        for name in LABELS:
            try:
                self.label(name)
            except StoreError as error:
                damages.append(str(error))
        return damages

    def moves(self) -> Sequence[LabelMove]:
        """Return the moves of labels, oldest first. Raises StoreError if the log can't be read."""
        return moves_in(self._read(LABEL_LOG, f"the file {LABEL_LOG}"))

    def set_label(self, name: str, version: str, reason: Reason = UNSTATED) -> None:
        """Give a label (current, previous or candidate) to a version.

        Raises StoreError if the version isn't in the store, ArtifactError if it is incomplete or damaged, and
        ValueError if `name` isn't a label.
        """
        self.check(version)
        with self._files.changing():
            self._point(name, version, reason)

    def remove_label(self, name: str, reason: Reason = UNSTATED) -> None:
        """Remove a label, such as `candidate`, from the version that has it, if any.

        Raises ValueError if `name` isn't a label.
        """
        if name not in LABELS:
            raise ValueError(f"{name} is no label")
        with self._files.changing():
            self._unpoint(name, reason)

    def promote(self, version: str, reason: Reason = UNSTATED) -> None:
        """Make a version the current one, which the service loads and serves.

        The version that was current becomes `previous`, and the promoted version loses the label `candidate`. Raises
        StoreError if the version isn't in the store, or ArtifactError if it is incomplete or damaged.
        """
        self.check(version)
        with self._files.changing():
            labels = self.labels()
            before = labels.get(CURRENT)
            if before not in (None, version):
                self._point(PREVIOUS, before, reason)
            self._point(CURRENT, version, reason)
            if labels.get(CANDIDATE) == version:
                self._unpoint(CANDIDATE, reason)

    def roll_back(self, reason: Reason = UNSTATED, unwanted: str | None = None) -> str:
        """Let the version that served before serve again, and return its name.

        It loses the label `previous`. If `unwanted` is given, this is only done while that version is the current one.
        Raises StoreError if there is no previous version or another current one, or ArtifactError if the previous
        version is incomplete or damaged.
        """
        version = self.label(PREVIOUS)
        if version is None or version == self.labels().get(CURRENT):
            raise StoreError("there is no previous version to roll back to: promote names one")
        self.check(version)
        with self._files.changing():
            if unwanted is not None and (self.label(CURRENT), self.label(PREVIOUS)) != (unwanted, version):
                raise StoreError(f"version {unwanted} isn't the current one any more")
            self._point(CURRENT, version, reason)
            self._unpoint(PREVIOUS, reason)
        return version

    def folder(self, version: str) -> Path:
        """Return the local folder for the files of a version, which exists once the version has been fetched."""
        return self.root / VERSIONS / version

    def fetch(self, version: str) -> Path:
        """Return the local folder with the files of a version; a store at a remote address downloads them first."""
        return self.folder(version)

    def versions(self) -> list[str]:
        """Return the names of all versions in the store, sorted. Raises Unreadable if the store can't be read."""
        names = names_in(self.root / VERSIONS, "the folder of versions")
        return [name for name in names if VERSION.fullmatch(name)]

    def newest_written(self) -> float:
        """Return the time when the newest version was written, in seconds since 1970; 0 if there are no versions."""
        return max(map(self.written, self.versions()), default=0.0)

    def check(self, version: str) -> None:
        """Raise StoreError if a version isn't in the store, or ArtifactError if its files are incomplete or damaged."""
        if version not in self.versions():
            raise StoreError(f"there is no version {version}")
        check_version(self.fetch(version))

    def workspace(self) -> AbstractContextManager[Path]:
        """Return a context manager that yields a temporary folder on the store's file system to write a version in."""
        return self._files.workspace()

    def publish(self, beside: Path, version: str) -> None:
        """Publish a version by renaming its finished folder `beside`, which is in a workspace.

        If the version already exists, it is kept if it is intact, and replaced if it is damaged.
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
        """Remove versions that are old and have no label, with the records about them, and return their names.

        Versions with a label, the last `keep` versions written, and versions written less than `keep_days` days before
        `now` (seconds since 1970) are kept. Raises StoreError and removes nothing if a label can't be read.
        """
        if not self.versions():
            return []
        with self._files.changing():
            self._files.clean()
            labelled = {self.label(name) for name in LABELS}
            written = {version: self.written(version) for version in self.versions()}
            order = sorted(written, key=lambda version: (-written[version], version))
            gone = [
                version
                for version in order[keep:]
                if version not in labelled and now - written[version] >= keep_days * SECONDS_PER_DAY
            ]
            for version in gone:
                self._remove_version(version)
        return gone

    def supersede(self, before: str, after: str, but: Collection[str] = ()) -> None:
        """Let a version take the place of another, which is removed: its records, its labels and all mentions of it.

        Records with a name in `but` aren't taken over. If this is interrupted, it has to be called again. Raises
        StoreError if a version isn't in the store.
        """
        with self._files.changing():
            for version in (before, after):
                if not self._is_there(version):
                    raise StoreError(f"there is no version {version}")
            for name in self.records(before):
                if name not in but and (content := self._read(_record(before, name), f"the record {name}")) is not None:
                    self._replace(_record(after, name), content)
            for place in self._places_of_names():
                content = self._read(place, f"the file {place}")
                if content is not None and before.encode() in content:
                    self._replace(place, content.replace(before.encode(), after.encode()))
            self._remove_records(before)  # first, as nothing would name them any more
            self._remove_version(before)

    def remove(self, version: str) -> None:
        """Remove a version and the records about it, unless it has a label. Raises StoreError if it has."""
        with self._files.changing():
            if version in self.labels().values():
                raise StoreError(f"version {version} has a label")
            if self._is_there(version):
                self._remove_version(version)

    def clean(self) -> None:
        """Remove what processes that died have left unfinished."""
        if self.root.is_dir():
            with self._files.changing():
                self._files.clean()

    def write_record(self, version: str, name: str, content: bytes) -> None:
        """Write a record, a small file about a version such as its signature; one with the same name is replaced."""
        place = _record(version, name)
        with self._files.changing():
            self._replace(place, content)

    def read_record(self, version: str, name: str) -> bytes | None:
        """Return the content of a record, a small file about a version; None if there is no such record."""
        return self._read(_record(version, name), f"the record {name}")

    def records(self, version: str) -> list[str]:
        """Return the names of the records about a version (small files added after publication), sorted."""
        names = names_in(self.root / RECORDS / version, "the folder of records")
        return [name for name in names if RECORD.fullmatch(name)]

    def write_status(self, name: str, content: bytes) -> None:
        """Replace the file, such as `retrain.json`, that says what a job last did."""
        with self._files.changing():
            self._replace(f"{STATUS}/{name}", content)

    def read_status(self, name: str) -> bytes | None:
        """Return the content of the file that says what a job last did; None if there is none."""
        return self._read(f"{STATUS}/{name}", f"the status {name}")

    def gate_key(self) -> bytes | None:
        """Return the key that selects the raters held out of training to compare versions on; None if there is none.

        Raises StoreError if the file can't be read.
        """
        return self._read(GATE_KEY, f"the file {GATE_KEY}")

    def keep_gate_key(self, content: bytes) -> None:
        """Store the key that selects the raters held out of training, unless there already is one."""
        with self._files.changing():
            if self.gate_key() is None:
                self._replace(GATE_KEY, content)

    def _read(self, place: str, description: str) -> bytes | None:
        """Return the content of a small file of the store; None if it doesn't exist.

        Raises StoreError if it can't be read.
        """
        try:
            return read_plain(self.root / place, description, RECORD_BYTES)
        except ArtifactError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            if isinstance(error, Unreadable):
                raise Unreadable(str(error), "store") from error
            raise StoreError(str(error)) from error

    def _places_of_names(self) -> Iterator[str]:
        """Yield the paths in the store of all small files that may name a version; labels are last."""
        for version in self.versions():
            yield f"{VERSIONS}/{version}/{RUN}"
            yield from (_record(version, name) for name in self.records(version) if name.endswith(TEXTS))
        yield from (f"{STATUS}/{name}" for name in self._names(STATUS))
        yield LABEL_LOG
        yield from LABELS

    def _names(self, place: str) -> list[str]:
        """Return the sorted names in a folder of the store."""
        return names_in(self.root / place, f"the folder {place}")

    def _erase(self, name: str) -> None:
        """Remove the file of a label, such as `current`. The caller must hold the lock."""
        (self.root / name).unlink(missing_ok=True)
        sync(self.root)

    def _point(self, name: str, version: str, reason: Reason) -> None:
        """Set a label and log the move first, so that none is ever missing. The caller must hold the lock."""
        if name not in LABELS:
            raise ValueError(f"{name} is no label")
        if not self._is_there(version):
            raise StoreError(f"there is no version {version}")
        self._log_move(name, version, reason)
        self._replace(name, f"{version}\n".encode())

    def _unpoint(self, name: str, reason: Reason) -> None:
        """Remove a label, and log the move first. The caller must hold the lock."""
        self._log_move(name, None, reason)
        self._erase(name)

    def _log_move(self, name: str, after: str | None, reason: Reason) -> None:
        before = self.labels().get(name)
        if before != after:
            log = self._read(LABEL_LOG, f"the file {LABEL_LOG}")
            self._replace(LABEL_LOG, with_move(log, LabelMove(name, before, after, reason)))

    def _is_there(self, version: str) -> bool:
        return (self.folder(version) / MANIFEST).is_file()

    def _replace(self, place: str, content: bytes) -> None:
        """Replace a small file of the store atomically. The caller must hold the lock."""
        self._files.replace(place, content)

    def _remove_version(self, version: str) -> None:
        """Remove a version and the records (small files) about it. The caller must hold the lock."""
        self._files.remove(self.folder(version))
        self._remove_records(version)

    def _remove_records(self, version: str) -> None:
        """Remove the records (small files) about a version. The caller must hold the lock."""
        shutil.rmtree(self.root / RECORDS / version, ignore_errors=True)

    def written(self, version: str) -> float:
        """Return the time when a version was written, in seconds since 1970; 0 if unknown."""
        try:
            return (self.folder(version) / MANIFEST).lstat().st_mtime
        except OSError:
            return 0.0


def _record(version: str, name: str) -> str:
    """Return the path in the store of a record, a small file about a version. Raises ValueError for invalid names."""
    if not VERSION.fullmatch(version) or not RECORD.fullmatch(name):
        raise ValueError("a record has the name of a version and a plain lower-case name")
    return f"{RECORDS}/{version}/{name}"
