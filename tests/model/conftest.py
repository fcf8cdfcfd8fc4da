"""Versions without a model in them, for what doesn't look inside."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from model.files.manifest import FORMAT
from model.files.plain_files import version_of
from model.store.store import Store

WriteVersion = Callable[[Store, str], str]


def write_files(folder: Path, content: str) -> str:
    """Fill a folder with one file and its manifest; the version that it is."""
    (folder / "file").write_text(content)
    (folder / "run.json").write_text('{"trained_at": "2024-01-01T00:00:00+00:00", "seconds": 1.0}')
    listed = {"file": {"size": len(content), "sha256": hashlib.sha256(content.encode()).hexdigest()}}
    manifest = json.dumps(
        {"format": FORMAT, "seed": 0, "data_fingerprint": "", "data": {}, "libraries": {}, "scores": {}}
        | {"files": listed}
    ).encode()
    (folder / "manifest.json").write_bytes(manifest)
    return version_of(manifest)


@pytest.fixture
def write_version() -> WriteVersion:
    """Publishes a version of one file with that content; its name."""

    def write(store: Store, content: str) -> str:
        with store.workspace() as beside:
            folder = beside / "new"
            folder.mkdir()
            version = write_files(folder, content)
            store.publish(folder, version)
        return version

    return write
