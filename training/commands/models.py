"""`training models`: list, show, compare, sign and remove published versions, and choose the current version."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from model.artifact.artifact import load_model
from model.errors import ArtifactError, StoreError
from model.exit_codes import ExitCode
from model.files.manifest import read_manifest, read_run
from model.files.plain_files import read_plain
from model.prediction.model import Model
from model.store.open import is_address, open_store
from model.store.signature import private_key, sign
from model.store.store import CANDIDATE, CURRENT, RECORD_BYTES, Store
from training.data.files.table_files import refuse_no_folder
from training.errors import UsageError
from training.gate import gate_report
from training.gate.gate import RECORD
from training.report.markdown import section_markdown
from training.versions.compare import diff, text
from training.versions.guard.guard_command import run_guard
from training.versions.guard.guard_settings import add_guard_arguments

Part = TypeVar("Part")
ACTIONS = ("list", "show", "diff", "promote", "candidate", "rollback", "prune", "sign", "guard")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `training models`."""
    parser.add_argument("action", choices=ACTIONS, help="what to do")
    parser.add_argument("version", nargs="?", help="a version; show and sign take the one that serves if none is given")
    parser.add_argument(
        "other", nargs="?", help="for diff: what to compare it with; the one that serves if none is given"
    )
    parser.add_argument("--models", required=True, help="the folder, or address, of published models")
    parser.add_argument("--key", type=Path, metavar="FILE", help="for sign: the ed25519 private key in PEM")
    parser.add_argument("--json", action="store_true", help="for diff: tell it for programs")
    add_keeping(parser)
    add_guard_arguments(parser)


def add_keeping(parser: argparse.ArgumentParser) -> None:
    """Add the options that determine which old versions are kept."""
    parser.add_argument(
        "--keep", type=int, default=10, metavar="NUMBER", help="keep at least so many versions (default 10)"
    )
    parser.add_argument(
        "--keep-days", type=float, default=30.0, metavar="DAYS", help="keep all that are younger than this (default 30)"
    )


def run(arguments: argparse.Namespace) -> ExitCode:
    """Run the action. Raises UsageError if a version doesn't exist, ArtifactError if a version can't be loaded."""
    if not is_address(arguments.models):
        refuse_no_folder("--models", Path(arguments.models))
    store, version = open_store(arguments.models), arguments.version
    match arguments.action:
        case "list":
            _list(store)
        case "show":
            _show(store, _chosen(store, version))
        case "diff":
            _diff(store, _named(version, "diff"), arguments.other, as_json=arguments.json)
        case "promote":
            _promote(store, _named(version, "promote"))
        case "candidate":
            _offer(store, _named(version, "candidate"))
        case "rollback":
            _roll_back(store, version)
        case "sign":
            _sign(store, _chosen(store, version), arguments.key)
        case "guard":
            return run_guard(store, arguments)
        case "prune":
            for removed in store.prune(arguments.keep, arguments.keep_days, time.time()):
                print(f"version {removed} is removed")
    return ExitCode.DONE


def _diff(store: Store, first: str, second: str | None, *, as_json: bool) -> None:
    changes = diff(store, _load(store, first), _load(store, second))
    print(json.dumps(changes, indent=1, sort_keys=True) if as_json else text(changes))


def _promote(store: Store, version: str) -> None:
    _load(store, version)
    reasons = _of_gate(store, version, gate_report.reasons)
    store.promote(version)
    print(f"version {version} serves")
    _print_overruled(reasons)


def _offer(store: Store, version: str) -> None:
    _load(store, version)
    reasons = _of_gate(store, version, gate_report.reasons)
    store.set_label(CANDIDATE, version)
    print(f"version {version} is the candidate")
    _print_overruled(reasons)


def _print_overruled(reasons: Iterable[str]) -> None:
    """Print the reasons, if any, for which the gate held a version back."""
    for reason in reasons:
        print(f"overruled: {reason}")


