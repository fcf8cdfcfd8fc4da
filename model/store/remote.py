"""A store at any address that fsspec reaches: copied version by version into a folder, and checked by its hashes.

An object store replaces one object in one step and renames nothing. So a version is uploaded file by file, its
manifest last: without it there is no version. Labels are objects of one line, as the files of a folder are. There is no
lock across machines: of two jobs that move a label at once, the last wins, and each label names a whole version.
"""

import shutil
import tempfile
import weakref
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import fsspec

from model.errors import ArtifactError, StoreError
from model.files.manifest import MANIFEST_BYTES, check_version, manifest_from
from model.files.plain_files import MANIFEST, RUN, version_of
from model.store.store import RECORD, RECORD_BYTES, RECORDS, VERSION, VERSIONS, Store


class RemoteStore(Store):
    """MODELS at an address. Whatever it raises for a fault of the network is a StoreError."""

    def __init__(self, address: str, cache: Path | None) -> None:
        """Copies are kept in `cache`, or in a folder that goes with this object."""
        self._far, place = fsspec.core.url_to_fs(address, use_listings_cache=False)
        self._place = str(place).rstrip("/")
        if cache is None:
            cache = Path(tempfile.mkdtemp(prefix="coldstart-"))
            weakref.finalize(self, shutil.rmtree, cache, ignore_errors=True)
        super().__init__(cache)

    def versions(self) -> list[str]:
        """All versions with a manifest, in text order."""
        names = [name for name in self._names(VERSIONS) if VERSION.fullmatch(name)]
        return sorted(name for name in names if self._is_there(name))

    def fetch(self, version: str) -> Path:
        """The folder of a copy, made unless there is a whole one; other copies that no label names go."""
        folder = self.folder(version)
        try:
            check_version(folder)
        except ArtifactError:
            self._copy(version)
            self._forget(version)
        return folder

    def check(self, version: str) -> None:
        """Raises StoreError where a version isn't there, ArtifactError where a file is missing or of another size."""
        super().check(version)
        manifest = manifest_from((self.folder(version) / MANIFEST).read_bytes())
        for name, listed in manifest.files.items():
            info = self._reached(lambda name=name: self._far.info(self._at(version, name)))  # type: ignore[misc]
            if info is None or info["size"] != listed["size"]:
                raise ArtifactError(f"{name} isn't as it was written", "damaged")

    def publish(self, beside: Path, version: str) -> None:
        """Upload a finished folder, its manifest last; what is there already under these names is written anew."""
        super().publish(beside, version)
        folder = self.folder(version)
        manifest = manifest_from((folder / MANIFEST).read_bytes())
        for name in (*manifest.files, RUN, MANIFEST):
            target = self._at(version, name)
            self._write(target, lambda name=name, target=target: self._far.put_file(str(folder / name), target))  # type: ignore[misc]

    def records(self, version: str) -> list[str]:
        """Names of all that was said of a version, in text order."""
        return sorted(name for name in self._names(f"{RECORDS}/{version}") if RECORD.fullmatch(name))

    def _copy(self, version: str) -> None:
        with self.workspace() as beside:
            folder = beside / version
            folder.mkdir()
            content = self._download(version, MANIFEST, folder, MANIFEST_BYTES)
            if version_of(content) != version:
                raise ArtifactError(f"{MANIFEST} isn't that of the version that its folder is named for", "damaged")
            for name, listed in manifest_from(content).files.items():
                if ".." in name or name.startswith("/"):
                    raise ArtifactError(f"{MANIFEST} lists a file that can't belong to a version", "unsafe")
                (folder / name).parent.mkdir(exist_ok=True)
                self._download(version, name, folder, listed["size"], read=False)
            self._download(version, RUN, folder, MANIFEST_BYTES)
            check_version(folder)
            super().publish(folder, version)

    def _download(self, version: str, name: str, folder: Path, most: int, read: bool = True) -> bytes:
        """Copy a file of at most so many bytes; its content, if that is to be read."""
        source = self._at(version, name)
        info = self._reached(lambda: self._far.info(source))
        if info is None:
            raise ArtifactError(f"{name} can't be read: it isn't there", "missing")
        if info["size"] > most:
            raise ArtifactError(f"{name} is larger than it should be", "damaged")
        self._reached(lambda: self._far.get_file(source, str(folder / name)))
        return (folder / name).read_bytes() if read else b""

    def _forget(self, fetched: str) -> None:
        """Remove other copies that no label names; a process that still has one mapped keeps it."""
        labelled = {fetched, *self.labels().values()}
        with self._files.changing():
            for version in super().versions():
                if version not in labelled:
                    self._files.remove(self.folder(version))

    def _read(self, place: str, told: str) -> bytes | None:
        info = self._reached(lambda: self._far.info(f"{self._place}/{place}"))
        if info is None:
            return None
        if info["size"] > RECORD_BYTES:
            raise StoreError(f"{told} is too large")
        content: bytes | None = self._reached(lambda: self._far.cat_file(f"{self._place}/{place}"))
        return content

    def _replace(self, place: str, content: bytes) -> None:
        target = f"{self._place}/{place}"
        self._write(target, lambda: self._far.pipe_file(target, content))

    def _erase(self, name: str) -> None:
        if self._reached(lambda: self._far.info(f"{self._place}/{name}")) is not None:
            self._reached(lambda: self._far.rm_file(f"{self._place}/{name}"))

    def _is_there(self, version: str) -> bool:
        return self._reached(lambda: self._far.info(self._at(version, MANIFEST))) is not None

    def _remove_version(self, version: str) -> None:
        """The manifest first, so that no half of a version is ever one."""
        self._reached(lambda: self._far.rm_file(self._at(version, MANIFEST)))
        for place in (f"{VERSIONS}/{version}", f"{RECORDS}/{version}"):
            self._reached(lambda place=place: self._far.rm(f"{self._place}/{place}", recursive=True))  # type: ignore[misc]
        if self.folder(version).exists():
            self._files.remove(self.folder(version))

    def _written(self, version: str) -> float:
        try:
            modified = self._reached(lambda: self._far.modified(self._at(version, MANIFEST)))
        except NotImplementedError:
            return super()._written(version)
        return modified.timestamp() if isinstance(modified, datetime) else 0.0

    def _names(self, place: str) -> list[str]:
        found: list[str] = self._reached(lambda: self._far.ls(f"{self._place}/{place}", detail=False)) or []
        return [name.rstrip("/").rpartition("/")[2] for name in found]

    def _at(self, version: str, name: str) -> str:
        return f"{self._place}/{VERSIONS}/{version}/{name}"

    def _write(self, target: str, do: Callable[[], Any]) -> None:
        """Make the folders of a file, where there are folders, and then the file."""

        def write() -> bool:
            self._far.makedirs(target.rpartition("/")[0], exist_ok=True)
            do()
            return True

        if not self._reached(write):
            raise StoreError("the store can't be written")

    def _reached(self, do: Callable[[], Any]) -> Any:
        """What comes of it, None where nothing is there."""
        try:
            return do()
        except FileNotFoundError:
            return None
        except NotImplementedError:
            raise
        except Exception as error:
            raise StoreError(f"the store can't be reached: {type(error).__name__}") from error
