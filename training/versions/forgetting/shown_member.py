"""Shows all that tables, outcomes, a store and published versions hold of a member."""

import json
from dataclasses import replace
from typing import Any

from model.artifact.artifact import load_model
from model.errors import ArtifactError
from model.facts.member_record import to_json
from model.store.store import Store
from training.data.files.forgotten_list import read_forgotten
from training.data.files.member_rows import member_files
from training.versions.exports.export_members import record_of
from training.versions.forgetting.outcome_lines import outcomes_of
from training.versions.forgetting.places import Places
from training.versions.forgetting.store_entries import open_entries


def shown_member(places: Places, member_id: str) -> dict[str, Any]:
    """Return what the places hold of a member, for JSON; a place that isn't given is left out.

    `tables` has the rows by file, as they stand there; `outcomes` the recorded outcomes; `store` the entries by key;
    and `versions` the record of each version that has one, or why it can't be read. Raises DataError or WorkFailed if
    another place can't be read.
    """
    shown: dict[str, Any] = {"member_id": member_id}
    if places.data is not None:
        files, _ = member_files(places.data)
        rows = {file.name: file.rows_of(member_id) for file in files}
        shown["tables"] = {name: own for name, own in rows.items() if own}
        shown["on_list_of_forgotten"] = read_forgotten(places.data, places.key).has(member_id)
    if places.outcomes is not None:
        shown["outcomes"] = outcomes_of(places.outcomes, member_id)
    if places.address:
        with open_entries(places.address, places.keys) as entries:
            shown["store"] = entries.of(member_id)
    if (store := places.store()) is not None:
        versions = {version: _published(places, store, version, member_id) for version in store.versions()}
        shown["versions"] = {version: record for version, record in versions.items() if record is not None}
    return shown


def _published(places: Places, store: Store, version: str, member_id: str) -> Any:
    """Return the record of a member in a version; None if it has none, and the reason if the version is damaged."""
    try:
        model = load_model(store.fetch(version), key=None)
    except ArtifactError as error:
        return f"can't be read: {error}"
    key = next((key for key in places.keys if key.fingerprint == model.manifest.member_key), None)
    if key is None:
        return "can't be asked: it hashes the ids of members with another key than --member-key"
    facts = replace(model.members, key=key).find(member_id)
    return None if facts is None else json.loads(to_json(record_of(facts, model)))