def _roll_back(store: Store, version: str | None) -> None:
    """Make `version` current. If it is None, withdraw the candidate or, without one, restore the previous version."""
    labels = store.labels()
    if version is not None:
        _promote(store, version)
    elif CANDIDATE in labels:
        store.remove_label(CANDIDATE)
        print(f"version {labels[CANDIDATE]} is no longer the candidate; version {labels.get(CURRENT)} serves on")
    else:
        print(f"version {store.roll_back()} serves")


def _list(store: Store) -> None:
    """Print a line for each version, including damaged versions."""
    names: dict[str, list[str]] = {}
    for label, version in store.labels().items():
        names.setdefault(version, []).append("serves" if label == CURRENT else label)
    for version in sorted(store.versions(), key=lambda version: (_trained_at(store, version), version)):
        print(f"{version}  {_trained_at(store, version):25}  {', '.join(names.get(version, []))}".rstrip())
    for warning in store.damaged_labels():
        print(warning, file=sys.stderr)


def _show(store: Store, version: str) -> None:
    """Print a version's provenance, labels, records, report and gate decision."""
    folder = store.fetch(version)
    manifest = read_manifest(folder)
    labels = [label for label, named in store.labels().items() if named == version]
    print(f"version {version}, trained at {_trained_at(store, version)}, seed {manifest.seed}")
    print(f"labels {', '.join(labels) or 'none'}")
    print(f"data {manifest.data_fingerprint}")
    print(", ".join(f"{name} {count:,}" for name, count in manifest.data.items()))
    print(", ".join(f"{name} {number}" for name, number in manifest.libraries.items()))
    with suppress(ArtifactError):
        made = read_run(folder)
        print(f"code {made.commit or 'unknown'}, made while {made.parent or 'no version'} served")
    print(f"records {', '.join(store.records(version)) or 'none'}")
    print(read_plain(folder / "report.md", "report.md", RECORD_BYTES).decode("utf-8", errors="replace"))
    if sections := _of_gate(store, version, gate_report.sections):
        print(*map(section_markdown, sections), sep="\n\n")


def _of_gate(store: Store, version: str, describe: Callable[[Any], list[Part]]) -> list[Part]:
    """Return the parts of a description of the gate's decision; none if there is no record of it.

    Raises StoreError if the record is damaged.
    """
    record = store.read_record(version, RECORD)
    try:
        return [] if record is None else describe(json.loads(record))
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        text = f"the record {RECORD} of version {version} is damaged ({type(error).__name__}): mend or remove it"
        raise StoreError(text) from error


def signer(path: Path) -> Callable[[Store, str], None]:
    """Return a function that signs a version with the private key in a file.

    Raises UsageError if the file can't be read, WrongKey if it isn't an ed25519 private key in PEM.
    """
    try:
        key = private_key(path.read_bytes())
    except OSError as error:
        raise UsageError(f"the key can't be read: {type(error).__name__}") from error
    return lambda store, version: sign(store, version, key)


def _sign(store: Store, version: str, path: Path | None) -> None:
    if path is None:
        raise UsageError("sign needs --key, a file with an ed25519 private key in PEM")
    signer(path)(store, version)
    print(f"version {version} is signed")


def _named(version: str | None, action: str) -> str:
    if not version:
        raise UsageError(f"{action} needs a version")
    return version


def _chosen(store: Store, version: str | None) -> str:
    """Return `version`, or the current version if it is None. Raises UsageError if it isn't in the store."""
    version = version or store.current()
    if version is None or version not in store.versions():
        raise UsageError(f"there is no version {version}" if version else "there is no such version")
    return version


def _load(store: Store, version: str | None) -> Model:
    return load_model(store.fetch(_chosen(store, version)))


def _trained_at(store: Store, version: str) -> str:
    """Return when a version was trained, or `unknown` if this can't be read."""
    try:
        return read_run(store.fetch(version)).trained_at
    except ArtifactError:
        return "unknown"
