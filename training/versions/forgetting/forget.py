"""Takes members out of tables, outcomes, a store of members and published versions, and makes a receipt without ids."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import ArtifactError
from model.files.shared_folder import SharedFolder
from model.store.store import Store
from training.data.files.forgotten_list import FORGOTTEN, add_forgotten, remove_forgotten
from training.data.files.member_rows import member_files, remove_unfinished
from training.data.reading.recorded_outcomes import log_files
from training.errors import UsageError
from training.versions.forgetting.outcome_lines import blank_lines_of
from training.versions.forgetting.places import Places
from training.versions.forgetting.store_entries import open_entries
from training.versions.forgetting.trained_before import trained_before
from training.versions.forgetting.version_tables import Change, Sign, refuse_unsigned, rows_of, take_out

NEEDS_KEY = "--data needs --member-key: the list of forgotten members holds hashes with a key, never ids"
CLOCK_STEP = timedelta(seconds=1)
"""What the time of a retrain may be rounded by."""


@dataclass(frozen=True)
class Keeping:
    """Which old versions `models prune` keeps."""

    keep: int
    """Number of newest versions."""
    keep_days: float
    """Age in days."""


def forget(places: Places, member_ids: Sequence[str], sign: Sign | None, keeping: Keeping) -> dict[str, Any]:
    """Take members out of all places, and return a receipt with counts and hashes of files, for JSON.

    If this is interrupted, it can be called again with the same ids and ends the same. Everything that can be refused
    is refused before anything changes: raises UsageError without a key for the list or for signatures that are needed,
    DataError if a table or log can't be read, WorkFailed if the store of members fails.
    """
    _refuse(places, member_ids, sign)
    now = datetime.now(UTC)
    since = now + CLOCK_STEP
    receipt: dict[str, Any] = {"members": len(member_ids)}
    if places.data is not None:
        receipt["tables"], receipt["list"], since = _forget_in_tables(places, places.data, member_ids, since)
        receipt["files_of_other_kinds"] = len(member_files(places.data)[1])
    if places.outcomes is not None:
        receipt["outcomes"] = [
            _file(
                path,
                path.relative_to(places.outcomes).as_posix(),
                "lines",
                blank_lines_of(path, member_ids, now.timestamp()),
            )
            for path in log_files(places.outcomes)
        ]
    if places.address:
        with open_entries(places.address, places.keys) as entries:
            receipt["store"] = {"entries": entries.delete(member_ids)}
    if (store := places.store()) is not None:
        receipt |= _forget_in_versions(places, store, member_ids, sign)
        receipt["trained_with_them"] = trained_before(store, since, keeping.keep, keeping.keep_days)
    return receipt


def undo(places: Places, member_ids: Sequence[str]) -> int:
    """Take members off the list of a data directory, and return how many were on it. Raises UsageError."""
    if places.data is None:
        raise UsageError("--undo needs --data, where the list is")
    if not places.key.secret:
        raise UsageError(NEEDS_KEY)
    folder = SharedFolder(places.data)
    with folder.changing():
        return remove_forgotten(folder, places.key, member_ids)


def _refuse(places: Places, member_ids: Sequence[str], sign: Sign | None) -> None:
    """Raise an error if something of what is to be done can't be done."""
    if places.data is not None:
        if not places.key.secret:
            raise UsageError(NEEDS_KEY)
        member_files(places.data)
    if places.outcomes is not None:
        log_files(places.outcomes)
    if places.address:
        with open_entries(places.address, places.keys):
            pass
    if (store := places.store()) is not None:
        for version in store.versions():
            if len(_rows(places, store, version, member_ids)):
                refuse_unsigned(store, version, sign)


def _forget_in_tables(
    places: Places, data: Path, member_ids: Sequence[str], since: datetime
) -> tuple[list[dict[str, Any]], dict[str, Any], datetime]:
    """Put members on the list, then take them out of the tables, so that readers leave them out all the time.

    Returns what the receipt says of the tables and of the list, and the time since when all are on it.
    """
    folder = SharedFolder(data)
    with folder.changing():
        folder.clean()
        remove_unfinished(data)
        listed = add_forgotten(folder, places.key, member_ids, since.isoformat(timespec="seconds"))
        tables = [
            _file(file.path, file.name_without_id, "rows", file.remove(member_ids)) for file in member_files(data)[0]
        ]
    latest = max(listed.since[places.key.hex_of(member_id)] for member_id in member_ids)
    about = {"file": FORGOTTEN, "members": len(listed), "sha256": _sha256(data / FORGOTTEN)}
    return tables, about, datetime.fromisoformat(latest)


def _forget_in_versions(places: Places, store: Store, member_ids: Sequence[str], sign: Sign | None) -> dict[str, Any]:
    """Take members out of the tables of all versions, and return what the receipt says of them."""
    store.clean()
    changes: list[Change] = []
    damaged: list[str] = []
    for version in store.versions():
        try:
            rows = rows_of(store, version, member_ids, places.keys)
            changes.append(take_out(store, version, rows, sign))
        except ArtifactError:
            if version in store.versions():
                damaged.append(version)
    return {"versions": [asdict(change) for change in changes], "damaged_versions": damaged}


def _rows(places: Places, store: Store, version: str, member_ids: Sequence[str]) -> NDArray[np.int64]:
    """Return the rows of members in a version's table; none if it is damaged, which is told when they are taken out."""
    try:
        return rows_of(store, version, member_ids, places.keys)
    except ArtifactError:
        return np.empty(0, np.int64)


def _file(path: Path, name: str, unit: str, count: int) -> dict[str, Any]:
    """Return what the receipt says of a file; the hash is None if it was removed."""
    return {"file": name, unit: count, "sha256": _sha256(path)}


def _sha256(path: Path) -> str | None:
    if not path.exists():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
