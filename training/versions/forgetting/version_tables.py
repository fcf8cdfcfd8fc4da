"""Takes members out of the member table of a published version, which gets the name of its new content."""

import json
import os
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray

from model.artifact.artifact import (
    MEMBERS,
    listing,
    load_model,
    open_members,
    write_manifest_fields,
    write_pieces,
)
from model.facts.member_key import MemberKey
from model.facts.member_table import KINDS, RATING_FILES, STARTS
from model.files.manifest import check_version, read_manifest
from model.files.plain_files import MANIFEST
from model.store.signature import SIGNATURE
from model.store.store import Store
from training.errors import UsageError

Sign = Callable[[Store, str], None]


@dataclass(frozen=True)
class Change:
    """What becomes of a version."""

    before: str
    """The version."""
    after: str
    """The version that takes its place; the same if its table held none of the members."""
    rows: int
    """Number of members who are taken out of its table."""


def rows_of(store: Store, version: str, member_ids: Sequence[str], keys: Collection[MemberKey]) -> NDArray[np.int64]:
    """Return the sorted rows of members in a version's table, by the hashes of their ids with one of the keys.

    Raises ArtifactError if the version is damaged, and UsageError if its key isn't among the keys.
    """
    folder = store.fetch(version)
    manifest = read_manifest(folder)
    table = open_members(folder, manifest, None)
    if not len(table):
        return np.empty(0, np.int64)
    key = next((key for key in keys if key.fingerprint == manifest.member_key), None)
    if key is None:
        raise UsageError(f"version {version} hashes the ids of members with another key: give it, --member-key")
    rows = (table.row_of(*key.hash_of(member_id)) for member_id in member_ids)
    return np.array(sorted({row for row in rows if row is not None}), np.int64)


def refuse_unsigned(store: Store, version: str, sign: Sign | None) -> None:
    """Raise UsageError if a version is signed and there is no key to sign the one that takes its place."""
    if sign is None and SIGNATURE in store.records(version):
        raise UsageError(f"version {version} is signed: give --sign, the key to sign what takes its place")


def take_out(store: Store, version: str, gone: NDArray[np.int64], sign: Sign | None) -> Change:
    """Replace a version by one whose table lacks these rows, with its labels, records and mentions.

    The version that takes its place is complete, checked and signed before a label moves. Raises ArtifactError if the
    version is damaged, and UsageError as `refuse_unsigned`.
    """
    if not len(gone):
        return Change(version, version, 0)
    refuse_unsigned(store, version, sign)
    source = store.fetch(version)
    check_version(source)
    with store.workspace() as beside:
        folder = Path(shutil.copytree(source, beside / "model"))
        after = _rewritten(source, folder, gone)
        folder = folder.rename(beside / after)
        load_model(folder, key=None)
        store.publish(folder, after)
    if sign is not None and SIGNATURE in store.records(version):
        sign(store, after)
    store.supersede(version, after, but=(SIGNATURE,))
    return Change(version, after, len(gone))


def _rewritten(source: Path, folder: Path, gone: NDArray[np.int64]) -> str:
    """Rewrite the table and the manifest in the copy of a version's folder, and return the name of the new version.

    The age of the version, by which old ones are removed, stays the same.
    """
    raters = write_without(source / MEMBERS, folder / MEMBERS, gone)
    write_pieces(folder)
    manifest = json.loads((source / MANIFEST).read_bytes())
    kept = {name: listed for name, listed in manifest["files"].items() if not name.startswith(f"{MEMBERS}/")}
    table = {name: listed for name, listed in listing(folder).items() if name.startswith(f"{MEMBERS}/")}
    manifest["files"] = kept | table
    fewer = {"members": len(gone), "published_members": len(gone), "published_raters": raters}
    manifest["data"] |= {
        name: manifest["data"][name] - count for name, count in fewer.items() if name in manifest["data"]
    }
    version = write_manifest_fields(folder, manifest)
    written = (source / MANIFEST).stat().st_mtime_ns
    os.utime(folder / MANIFEST, ns=(written, written))
    return version


def write_without(source: Path, target: Path, gone: NDArray[np.int64]) -> int:
    """Write the arrays of a member table without the members in these rows, in ascending order, to another folder.

    Returns the number of raters among these members.
    """
    paths = {name: path for name in KINDS if (path := source / f"{name}.npy").exists()}
    arrays = {name: np.load(path, mmap_mode="r", allow_pickle=False) for name, path in paths.items()}
    for name, array in arrays.items():
        if name in STARTS:
            starts = arrays[STARTS[name]]
            _write(target / f"{name}.npy", array, starts[gone], starts[gone + 1])
        elif name in STARTS.values():
            counts = np.delete(np.diff(array), gone)
            np.save(target / f"{name}.npy", np.concatenate([array[:1], np.cumsum(counts)]), allow_pickle=False)
        else:
            _write(target / f"{name}.npy", array, gone, gone + 1)
    if "ratings" not in arrays:
        return 0
    if not np.isfinite(np.load(target / "ratings.npy", mmap_mode="r", allow_pickle=False)).any():
        for name in RATING_FILES:  # as a table of members of whom none rated
            (target / f"{name}.npy").unlink()
    ranges = zip(arrays["starts"][gone].tolist(), arrays["starts"][gone + 1].tolist(), strict=True)
    return sum(bool(np.isfinite(arrays["ratings"][start:stop]).any()) for start, stop in ranges)


def _write(path: Path, array: NDArray[np.generic], starts: NDArray[np.int64], stops: NDArray[np.int64]) -> None:
    """Write an array without its rows in some ranges, which are sorted and don't overlap."""
    count = len(array) - int((stops - starts).sum())
    header = {"descr": array.dtype.str, "fortran_order": False, "shape": (count, *array.shape[1:])}
    with path.open("wb") as file:
        write_array_header_1_0(file, header)
        for start, stop in zip([0, *stops.tolist()], [*starts.tolist(), len(array)], strict=True):
            file.write(np.ascontiguousarray(array[start:stop]).tobytes())
