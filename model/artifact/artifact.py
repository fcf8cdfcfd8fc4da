"""A model as a folder of files: written by the job, checked and read by the service."""

import hashlib
import mmap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from features.schema import Schema
from model.artifact import serialization
from model.artifact.consistency import check_every_kind, check_finite
from model.artifact.golden import GOLDEN, check_golden, golden_to_bytes
from model.errors import ArtifactError, Reason
from model.facts.catalogue import Catalogue
from model.facts.member_table import FILES, KINDS, MemberTable
from model.files.checked_array import CheckedArray, piece_count, piece_hashes
from model.files.manifest import FORMAT, Manifest, Run, named_manifest, read_run
from model.files.manifest import read_manifest as read_manifest
from model.files.npz import array_over
from model.files.plain_files import MANIFEST, check_names, check_same, open_plain, read_plain, version_of
from model.prediction.model import Model

PIECES = "members/pieces.npy"
"""Hashes of all pieces of the members' files, in the order of FILES."""

Read = TypeVar("Read")
Verify = Callable[[bytes], None]

JSON_BYTES, FILE_BYTES = 64 << 20, 8 << 30
"""Largest sizes of JSON files and of other files that are read into memory."""


@dataclass(frozen=True)
class Parts:
    """The parts of a model before it has a version."""

    schema: Schema
    catalogue: Catalogue
    members: MemberTable
    core: serialization.Core


