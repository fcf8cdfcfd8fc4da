"""A store of published models at a remote address that fsspec supports; versions are copied into a local folder.

Copies are verified by hash. Object stores replace single objects atomically but can't rename folders. So a version is
uploaded file by file, with its manifest last; a version without a manifest doesn't exist. A label is an object of one
line, like its file in a local store. There is no lock between machines: if two processes set a label at the same time,
the last one wins, but the label always points to a complete version.
"""

import shutil
import tempfile
import weakref
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import fsspec

from model.errors import ArtifactError, StoreError
from model.files.manifest import MANIFEST_BYTES, check_version, manifest_from
from model.files.plain_files import MANIFEST, RUN, version_of
from model.store.store import RECORD, RECORD_BYTES, RECORDS, VERSION, VERSIONS, Store


class RemoteStore(Store):
    """A store of published models at a remote address. Methods raise StoreError if the address can't be reached."""

    def __init__(self, address: str, cache: Path | None) -> None:
        """Open the store; copies of versions are kept in `cache`, or in a temporary folder if it is None."""
        self._far, place = fsspec.core.url_to_fs(address, use_listings_cache=False)
        self._place = str(place).rstrip("/")
        if cache is None:
            cache = Path(tempfile.mkdtemp(prefix="coldstart-"))
            weakref.finalize(self, shutil.rmtree, cache, ignore_errors=True)
        super().__init__(cache)

    def versions(self) -> list[str]:
        """Return the names of all versions that have a manifest, sorted."""
        names = [name for name in self._names(VERSIONS) if VERSION.fullmatch(name)]
        return sorted(name for name in names if self._is_there(name))

    def fetch(self, version: str) -> Path:
        """Return the folder with a local copy of a version, which is downloaded unless there is an intact copy.

        After a download, copies of other versions that have no label are removed. Raises ArtifactError if the remote
        version is incomplete or damaged.
        """
        folder = self.folder(version)
        try:
            check_version(folder)
        except ArtifactError:
            self._copy(version)
            self._forget(version)
        return folder

    def check(self, version: str) -> None:
        """Raise StoreError if a version isn't in the store, or ArtifactError if it is incomplete or damaged.

        Remote files are compared with the manifest by size only. The local copy is also verified by hash.
        """
        super().check(version)
        manifest = manifest_from((self.folder(version) / MANIFEST).read_bytes())
        for name, listed in manifest.files.items():
            info = self._reached(lambda name=name: self._far.info(self._at(version, name)))  # type: ignore[misc]
            if info is None or info["size"] != listed["size"]:
                raise ArtifactError(f"{name} isn't as it was written", "damaged")

    def publish(self, beside: Path, version: str) -> None:
        """Upload the finished folder of a version, manifest.json last; existing files are overwritten."""
        super().publish(beside, version)
        folder = self.folder(version)
        manifest = manifest_from((folder / MANIFEST).read_bytes())
        for name in (*manifest.files, RUN, MANIFEST):
            target = self._at(version, name)
            self._write(target, lambda name=name, target=target: self._far.put_file(str(folder / name), target))  # type: ignore[misc]

    def records(self, version: str) -> list[str]:
        """Return the names of the records about a version (small files added after publication), sorted."""
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
        """Download a file of a version and return its content if `read`, else no bytes.

        Raises ArtifactError if the file doesn't exist or is larger than `most` bytes.
        """
        source = self._at(version, name)
        info = self._reached(lambda: self._far.info(source))
        if info is None:
            raise ArtifactError(f"{name} can't be read: it isn't there", "missing")
        if info["size"] > most:
            raise ArtifactError(f"{name} is larger than it should be", "damaged")
        self._reached(lambda: self._far.get_file(source, str(folder / name)))
        return (folder / name).read_bytes() if read else b""

    def _forget(self, fetched: str) -> None:
        """Remove the local copies of all versions except `fetched` and versions with a label.

        Processes that have mapped the files aren't affected.
        """
        labelled = {fetched, *self.labels().values()}
        with self._files.changing():
            for version in super().versions():
                if version not in labelled:
                    self._files.remove(self.folder(version))

    def _read(self, place: str, description: str) -> bytes | None:
        info = self._reached(lambda: self._far.info(f"{self._place}/{place}"))
        if info is None:
            return None
        if info["size"] > RECORD_BYTES:
            raise StoreError(f"{description} is too large")
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
        """Remove a version and its records, its manifest first, so that an incomplete version never exists."""
        self._reached(lambda: self._far.rm_file(self._at(version, MANIFEST)))
        self._reached(lambda: self._far.rm(f"{self._place}/{VERSIONS}/{version}", recursive=True))
        self._remove_records(version)
        if self.folder(version).exists():
            self._files.remove(self.folder(version))

    def _remove_records(self, version: str) -> None:
        self._reached(lambda: self._far.rm(f"{self._place}/{RECORDS}/{version}", recursive=True))

    def written(self, version: str) -> float:
        def far() -> Any:
            with suppress(NotImplementedError):
                return self._far.modified(self._at(version, MANIFEST))
            return None

        modified = self._reached(far)
        return modified.timestamp() if isinstance(modified, datetime) else super().written(version)

    def _names(self, place: str) -> list[str]:
        paths: list[str] = self._reached(lambda: self._far.ls(f"{self._place}/{place}", detail=False)) or []
        return [path.rstrip("/").rpartition("/")[2] for path in paths]

    def _at(self, version: str, name: str) -> str:
        return f"{self._place}/{VERSIONS}/{version}/{name}"

    def _write(self, target: str, do: Callable[[], Any]) -> None:
        """Call `do`, which writes the remote file `target`; its parent folders are created first if the store has any.

        Raises StoreError if this fails.
        """

        def write() -> bool:
            self._far.makedirs(target.rpartition("/")[0], exist_ok=True)
            do()
            return True

        if not self._reached(write):
            raise StoreError("the store can't be written")

    def _reached(self, do: Callable[[], Any]) -> Any:
        """Call `do`, which asks the remote store, and return its result; None if the object doesn't exist.

        Raises StoreError if the call fails.
        """
        try:
            return do()
        except FileNotFoundError:
            return None
        except Exception as error:
            raise StoreError(f"the store can't be reached: {type(error).__name__}") from error
