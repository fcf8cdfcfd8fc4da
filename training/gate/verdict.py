"""What follows from the gate's verdict: the records of a version, and its label."""

from collections.abc import Mapping
from typing import Any

from model.artifact.serialization import to_json
from model.errors import StoreError
from model.store.store import CANDIDATE, Store
from training.errors import DataError
from training.gate import report as gate_report
from training.gate.gate import RECORD
from training.report import comparison as previous
from training.report.page import html

PAGE = "report.html"


def settle(
    store: Store,
    found: dict[str, Any],
    force: bool,
    pages: tuple[dict[str, Any], list[str], list[str]],
    offer: bool = False,
) -> bool:
    """Record the verdict, then let the version serve, or be the candidate if it is only to be offered.

    Returns whether it passed; if it didn't, no label names it: a service may let a candidate answer some members.
    `pages` are the evaluation, its notes and further sections, as HTML, for the recorded page.
    """
    version = found["version"]
    found["forced"] = force and not found["passed"]
    found["offered"] = offer
    found["serves"] = found["passed"] or found["forced"]
    store.write_record(version, RECORD, to_json(found))
    store.write_record(version, PAGE, _page(store, found, *pages).encode())
    if found["serves"] and offer:
        store.set_label(CANDIDATE, version)
    elif found["serves"]:
        store.promote(version)
    return bool(found["serves"])


def last_line(found: Mapping[str, Any], serving: str | None) -> str:
    """The outcome in one line."""
    version = found["version"]
    if found["serves"]:
        role = "is the candidate" if found["offered"] else "serves"
        return f"version {version} is published and {role}{', by force' if found['forced'] else ''}"
    others = f"version {serving} goes on serving" if serving else "no version serves"
    return f"version {version} is published and held back; {others}; training models promote {version} overrules this"


def _page(
    store: Store, found: Mapping[str, Any], evaluation: Mapping[str, Any], notes: list[str], further: list[str]
) -> str:
    first = [gate_report.html(found), *further]
    if before := _report_of(store, found["compared_with"]):
        first.append(previous.against(evaluation, before, f"version {found['compared_with']}, which served before"))
    return html(evaluation, notes, first)


def _report_of(store: Store, version: str | None) -> dict[str, Any] | None:
    """The report of an earlier version, None where there is none to read."""
    if version is None:
        return None
    try:
        return previous.read_report(store.fetch(version) / "report.json")
    except DataError:
        return None


def serving(store: Store) -> str | None:
    """The version that serves, None where that can't be told."""
    try:
        return store.current()
    except StoreError:
        return None
