"""Writes the folder of files of a version (one published model) in training; checks and loads it in the service."""

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
from model.facts.member_key import PLAIN, MemberKey
from model.facts.member_table import FILES, KINDS, RATING_FILES, MemberTable
from model.files.checked_array import CheckedArray, piece_count, piece_hashes
from model.files.manifest import FORMAT, Manifest, Run, named_manifest, read_run
from model.files.manifest import read_manifest as read_manifest
from model.files.npz import array_over
from model.files.plain_files import MANIFEST, check_names, check_same, open_plain, read_plain, version_of
from model.prediction.model import Model

MEMBERS = "members"
"""Folder with the member table, one file for each array."""
PIECES = f"{MEMBERS}/pieces.npy"
"""File with a hash of each 16 KiB piece of the files of the member table, in the order of FILES and RATING_FILES."""

Read = TypeVar("Read")
Verify = Callable[[bytes], None]

JSON_BYTES, FILE_BYTES = 64 << 20, 8 << 30
"""Maximum sizes in bytes of JSON files, and of other files that are read into memory."""


@dataclass(frozen=True)
class Parts:
    """The parts of a model that training has finished and not published yet, but for its members."""

    schema: Schema
    catalogue: Catalogue
    core: serialization.Core


def write_files(folder: Path, parts: Parts, reports: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    """Write all files of a version (one published model) except manifest.json and run.json, and list them.

    Returns the size and sha256 of each file, by path, for the manifest. The folder MEMBERS with the arrays of the
    member table must be there already. `reports` maps the names of report files to their contents.
    """
    contents = {
        "schema.json": serialization.to_json(parts.schema.to_dict()),
        "catalogue.npz": serialization.catalogue_to_bytes(parts.catalogue),
        **serialization.core_to_files(parts.core, parts.schema),
        **reports,
    }
    arrays = {name: path for name in KINDS if (path := folder / MEMBERS / f"{name}.npy").exists()}
    members = MemberTable(**{name: np.load(path, mmap_mode="r", allow_pickle=False) for name, path in arrays.items()})
    contents[GOLDEN] = golden_to_bytes(_as_loaded(contents, members))
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    write_pieces(folder)
    return listing(folder)


def write_pieces(folder: Path) -> None:
    """Write the hashes of the pieces of the member table, whose arrays are in a version's folder."""
    paths = [path for name in KINDS if (path := folder / MEMBERS / f"{name}.npy").exists()]
    np.save(folder / PIECES, np.concatenate([piece_hashes(path) for path in paths]), allow_pickle=False)


def listing(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the size and sha256 of each file in a folder, by path, as a version's manifest lists them."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): {"size": path.stat().st_size, "sha256": _sha256(path)} for path in paths
    }


def write_manifest(folder: Path, manifest: Manifest) -> str:
    """Write manifest.json and return the name of the version, a hash of the contents of all listed files."""
    return write_manifest_fields(folder, manifest.to_dict())


def write_manifest_fields(folder: Path, manifest: dict[str, Any]) -> str:
    """Write manifest.json with these fields, and return the name of the version."""
    content = serialization.to_json(manifest)
    (folder / MANIFEST).write_bytes(content)
    return version_of(content)


@dataclass(frozen=True)
class Opened:
    """A version (one published model) whose files have been verified by hash but not parsed yet."""

    version: str
    """Name of the version, computed from the bytes of the manifest."""
    manifest: Manifest
    """Manifest of the version."""
    run: Run
    """When and how the version was trained."""
    files: Mapping[str, bytes]
    """Contents of the files in the manifest, except those of the published members."""
    members: MemberTable
    """Facts of the published members, memory-mapped and verified piece by piece at the first access."""

    def model(self) -> Model:
        """Parse the files and return the model, ready to serve.

        Raises ArtifactError if its parts are inconsistent, or if it doesn't repeat the predictions that were stored
        when it was published.
        """
        model = _model(self.files, self.members, self.version, self.manifest, self.run)
        _read("members", lambda: _check_members(self.members, model.schema))
        _read(GOLDEN, lambda: check_golden(model, self.files[GOLDEN]), "trial")
        return model


def open_version(folder: Path, verify: Verify | None = None, key: MemberKey | None = PLAIN) -> Opened:
    """Open the folder of a version (one published model) and verify its files by hash, without parsing most of them.

    Only the manifest and run.json are parsed; `Opened.model` parses the rest. `verify` is called with the bytes of the
    manifest and should raise ArtifactError to refuse the version. `key` is for `open_members`. Raises ArtifactError if
    a file is missing, damaged or unsafe, or if ids are hashed with another key.
    """
    content, manifest = named_manifest(folder)
    if verify is not None:
        verify(content)
    check_names(folder, manifest.files)
    files = {name: _checked(folder, name, manifest) for name in manifest.files if not name.startswith("members/")}
    return Opened(version_of(content), manifest, read_run(folder), files, open_members(folder, manifest, key))


def load_model(folder: Path, verify: Verify | None = None, key: MemberKey | None = PLAIN) -> Model:
    """Return the model in a version's folder, ready to serve.

    Raises ArtifactError if the version is damaged, unsafe or inconsistent, or if ids are hashed with another key.
    `verify` is called as in `open_version`, and `key` is for `open_members`.
    Some malformed LightGBM model files crash the process or make LightGBM loop forever, even if the hashes match. So
    the service first loads each version in a disposable process (`model.artifact.trial_process`).
    """
    return open_version(folder, verify, key).model()


def _model(files: Mapping[str, bytes], members: MemberTable, version: str, manifest: Manifest, run: Run) -> Model:
    """Return the model that is stored in the contents of a version's files.

    Raises ArtifactError if they are inconsistent.
    """
    schema = _read("schema.json", lambda: Schema.from_dict(serialization.from_json(files["schema.json"])))
    _read("schema.json", lambda: check_finite(schema, "schema"))
    catalogue = _read("catalogue.npz", lambda: serialization.catalogue_from_bytes(files["catalogue.npz"]))
    for name in ("release_year", "genres", "attributes"):
        _read("catalogue.npz", lambda name=name: check_finite(getattr(catalogue, name), name))  # type: ignore[misc]
    core = _read("the core", lambda: serialization.core_from_files(files, schema))
    model = Model(
        version=version, schema=schema, manifest=manifest, run=run,
        members=replace(members, catalogue=len(catalogue), scale=(schema.scale.low, schema.scale.high)),
        catalogue=catalogue,
        **{field.name: getattr(core, field.name) for field in fields(core)},
    )  # fmt: skip
    _read("the core", lambda: check_every_kind(model))
    return model


def _as_loaded(contents: Mapping[str, bytes], members: MemberTable) -> Model:
    """Return the model as it will be loaded from these contents of a version's files, to store its predictions."""
    return _model(contents, members, "", Manifest(FORMAT, 0, "", {}, {}, {}, {}), Run("", 0.0))


def _read(name: str, read: Callable[[], Read], reason: Reason = "content") -> Read:
    """Call `read`, which parses the file `name`, and return its result; errors become ArtifactErrors.

    ArtifactError and MemoryError are passed on as they are. The message of ArtifactError contains `name`, and the
    message of the cause if that is a plain ValueError, else the type of the cause.
    """
    try:
        return read()
    except (ArtifactError, MemoryError):
        raise
    except Exception as error:
        cause = str(error) if type(error) is ValueError else type(error).__name__
        raise ArtifactError(f"{name} can't be read as a model's: {cause}", reason) from error


def _checked(folder: Path, name: str, manifest: Manifest) -> bytes:
    """Return the content of a file of a version.

    Raises ArtifactError if it is too large or doesn't match the manifest.
    """
    expected = manifest.files[name]
    most = JSON_BYTES if name.endswith(".json") else FILE_BYTES
    if expected["size"] > most:
        raise ArtifactError(f"{name} is larger than {most} bytes", "unsafe")
    content = read_plain(folder / name, name, most)
    check_same(name, len(content), hashlib.sha256(content).hexdigest(), expected)
    return content


def open_members(folder: Path, manifest: Manifest, key: MemberKey | None = PLAIN) -> MemberTable:
    """Return the table of a version's published members, memory-mapped and verified as members are looked up.

    Only the file with the hashes of pieces is read completely. `key` hashes the ids that are looked up, unless ids were
    published with plain hashes; pass None if none will be looked up. Raises ArtifactError if ids were hashed with
    another key, if a file is missing or has the wrong size, or if the hashes are damaged.
    """
    key = _key_of(manifest, key)
    hashes = _mapped(folder, PIECES, manifest)
    check_same(PIECES, len(hashes), hashlib.sha256(hashes).hexdigest(), manifest.files[PIECES])
    listed = _read(PIECES, lambda: array_over(hashes))
    arrays, used = {}, 0
    has_ratings = any(f"{MEMBERS}/{name}.npy" in manifest.files for name in RATING_FILES)
    for name in FILES + RATING_FILES * has_ratings:
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
    return MemberTable.over(arrays, key)


def _key_of(manifest: Manifest, key: MemberKey | None) -> MemberKey:
    """Return the key for looking up ids in a version. Raises ArtifactError if its ids are hashed with another one."""
    if key is None or not manifest.member_key:
        return PLAIN
    if key.fingerprint != manifest.member_key:
        which = "another member key than the one given" if key.secret else "a member key, and none is given"
        raise ArtifactError(f"the ids of its members are hashed with {which}", "member_key")
    return key


def _mapped(folder: Path, name: str, manifest: Manifest) -> mmap.mmap:
    """Return the content of a file of a version as a memory map, which processes share.

    Raises ArtifactError if the manifest doesn't list the file or it can't be read.
    """
    if name not in manifest.files:
        raise ArtifactError(f"{MANIFEST} doesn't list {name}")
    try:
        with open_plain(folder / name, name) as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{name} can't be read: {type(error).__name__}", "damaged") from error


def _check_members(members: MemberTable, schema: Schema) -> None:
    """Raise ArtifactError if the shape or data type of an array of the member table is wrong.

    The contents of rows are verified when a member is first looked up.
    """
    count, plays = len(members.keys), len(members.movies)
    shapes = {
        "keys": (count, 2), "attributes": (count, len(schema.member_attributes)), "starts": (count + 1,),
        "movies": (plays,), "completion": (plays,), "age_days": (plays,),
    }  # fmt: skip
    if len(members.ratings) or len(members.rated_at):
        shapes |= {"ratings": (plays,), "rated_at": (plays,)}
    for name, shape in shapes.items():
        if getattr(members, name).shape != shape:
            raise ArtifactError(f"members/{name}.npy has another shape than the other arrays")
        if getattr(members, name).dtype != KINDS[name]:
            raise ArtifactError(f"members/{name}.npy has numbers of another kind")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
