"""Looks whether the current version is worse than the one before on recorded outcomes, and goes back if it is."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from model.artifact.artifact import load_model
from model.artifact.serialization import to_json
from model.errors import ArtifactError, Unreadable
from model.facts.member_key import PLAIN, MemberKey
from model.files.manifest import read_run
from model.store.job_status import GuardStatus, read_status, write_status
from model.store.label_log import Reason
from model.store.store import CURRENT, PREVIOUS, Store
from training.data.reading.recorded_outcomes import read_outcomes
from training.versions.guard.guard_settings import GuardSettings
from training.versions.guard.judgement import Judgement, judge
from training.versions.guard.replay import comparable, replay

RECORD = "guard.json"
"""Name of the record about a version that was taken back."""
LARGEST_E_VALUE = 1e12
"""Evidence above it is written as this, since infinity isn't JSON."""


class Look(NamedTuple):
    """What the guard saw and did at one time."""

    status: GuardStatus
    """What it saw; also written to the store."""
    summary: str
    """What it saw and did, in one line."""


def look(
    store: Store,
    outcomes: Path,
    settings: GuardSettings,
    now: float,
    moved_by: Callable[[str], Reason],
    key: MemberKey = PLAIN,
) -> Look:
    """Compare the current version with the one before, and go back if there is enough evidence that it is worse.

    Writes what it saw to the store, and a record about a version that is taken back. `key` hashes the ids of members,
    who are looked up in the published tables. `now` is in seconds since 1970.
    `moved_by` returns the reason of a move for the log of labels, given what was seen. Raises StoreError or
    ArtifactError if the current version can't be loaded or the store can't be read, and DataError if an outcome is
    invalid.
    """
    last = read_status(store, GuardStatus)
    status = GuardStatus(checked_at=now, went_back_at=last.went_back_at if last else None)
    labels = store.labels()
    version, before = labels.get(CURRENT), labels.get(PREVIOUS)
    if version is None or before is None or not _trained(store, before) < _trained(store, version):
        summary = "there is no earlier version to go back to"
    elif isinstance(judgement := _judgement(store, version, before, outcomes, settings, now, key), str):
        summary = f"version {version} stays; it can't be compared with version {before} before it: {judgement}"
    else:
        status = status.model_copy(update=_seen(version, judgement))
        seen = _described(status, before, settings)
        summary = f"version {version} stays; {seen}"
        if judgement.is_worse:
            store.roll_back(moved_by(f"models guard: {seen}"), version)
            status = status.model_copy(update={"went_back_at": now})
            record = {"went_back_to": before, "settings": settings.model_dump(), "status": status.model_dump()}
            store.write_record(version, RECORD, to_json(record))
            summary = f"version {version} is worse and was taken back, version {before} serves; {seen}"
    write_status(store, status)
    return Look(status, summary)


def _judgement(
    store: Store, version: str, before: str, outcomes: Path, settings: GuardSettings, now: float, key: MemberKey
) -> Judgement | str:
    """Return the comparison of two versions on the outcomes in a folder, or why they can't be compared."""
    model = load_model(store.fetch(version), key=key)
    try:
        model_before = load_model(store.fetch(before), key=key)
    except Unreadable:
        raise
    except (
        ArtifactError
    ) as error:  # such as the format of an earlier release, to which a service couldn't go back either
        return str(error)
    scale, scale_before = model.schema.scale, model_before.schema.scale
    if (scale.low, scale.high) != (scale_before.low, scale_before.high):
        return "their rating scales differ"
    if not len(model.members) and not len(model_before.members):
        return "neither was published with members"
    since = _trained(store, version)
    ratings = comparable(read_outcomes(outcomes, since), since)
    return judge(replay(ratings, model, model_before, now, settings.most_members), scale, settings)


def _trained(store: Store, version: str) -> float:
    """Return when a version was trained, in seconds since 1970."""
    return datetime.fromisoformat(read_run(store.fetch(version)).trained_at).timestamp()


def _seen(version: str, judgement: Judgement) -> dict[str, object]:
    """Return what was seen of a version as fields of GuardStatus."""
    seen: dict[str, object] = {"version": version, "members": judgement.members, "outcomes": judgement.outcomes}
    if judgement.outcomes:
        seen["e_value"] = min(judgement.e_value, LARGEST_E_VALUE)
        seen["squared_error"], seen["squared_error_before"] = judgement.squared_error
        seen["coverage"], seen["coverage_before"] = judgement.coverage
    return seen


def _described(status: GuardStatus, before: str, settings: GuardSettings) -> str:
    if not status.outcomes:
        return f"no outcomes yet to compare it with version {before}"
    return (
        f"{status.outcomes:,} ratings of {status.members:,} members: squared error {status.squared_error:.4f}, before "
        f"{status.squared_error_before:.4f}; coverage {status.coverage:.1%}, before {status.coverage_before:.1%}; "
        f"evidence {status.e_value:.3g} of {1 / settings.alpha:.3g}"
    )
