"""Opens files of a version (one published model) without following symlinks, and compares them with the manifest."""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any

from model.errors import ArtifactError, Unreadable

MANIFEST, RUN = "manifest.json", "run.json"
UNLISTED = (MANIFEST, RUN)
"""Files of a version that the manifest doesn't list: itself, and run.json, which differs from run to run."""
VERSION_DIGITS = 12
SMALL_BYTES = 1 << 20
"""Maximum size of run.json in bytes; larger files are refused."""


def open_plain(path: Path, name: str) -> BufferedReader:
    """Open a regular file for reading; error messages contain `name`.

    Raises ArtifactError if the path doesn't exist or is a symlink, a pipe or a folder, and Unreadable if it can't be
    read. Reading a pipe might never end, and a symlink could point to any file that the service can read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise ArtifactError(f"{name} can't be read: {type(error).__name__}", "missing") from error
    except OSError as error:
        if os.path.islink(path):  # noqa: PTH114 # unlike Path.is_symlink, it never raises
            raise ArtifactError(f"{name} can't be read: it is a link", "unsafe") from error
        raise Unreadable(f"{name} can't be read: {type(error).__name__}") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ArtifactError(f"{name} can't be read: it is no plain file", "unsafe")
    return os.fdopen(handle, "rb")


def read_plain(path: Path, name: str, most: int) -> bytes:
    """Return the content of a regular file; error messages contain `name`.

    Raises ArtifactError if the file can't be read or is larger than `most` bytes.
    """
    with open_plain(path, name) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise ArtifactError(f"{name} is larger than {most} bytes", "damaged")
        try:
            return file.read(size)
        except OSError as error:
            raise Unreadable(f"{name} can't be read: {type(error).__name__}") from error


def names_in(folder: Path, name: str) -> list[str]:
    """Return the sorted names in a folder, which error messages call `name`; none if there is no such folder.

    Raises Unreadable if the folder can't be read, since it may hold anything then.
    """
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Unreadable(f"{name} can't be read: {error.strerror}", "store") from error


def version_of(manifest: bytes) -> str:
    """Return the name of the version that has this manifest: the first digits of the manifest's sha256."""
    return hashlib.sha256(manifest).hexdigest()[:VERSION_DIGITS]


def check_names(folder: Path, listed: Mapping[str, Any]) -> None:
    """Check that a version's folder has only files that its manifest lists, and that these names are harmless.

    Raises ArtifactError if a listed name could be outside the folder, or if the folder holds a symlink or an unlisted
    file.
    """
    for name in listed:
        parts = name.split("/")
        if name in UNLISTED or len(parts) > 2 or any(not part or part.startswith(".") for part in parts):
            raise ArtifactError(f"{MANIFEST} lists a file that can't belong to a version", "unsafe")
    if folder.is_symlink():
        raise ArtifactError("the version's folder is a link", "unsafe")
    folders = {name.split("/")[0] for name in listed if "/" in name}
    for entry in _entries(folder, folders):
        path = entry.relative_to(folder).as_posix()
        if entry.is_symlink():
            raise ArtifactError(f"{path} is a link", "unsafe")
        if path not in listed and path not in UNLISTED and path not in folders:
            raise ArtifactError("there is a file that the manifest doesn't list", "unsafe")


def check_same(name: str, size: int, sha256: str, listed: Mapping[str, Any]) -> None:
    """Raise ArtifactError if the size or the sha256 of a version's file differs from that in the manifest."""
    if size != listed["size"] or sha256 != listed["sha256"]:
        raise ArtifactError(f"{name} isn't as it was written", "damaged")


def check_complete(folder: Path, listed: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise ArtifactError unless a version's folder holds exactly the files in its manifest, with their hashes."""
    check_names(folder, listed)
    for name, expected in listed.items():
        with open_plain(folder / name, name) as file:
            try:
                size, sha256 = os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                raise Unreadable(f"{name} can't be read: {type(error).__name__}") from error
        check_same(name, size, sha256, expected)


def _entries(folder: Path, folders: set[str]) -> Iterator[Path]:
    """Yield the entries of a version's folder and of its subfolders named in `folders`.

    Raises ArtifactError if a folder can't be read.
    """
    try:
        for entry in sorted(folder.iterdir()):
            yield entry
            if entry.name in folders and entry.is_dir() and not entry.is_symlink():
                yield from sorted(entry.iterdir())
    except FileNotFoundError as error:
        raise ArtifactError("the version's folder isn't there", "missing") from error
    except OSError as error:
        raise Unreadable(f"the version's folder can't be read: {type(error).__name__}") from error
