"""Applies the gate's decision: records it and labels the version accordingly."""

from collections.abc import Mapping, Sequence
from typing import Any

from model.artifact.serialization import to_json
from model.files.manifest import read_manifest, read_run
from model.store.job_status import RetrainStatus, Verdict
from model.store.label_log import Reason
from model.store.store import CANDIDATE, Store
from training.errors import DataError
from training.gate import gate_report
from training.gate.gate import RECORD
from training.gate.gate_scores import most_evidence
from training.report import comparison
from training.report.about import about_version, further
from training.report.page import html
from training.report.section import Section
from training.versions.version_list import note_of

PAGE = "report.html"
"""Name of the record with the version's report page."""


def settle(
    store: Store,
    record: dict[str, Any],
    evaluation: Mapping[str, Any],
    notes: Sequence[str],
    sections: Sequence[Section] = (),
    *,
    force: bool,
    offer: bool,
    reason: Reason,
) -> bool:
    """Record the decision and the report page, and make the version current if it passed or `force` is set.

    With `offer`, the version becomes the candidate instead. A version that is held back gets no label, since services
    may also answer some calls with the candidate. `sections` are added to the page, and
    `reason` is logged with the labels. Returns whether the version got a label.
    """
    version = record["version"]
    record["forced"] = force and not record["passed"]
    record["offered"] = offer
    record["serves"] = record["passed"] or record["forced"]
    store.write_record(version, RECORD, to_json(record))
    store.write_record(version, PAGE, _page(store, record, evaluation, notes, sections).encode())
    if record["serves"] and offer:
        store.set_label(CANDIDATE, version, reason)
    elif record["serves"]:
        store.promote(version, reason)
    return bool(record["serves"])


def status_of(record: Mapping[str, Any], evaluation: Mapping[str, Any], seconds: float, now: float) -> RetrainStatus:
    """Return what the service reports of a retrain that took `seconds` and ended at `now` (seconds since 1970)."""
    verdict: Verdict = "held_back" if not record["serves"] else "candidate" if record["offered"] else "serves"
    gain = evaluation["evidence"][most_evidence(evaluation["evidence"])]["gain_percent"]
    return RetrainStatus(
        finished_at=now, seconds=seconds, version=record["version"], verdict=verdict, gain_percent=gain
    )  # fmt: skip


def last_line(record: Mapping[str, Any], serving: str | None) -> str:
    """Return the outcome in one line; `serving` is the current version after the decision, None if there is none."""
    version = record["version"]
    if record["serves"]:
        role = "is the candidate" if record["offered"] else "serves"
        return f"version {version} is published and {role}{', by force' if record['forced'] else ''}"
    others = f"version {serving} goes on serving" if serving else "no version serves"
    overruling = f"training models promote {version} --force overrules this"
    return f"version {version} is published and held back; {others}; {overruling}"


def _page(
    store: Store,
    record: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    notes: Sequence[str],
    sections: Sequence[Section],
) -> str:
    """Render the report page with the gate's sections, further sections, and a comparison with the previous version."""
    first = [*gate_report.sections(record), *sections]
    if before := _report_of(store, record["compared_with"]):
        name = f"version {record['compared_with']}, the previous version"
        first += comparison.against(evaluation, before, name)
    folder = store.fetch(record["version"])
    about = about_version(record["version"], read_manifest(folder), read_run(folder), note_of(store, record["version"]))
    return html(evaluation, notes, first, about, [further(record["version"], record["compared_with"])])


def _report_of(store: Store, version: str | None) -> dict[str, Any] | None:
    """Return the report of an earlier version; None if it can't be read."""
    if version is None:
        return None
    try:
        return comparison.read_report(store.fetch(version) / "report.json")
    except DataError:
        return None
