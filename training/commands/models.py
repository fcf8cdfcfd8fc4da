"""`training models`: list, show, compare, export, sign and remove published versions, and choose what serves."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from model.artifact.artifact import load_model
from model.errors import ANOTHER, REMEDIES, ArtifactError, StoreError
from model.exit_codes import ExitCode
from model.files.manifest import check_version, read_manifest, read_run
from model.files.plain_files import read_plain
from model.prediction.model import Model
from model.store.label_log import Reason
from model.store.open import is_address, open_store
from model.store.signature import private_key, sign
from model.store.store import CANDIDATE, CURRENT, RECORD_BYTES, Store
from training.commands.terminal import add_member_key, member_key, moved_by
from training.data.files.table_files import refuse_no_folder
from training.data.writer import refuse_unwritable
from training.errors import HeldBack, UsageError, WorkFailed, listed
from training.gate import gate_report
from training.gate.gate import RECORD
from training.report.markdown import section_markdown
from training.versions.compare import diff, diff_of_many, text, text_of_many
from training.versions.exports.export_model import export
from training.versions.guard.guard_command import run_guard
from training.versions.guard.guard_settings import add_guard_arguments
from training.versions.version_list import NOTE, described, labels_by_version, note_of, table_text

Part = TypeVar("Part")
Result = tuple[Any, str]
"""What an action prints: a value for `--json`, and text for people."""
Action = Callable[[Store, argparse.Namespace], Result]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `training models`."""
    parser.add_argument("action", choices=list(ACTIONS), help="what to do")
    parser.add_argument(
        "versions", nargs="*", metavar="VERSION",
        help="a version, or so much of its name as no other shares; show, export and sign take the one that serves if "
        "none is given; diff takes two or more, or compares one with the one that serves",
    )  # fmt: skip
    parser.add_argument("--models", required=True, help="the folder, or address, of published models")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.add_argument(
        "--force", action="store_true", help="for promote, candidate, rollback: also a version that the gate held back"
    )
    parser.add_argument("--why", default="", metavar="TEXT", help="for these three: the reason, for the log of labels")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for export: the folder to write tables into")
    parser.add_argument("--key", type=Path, metavar="FILE", help="for sign: the ed25519 private key in PEM")
    add_keeping(parser)
    add_guard_arguments(parser)
    add_member_key(parser)


def add_keeping(parser: argparse.ArgumentParser) -> None:
    """Add the options that determine which old versions are kept."""
    parser.add_argument(
        "--keep", type=int, default=10, metavar="NUMBER", help="keep at least so many versions (default 10)"
    )
    parser.add_argument(
        "--keep-days", type=float, default=30.0, metavar="DAYS", help="keep all that are younger than this (default 30)"
    )


def run(arguments: argparse.Namespace) -> ExitCode:
    """Run the action and print its result.

    Raises UsageError if a version doesn't exist, HeldBack if the gate held it back, and ArtifactError or WorkFailed if
    it can't be loaded.
    """
    if not is_address(arguments.models):
        refuse_no_folder("--models", Path(arguments.models))
    value, shown = ACTIONS[arguments.action](open_store(arguments.models), arguments)
    if arguments.json:
        print(json.dumps(value, indent=1, sort_keys=True))
    elif shown:
        print(shown)
    return ExitCode.DONE


def _list(store: Store, arguments: argparse.Namespace) -> Result:
    """Describe every version, damaged ones included."""
    _at_most(arguments, 0)
    rows = described(store, lambda version: _verdict(store, version))
    for warning in store.damaged_labels():
        print(warning, file=sys.stderr)
    return rows, table_text(rows)


def _log(store: Store, arguments: argparse.Namespace) -> Result:
    """Return every move of a label, oldest first."""
    _at_most(arguments, 0)
    moves = store.moves()
    lines = [
        f"{move.reason.at or 'unknown':25}  {move.label:9}  {move.before or 'none':12} -> {move.after or 'none':12}  "
        f"{move.reason.by}{f': {move.reason.why}' if move.reason.why else ''}"
        for move in moves
    ]
    return [move.to_dict() for move in moves], "\n".join(lines)


