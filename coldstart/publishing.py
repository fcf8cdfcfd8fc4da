"""Publishes a version that was trained in a notebook, with the same gate as a retrain."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

from coldstart.errors import FrontError
from model.facts.member_key import MemberKey
from model.store.open import open_store
from training.commands.models import take_note
from training.commands.terminal import moved_by
from training.data.reading.tables import read_tables
from training.gate.apply_verdict import last_line, settle
from training.gate.gate import Gate
from training.gate.gate_settings import GateSettings
from training.gate.kept_out import keep_key, key_digest, key_of_store, split
from training.versions.serving import serving_version


def publish_version(
    version: Path, data: Path, seed: int, evaluation: dict[str, Any], models: str | Path, member_key: MemberKey,
    *, force: bool, candidate: bool, note: str,
) -> str:  # fmt: skip
    """Copy the folder of a version into a store, let the gate decide, and return the outcome in one line.

    `data` is the data directory that it was trained on, and `member_key` hashes ids. Raises FrontError if the store's
    versions keep out other raters than this one, which couldn't be compared with them then.
    """
    store, share = open_store(models), float(evaluation["kept_out"]["share"])
    settings = GateSettings.model_validate({"share": share})
    key = key_of_store(store, settings.key)
    if key_digest(key) != evaluation["kept_out"]["key"]:
        kept = json.loads(store.gate_key() or b"{}").get("key", "")
        raise FrontError(f"the versions of this store keep out other raters: train with gate_key={kept!r}")
    parts = split(read_tables(data, key=member_key), key, settings.share)
    gate = Gate(store, parts, key, settings, time.perf_counter, seed, member_key)
    with store.workspace() as beside:
        store.publish(Path(shutil.copytree(version, beside / version.name)), version.name)
    keep_key(store, key)
    take_note(store, version.name, note)
    record = gate.decide(version.name, evaluation)
    settle(store, record, evaluation, [], force=force, offer=candidate, reason=moved_by("publish in a notebook"))
    return last_line(record, serving_version(store))
