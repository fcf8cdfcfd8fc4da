"""`training models`: list, show, promote and roll back published versions."""

import argparse
import json
import sys
from pathlib import Path

from model.artifact import RUN, ArtifactError, load_model, read_manifest
from model.store import Store, StoreError

FAILED, REFUSED = 1, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `training models`."""
    parser.add_argument("action", choices=["list", "show", "promote", "rollback"], help="what to do")
    parser.add_argument("version", nargs="?", help="a version; show takes the one that serves if none is given")
    parser.add_argument("--models", type=Path, required=True, help="the folder of published models")


def run(arguments: argparse.Namespace) -> int:
    """Do the action; 2 for a version that isn't there, 1 for one that can't be loaded."""
    store = Store(arguments.models)
    try:
        current = store.current()
        if arguments.action == "list":
            return _list(store, current)
        version = arguments.version or (_before(store, current) if arguments.action == "rollback" else current)
        if arguments.action == "promote" and not arguments.version:
            raise StoreError("promote needs a version")
        if version is None or version not in store.versions():
            raise StoreError(f"there is no version {version}" if version else "there is no such version")
        if arguments.action == "show":
            return _show(store, version)
        load_model(store.folder(version))
        store.promote(version)
        print(f"version {version} serves")
    except StoreError as error:
        print(error, file=sys.stderr)
        return REFUSED
    except ArtifactError as error:
        print(error, file=sys.stderr)
        return FAILED
    return 0


def _list(store: Store, current: str | None) -> int:
    for version in sorted(store.versions(), key=lambda version: _trained_at(store, version)):
        mark = "serves" if version == current else ""
        print(f"{version}  {_trained_at(store, version)}  {mark}".rstrip())
    return 0


def _show(store: Store, version: str) -> int:
    manifest = read_manifest(store.folder(version))
    print(f"version {version}, trained at {_trained_at(store, version)}, seed {manifest.seed}")
    print(f"data {manifest.data_fingerprint}")
    print(", ".join(f"{name} {count:,}" for name, count in manifest.data.items()))
    print(", ".join(f"{name} {number}" for name, number in manifest.libraries.items()))
    print((store.folder(version) / "report.md").read_text(encoding="utf-8"))
    return 0


def _before(store: Store, current: str | None) -> str | None:
    """The version trained before the one that serves."""
    order = sorted(store.versions(), key=lambda version: _trained_at(store, version))
    place = order.index(current) if current in order else 0
    return order[place - 1] if place > 0 else None


def _trained_at(store: Store, version: str) -> str:
    try:
        return str(json.loads((store.folder(version) / RUN).read_text(encoding="utf-8"))["trained_at"])
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(f"{RUN} of version {version} can't be read: {type(error).__name__}") from error