def _show(store: Store, arguments: argparse.Namespace) -> Result:
    """Describe a version's provenance, labels, records, report and gate decision. Raises WorkFailed if it's damaged."""
    version = _chosen(store, _single(arguments))
    folder = _sound(store, version, "is damaged")
    manifest, made = read_manifest(folder), read_run(folder)
    labels, records = labels_by_version(store).get(version, []), store.records(version)
    note = note_of(store, version)
    value = {
        "version": version, "labels": labels, "note": note, "run": asdict(made), "manifest": manifest.to_dict(),
        "records": records, "gate": _of_gate(store, version, lambda record: record),
    }  # fmt: skip
    lines = [
        f"version {version}, trained at {made.trained_at}, seed {manifest.seed}",
        *([f"note {note}"] if note else []),
        f"labels {', '.join(labels) or 'none'}",
        f"data {manifest.data_fingerprint}",
        ", ".join(f"{name} {count:,}" for name, count in manifest.data.items()),
        ", ".join(f"{name} {number}" for name, number in manifest.libraries.items()),
        f"code {made.commit or 'unknown'}, made while {made.parent or 'no version'} served",
        f"records {', '.join(records) or 'none'}",
        read_plain(folder / "report.md", "report.md", RECORD_BYTES).decode("utf-8", errors="replace"),
        *map(section_markdown, _of_gate(store, version, gate_report.sections) or []),
    ]
    return value, "\n".join(lines)


def _diff(store: Store, arguments: argparse.Namespace) -> Result:
    """Compare versions: the first with each of the others."""
    if not arguments.versions:
        raise UsageError("diff needs a version")
    versions = [_chosen(store, version) for version in arguments.versions]
    if len(versions) == 1:
        versions.append(_chosen(store, None))
    models = [_loaded(store, version) for version in versions]
    if len(models) == 2:
        changes = diff(store, *models)
        return changes, text(changes)
    changes = diff_of_many(store, models)
    return changes, text_of_many(changes)


def _export(store: Store, arguments: argparse.Namespace) -> Result:
    """Write a version's movies and their factors as Parquet tables."""
    if arguments.out is None:
        raise UsageError("export needs --out, a folder to write tables into")
    refuse_unwritable("--out", arguments.out)
    version = _chosen(store, _single(arguments))
    rows = export(_loaded(store, version), arguments.out)
    shown = ", ".join(f"{name} ({count:,} rows)" for name, count in rows.items())
    return {"version": version, "rows": rows}, f"{arguments.out} holds {shown} of version {version}"


def _promote(store: Store, arguments: argparse.Namespace) -> Result:
    """Make a version the current one."""
    version, reasons = _allowed(store, arguments)
    store.promote(version, _reason(arguments))
    return _moved(version, "serves", reasons)


def _offer(store: Store, arguments: argparse.Namespace) -> Result:
    """Make a version the candidate."""
    version, reasons = _allowed(store, arguments)
    store.set_label(CANDIDATE, version, _reason(arguments))
    return _moved(version, "is the candidate", reasons)


def _roll_back(store: Store, arguments: argparse.Namespace) -> Result:
    """Make a version current; if none is given, withdraw the candidate or, without one, restore the previous one."""
    if _single(arguments) is not None:
        return _promote(store, arguments)
    labels = store.labels()
    if CANDIDATE not in labels:
        return _moved(store.roll_back(_reason(arguments)), "serves", [])
    store.remove_label(CANDIDATE, _reason(arguments))
    shown = f"is no longer the candidate; version {labels.get(CURRENT)} serves on"
    return _moved(labels[CANDIDATE], shown, [])


def _guard(store: Store, arguments: argparse.Namespace) -> Result:
    """Go back to the version before if the current one is worse."""
    _at_most(arguments, 0)
    return run_guard(store, arguments, member_key(arguments), moved_by)


def _prune(store: Store, arguments: argparse.Namespace) -> Result:
    """Remove old versions."""
    _at_most(arguments, 0)
    removed = store.prune(arguments.keep, arguments.keep_days, time.time())
    return {"removed": removed}, "\n".join(f"version {version} is removed" for version in removed)


def _sign(store: Store, arguments: argparse.Namespace) -> Result:
    """Sign a version."""
    version = _chosen(store, _single(arguments))
    if arguments.key is None:
        raise UsageError("sign needs --key, a file with an ed25519 private key in PEM")
    signer(arguments.key)(store, version)
    return {"version": version, "signed": True}, f"version {version} is signed"


ACTIONS: dict[str, Action] = {
    "list": _list, "show": _show, "log": _log, "diff": _diff, "export": _export, "promote": _promote,
    "candidate": _offer, "rollback": _roll_back, "guard": _guard, "prune": _prune, "sign": _sign,
}  # fmt: skip


