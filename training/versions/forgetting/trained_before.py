"""Tells which versions were trained with members who are forgotten now, and until when they are kept."""

from datetime import UTC, datetime
from typing import Any

from model.errors import ArtifactError
from model.facts.facts import SECONDS_PER_DAY
from model.files.manifest import read_run
from model.store.store import Store
from training.versions.version_list import labels_by_version


def trained_before(store: Store, since: datetime, keep: int, keep_days: float) -> list[dict[str, Any]]:
    """Describe each version whose training began before a time, and from when `models prune` removes it.

    A version is removed from the time `old_from` on, when it isn't among the newest `keep` (`is_among_newest`) and has
    no label.
    """
    labels = labels_by_version(store)
    written = {version: store.written(version) for version in store.versions()}
    newest = sorted(written, key=lambda version: (-written[version], version))[:keep]
    return [
        {
            "version": version,
            "labels": labels.get(version, []),
            "old_from": _text(written[version] + keep_days * SECONDS_PER_DAY),
            "is_among_newest": version in newest,
        }
        for version in written
        if _began(store, version) < since.timestamp()
    ]


def _began(store: Store, version: str) -> float:
    """Return when the training of a version began, in seconds since 1970; 0 if that can't be read."""
    try:
        run = read_run(store.fetch(version))
    except ArtifactError:
        return 0.0
    return datetime.fromisoformat(run.trained_at).timestamp() - run.seconds


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
