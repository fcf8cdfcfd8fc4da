"""Describes the versions (published models) of a store, damaged ones included, for `training models list`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from model.errors import ArtifactError, StoreError
from model.files.manifest import Manifest, named_manifest, read_run
from model.files.plain_files import check_names
from model.store.store import CURRENT, RECORD_BYTES, Store
from training.report.section import EVIDENCE

NOTE = "note.txt"
"""Name of the record with the note that `retrain --note` gives a version."""
UNKNOWN = "unknown"
TITLES = {
    "version": "version", "trained_at": "trained", "gain_percent": "gain %", "rmse": "RMSE", "gate": "gate",
    "seed": "seed", "labels": "labels", "note": "note",
}  # fmt: skip
"""Columns of the printed list, with their titles."""
NUMBERS = ("gain_percent", "rmse", "seed")
"""Columns that are aligned to the right."""


def described(store: Store, verdict: Callable[[str], str]) -> list[dict[str, Any]]:
    """Return a row for each version, oldest first.

    A row has the version, when it was trained (UTC, "unknown" if that can't be read), gain over the movie mean in
    percent and RMSE with the most evidence, the gate's verdict, seed, labels, note, and what is damaged (None for a
    sound version; sizes of files are compared, not their hashes). `verdict` returns the gate's verdict on a version.
    """
    labels = labels_by_version(store)
    rows = [_row(store, version, verdict, labels.get(version, [])) for version in store.versions()]
    return sorted(rows, key=lambda row: (row["trained_at"], row["version"]))


def labels_by_version(store: Store) -> dict[str, list[str]]:
    """Return the labels of each version that has any; `current` is called "serves"."""
    labels: dict[str, list[str]] = {}
    for label, version in store.labels().items():
        labels.setdefault(version, []).append("serves" if label == CURRENT else label)
    return labels


def note_of(store: Store, version: str) -> str:
    """Return the note that a version was given, empty if there is none."""
    note = store.read_record(version, NOTE)
    return "" if note is None else note[:RECORD_BYTES].decode("utf-8", errors="replace")


def table_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows of `described` as a table for a terminal; empty if there are none."""
    if not rows:
        return ""
    cells = [TITLES, *({name: _cell(name, row) for name in TITLES} for row in rows)]
    widths = {name: max(len(line[name]) for line in cells) for name in TITLES}
    lines = [
        "  ".join(
            line[name].rjust(width) if name in NUMBERS else line[name].ljust(width) for name, width in widths.items()
        )
        for line in cells
    ]
    return "\n".join(line.rstrip() for line in lines)


def _row(store: Store, version: str, verdict: Callable[[str], str], labels: Sequence[str]) -> dict[str, Any]:
    manifest, damage = _inspected(store, version)
    scores = {} if manifest is None else manifest.scores
    best = next((scores[kind] for kind in reversed(EVIDENCE) if kind in scores), {})
    return {
        "version": version,
        "trained_at": _trained_at(store, version),
        "gain_percent": best.get("gain_percent"),
        "rmse": best.get("rmse"),
        "gate": _readable(lambda: verdict(version)),
        "seed": None if manifest is None else manifest.seed,
        "labels": list(labels),
        "note": _readable(lambda: note_of(store, version)),
        "damaged": damage,
    }


def _inspected(store: Store, version: str) -> tuple[Manifest | None, str | None]:
    """Return a version's manifest, if it can be read, and what is damaged, if anything is."""
    manifest = None
    try:
        folder = store.fetch(version)
        _, manifest = named_manifest(folder)
        check_names(folder, manifest.files)
        read_run(folder)
        for name, listed in manifest.files.items():
            if (folder / name).lstat().st_size != listed["size"]:
                return manifest, f"{name} isn't as it was written"
    except ArtifactError as error:
        return manifest, str(error)
    except FileNotFoundError:
        return manifest, f"{name} is missing"
    return manifest, None


def _trained_at(store: Store, version: str) -> str:
    try:
        return read_run(store.fetch(version)).trained_at
    except ArtifactError:
        return UNKNOWN


def _readable(read: Callable[[], str]) -> str:
    """Return what a record says, or that it is damaged."""
    try:
        return read()
    except StoreError:
        return "damaged record"


def _cell(name: str, row: Mapping[str, Any]) -> str:
    value = row[name]
    if name == "trained_at" and value != UNKNOWN:
        return str(value)[:16].replace("T", " ")
    if name == "labels":
        return ", ".join(value)
    if name == "note" and row["damaged"]:
        return f"damaged: {row['damaged']}"
    if value is None:
        return ""
    return {"gain_percent": "{:.2f}", "rmse": "{:.4f}"}.get(name, "{}").format(value)