def signer(path: Path) -> Callable[[Store, str], None]:
    """Return a function that signs a version with the private key in a file.

    Raises UsageError if the file can't be read, WrongKey if it isn't an ed25519 private key in PEM.
    """
    try:
        key = private_key(path.read_bytes())
    except OSError as error:
        raise UsageError(f"the key can't be read: {type(error).__name__}") from error
    return lambda store, version: sign(store, version, key)


def take_note(store: Store, version: str, note: str) -> None:
    """Keep a note about a version, which `list` and `show` print; an empty note changes nothing."""
    if note:
        store.write_record(version, NOTE, note.encode())


def _allowed(store: Store, arguments: argparse.Namespace) -> tuple[str, list[str]]:
    """Return the version that may get a label, and the reasons of the gate that --force overrules.

    Raises WorkFailed if the version can't be loaded, and HeldBack if the gate held it back and --force isn't given.
    """
    version = _single(arguments)
    if version is None:
        raise UsageError(f"{arguments.action} needs a version")
    version = _chosen(store, version)
    _loaded(store, version, "can't serve")
    reasons = _of_gate(store, version, gate_report.reasons) or []
    if reasons and not arguments.force and _verdict(store, version) == "held back":
        lines = "\n".join(f"  {reason}" for reason in reasons)
        raise HeldBack(f"version {version} was held back by the gate; --force overrules this:\n{lines}")
    return version, reasons


def _moved(version: str, role: str, reasons: Sequence[str]) -> Result:
    """Return what to print of a moved label, with the gate's reasons that were overruled."""
    shown = "\n".join([f"version {version} {role}", *(f"overruled: {reason}" for reason in reasons)])
    return {"version": version, "role": role, "overruled": list(reasons)}, shown


def _reason(arguments: argparse.Namespace) -> Reason:
    parts = [f"models {arguments.action}{' --force' if arguments.force else ''}", arguments.why]
    return moved_by(": ".join(filter(None, parts)))


def _verdict(store: Store, version: str) -> str:
    """Return the gate's verdict on a version in a word or two; empty if there is no record of it."""
    return _of_gate(store, version, gate_report.verdict) or ""


def _of_gate(store: Store, version: str, describe: Callable[[Any], Part]) -> Part | None:
    """Return a description of the gate's decision; None if there is no record of it.

    Raises StoreError if the record is damaged.
    """
    record = store.read_record(version, RECORD)
    try:
        return None if record is None else describe(json.loads(record))
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        text = f"the record {RECORD} of version {version} is damaged ({type(error).__name__}): mend or remove it"
        raise StoreError(text) from error


def _at_most(arguments: argparse.Namespace, count: int) -> None:
    if len(arguments.versions) > count:
        raise UsageError(f"{arguments.action} takes {'one version' if count else 'no version'}")


def _single(arguments: argparse.Namespace) -> str | None:
    """Return the only version that is given, None if there is none. Raises UsageError if there are more."""
    _at_most(arguments, 1)
    return next(iter(arguments.versions), None)


def _chosen(store: Store, version: str | None) -> str:
    """Return the only version that begins with `version`, or the current version if it is None.

    Raises UsageError if there is no such version, or more than one.
    """
    if version is None:
        version = store.current()
    if not version:
        raise UsageError("there is no such version" if version is None else "a version needs a name")
    matches = [name for name in store.versions() if name.startswith(version)]
    if len(matches) > 1:
        raise UsageError(f"{version} is the beginning of several versions: {listed(matches)}")
    if not matches:
        raise UsageError(f"there is no version {version}")
    return matches[0]


def _sound(store: Store, version: str, problem: str) -> Path:
    """Return the folder of a version whose every file is as it was written; raises WorkFailed for any other."""
    with _naming(version, problem):
        folder = store.fetch(version)
        check_version(folder)
    return folder


def _loaded(store: Store, version: str, problem: str = "can't be loaded") -> Model:
    """Return the model of a version. Raises WorkFailed, which names the problem and the remedy, if it is damaged."""
    with _naming(version, problem):
        return load_model(store.fetch(version), key=None)


@contextmanager
def _naming(version: str, problem: str) -> Iterator[None]:
    """Let an ArtifactError in the `with` block end the command with the version, the problem and the remedy."""
    try:
        yield
    except ArtifactError as error:
        remedy = REMEDIES.get(error.reason, ANOTHER)
        failure = WorkFailed(f"version {version} {problem}: {error}; {remedy}")
        failure.exit_code = error.exit_code
        raise failure from error