def write_files(folder: Path, parts: Parts, reports: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    """Write all files but the manifest; returns size and sha256 of each, by its path."""
    (folder / "members").mkdir(parents=True)
    contents = {
        "schema.json": serialization.to_json(parts.schema.to_dict()),
        "catalogue.npz": serialization.catalogue_to_bytes(parts.catalogue),
        **serialization.core_to_files(parts.core, parts.schema),
        **reports,
    }
    contents[GOLDEN] = golden_to_bytes(_as_loaded(contents, parts.members))
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    for name in FILES:
        np.save(folder / "members" / f"{name}.npy", getattr(parts.members, name), allow_pickle=False)
    hashes = [piece_hashes(folder / "members" / f"{name}.npy") for name in FILES]
    np.save(folder / PIECES, np.concatenate(hashes), allow_pickle=False)
    return listing(folder)


def listing(folder: Path) -> dict[str, dict[str, Any]]:
    """Size and sha256 of each file, by its path."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): {"size": path.stat().st_size, "sha256": _sha256(path)} for path in paths
    }


def write_manifest(folder: Path, manifest: Manifest) -> str:
    """Write the manifest; returns the version, which names the content of every file."""
    content = serialization.to_json(manifest.to_dict())
    (folder / MANIFEST).write_bytes(content)
    return version_of(content)


@dataclass(frozen=True)
class Opened:
    """A version whose files have been compared with their hashes; the same bytes are parsed later."""

    version: str
    """Its name, from the manifest's own bytes."""
    manifest: Manifest
    """Its manifest."""
    run: Run
    """Its training run."""
    files: Mapping[str, bytes]
    """Contents of all files but the members' table."""
    members: MemberTable
    """Mapped, and checked piece by piece at the first access."""

    def model(self) -> Model:
        """The model, once it has repeated its golden predictions; raises ArtifactError."""
        model = _model(self.files, self.members, self.version, self.manifest, self.run)
        _read("members", lambda: _check_members(self.members, model.schema))
        _read(GOLDEN, lambda: check_golden(model, self.files[GOLDEN]), "trial")
        return model


def open_version(folder: Path, verify: Verify | None = None) -> Opened:
    """A version's folder, its files checked and none parsed but the manifest and the run; raises ArtifactError.

    `verify` gets the bytes of the manifest, which has the hashes of all other files, and raises ArtifactError too.
    """
    content, manifest = named_manifest(folder)
    if verify is not None:
        verify(content)
    check_names(folder, manifest.files)
    files = {name: _checked(folder, name, manifest) for name in manifest.files if not name.startswith("members/")}
    return Opened(version_of(content), manifest, read_run(folder), files, open_members(folder, manifest))


def load_model(folder: Path, verify: Verify | None = None) -> Model:
    """The model in a version's folder; raises ArtifactError, as `open_version` and `Opened.model` do.

    LightGBM ends the process, or never returns, for some texts of forests under a manifest that fits. So a service
    tries each version in a disposable process first (`model.artifact.trial_process`).
    """
    return open_version(folder, verify).model()


def _model(files: Mapping[str, bytes], members: MemberTable, version: str, manifest: Manifest, run: Run) -> Model:
    """A model of the contents of its files."""
    schema = _read("schema.json", lambda: Schema.from_dict(serialization.from_json(files["schema.json"])))
    _read("schema.json", lambda: check_finite(schema, "schema"))
    catalogue = _read("catalogue.npz", lambda: serialization.catalogue_from_bytes(files["catalogue.npz"]))
    for name in ("release_year", "genres", "attributes"):
        _read("catalogue.npz", lambda name=name: check_finite(getattr(catalogue, name), name))  # type: ignore[misc]
    core = _read("the core", lambda: serialization.core_from_files(files, schema))
    model = Model(
        version=version, schema=schema, manifest=manifest, run=run,
        members=replace(members, catalogue=len(catalogue)), catalogue=catalogue,
        **{field.name: getattr(core, field.name) for field in fields(core)},
    )  # fmt: skip
    _read("the core", lambda: check_every_kind(model))
    return model


def _as_loaded(contents: Mapping[str, bytes], members: MemberTable) -> Model:
    """The model that will be read from these contents."""
    return _model(contents, members, "", Manifest(FORMAT, 0, "", {}, {}, {}, {}), Run("", 0.0))


def _read(name: str, read: Callable[[], Read], reason: Reason = "content") -> Read:
    """Call `read`; errors become an ArtifactError that names the file, with the message of a ValueError of ours."""
    try:
        return read()
    except (ArtifactError, MemoryError):
        raise
    except Exception as error:
        cause = str(error) if type(error) is ValueError else type(error).__name__
        raise ArtifactError(f"{name} can't be read as a model's: {cause}", reason) from error


def _checked(folder: Path, name: str, manifest: Manifest) -> bytes:
    """The content of a file, no larger than the manifest says."""
    expected = manifest.files[name]
    most = JSON_BYTES if name.endswith(".json") else FILE_BYTES
    if expected["size"] > most:
        raise ArtifactError(f"{name} is larger than {most} bytes", "unsafe")
    content = read_plain(folder / name, name, most)
    check_same(name, len(content), hashlib.sha256(content).hexdigest(), expected)
    return content


def open_members(folder: Path, manifest: Manifest) -> MemberTable:
    """The table over its mapped files, of which only the hashes of pieces are read whole; raises ArtifactError."""
    hashes = _mapped(folder, PIECES, manifest)
    check_same(PIECES, len(hashes), hashlib.sha256(hashes).hexdigest(), manifest.files[PIECES])
    listed = _read(PIECES, lambda: array_over(hashes))
    arrays, used = {}, 0
    for name in FILES:
        path = f"members/{name}.npy"
        content = _mapped(folder, path, manifest)
        if len(content) != manifest.files[path]["size"]:
            raise ArtifactError(f"{path} isn't as it was written", "damaged")
        own = listed[used : used + piece_count(len(content))]
        used += len(own)
        try:
            arrays[name] = CheckedArray(path, content, own)
        except ValueError as error:
            raise ArtifactError(f"{path} can't be read as a model's: {error}") from error
    if used != len(listed):
        raise ArtifactError(f"{PIECES} is for other files")
    return MemberTable.over(arrays)


def _mapped(folder: Path, name: str, manifest: Manifest) -> mmap.mmap:
    """A file's content as memory that all processes share."""
    if name not in manifest.files:
        raise ArtifactError(f"{MANIFEST} doesn't list {name}")
    try:
        with open_plain(folder / name, name) as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{name} can't be read: {type(error).__name__}", "damaged") from error


def _check_members(members: MemberTable, schema: Schema) -> None:
    """Check shapes and types of the arrays; rows are checked at their first access."""
    count, plays = len(members.keys), len(members.movies)
    shapes = {
        "keys": (count, 2), "attributes": (count, len(schema.member_attributes)), "starts": (count + 1,),
        "movies": (plays,), "completion": (plays,), "age_days": (plays,),
    }  # fmt: skip
    for name, shape in shapes.items():
        if getattr(members, name).shape != shape:
            raise ArtifactError(f"members/{name}.npy has another shape than the other arrays")
        if getattr(members, name).dtype != KINDS[name]:
            raise ArtifactError(f"members/{name}.npy has numbers of another kind")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
