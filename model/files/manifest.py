"""The manifest of a version (one published model), which lists its data, scores and files; and when it was trained."""

import json
import math
import re
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from model.errors import ArtifactError
from model.files.plain_files import MANIFEST, RUN, SMALL_BYTES, check_complete, read_plain, version_of

FORMAT = 4
"""Number of the format of the files of new versions."""
READABLE = (3, FORMAT)
"""Formats that can be read; versions with another format are refused. Those of format 3 take ratings as plays."""
MANIFEST_BYTES = 16 << 20
"""Maximum size of a version's manifest in bytes; larger ones are refused."""

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Earliest and latest valid time of training. Some systems can't represent other times in seconds."""


@dataclass(frozen=True)
class Manifest:
    """What manifest.json says of a version (one published model): always the same for the same data and seed."""

    format: int
    """FORMAT of the program that wrote the version."""
    seed: int
    """Seed of all random numbers."""
    data_fingerprint: str
    """sha256 of the tables of the data directory, in a form that doesn't depend on their files."""
    data: dict[str, int]
    """Numbers of members, and of raters, movies, ratings and plays trained on. `published_members`, and
    `published_raters` among them, are absent in older versions, which publish everybody. With `--reweight`,
    `effective_raters` is the effective sample size of the weighted raters."""
    libraries: dict[str, str]
    """Versions of the libraries used in training, by name."""
    scores: dict[str, dict[str, float]]
    """Scores on members that the model was not fitted on, by what is known of them, such as `plays`, and by name of the
    score."""
    files: dict[str, dict[str, Any]]
    """Size and sha256 of every file of the version except manifest.json and run.json, by path."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Settings of the fit, by their names in a settings file."""
    member_key: str = ""
    """Fingerprint of the key that ids of published members are hashed with; empty for plain hashes."""

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest as a dictionary that can be written as JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Run:
    """What run.json says of a training run; it isn't in the manifest since it differs from run to run."""

    trained_at: str
    """Time when the run ended, in ISO 8601, UTC."""
    seconds: float
    """Duration of the run in seconds."""
    commit: str = ""
    """Git commit of the training code, followed by + if there were uncommitted changes; empty if unknown."""
    parent: str = ""
    """The version that served at the time of the run; empty if there was none."""


def manifest_from(content: bytes) -> Manifest:
    """Parse a version's manifest from JSON. Raises ArtifactError if it is invalid or has another format."""
    try:
        given = json.loads(content)
        if given["format"] not in READABLE:
            readable = " and ".join(map(str, READABLE))
            message = f"{MANIFEST} has format {given['format']!r:.20}, this program reads formats {readable}"
            raise ArtifactError(message, "format")
        manifest = Manifest(**{field.name: given[field.name] for field in fields(Manifest) if field.name in given})
        sound = all(
            isinstance(listed["size"], int) and listed["size"] >= 0 and isinstance(listed["sha256"], str)
            for listed in manifest.files.values()
        )
        sound = sound and isinstance(manifest.member_key, str)
    except ArtifactError:
        raise
    except Exception as error:
        raise ArtifactError(f"{MANIFEST} can't be read as a model's: {type(error).__name__}", "damaged") from error
    if not sound:
        raise ArtifactError(f"{MANIFEST} lacks valid sizes and hashes of files", "damaged")
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a version, without checking other files. Raises ArtifactError if it can't be read."""
    return manifest_from(read_plain(folder / MANIFEST, MANIFEST, MANIFEST_BYTES))


def read_run(folder: Path) -> Run:
    """Return what a version's run.json says of its training. Raises ArtifactError if the file is invalid."""
    content = read_plain(folder / RUN, RUN, SMALL_BYTES)
    try:
        given = json.loads(content)
        run = Run(given["trained_at"], float(given["seconds"]), given.get("commit", ""), given.get("parent", ""))
        trained = datetime.fromisoformat(run.trained_at)
        sound = trained.tzinfo is not None and EARLIEST <= trained <= LATEST and 0 <= run.seconds < math.inf
        sound = sound and all(re.fullmatch(r"[0-9a-f]{0,64}\+?", name) for name in (run.commit, run.parent))
    except Exception as error:
        raise ArtifactError(f"{RUN} can't be read as a model's: {type(error).__name__}", "damaged") from error
    if not sound:
        raise ArtifactError(f"{RUN} has an invalid time, duration, commit or parent", "damaged")
    return run


def named_manifest(folder: Path) -> tuple[bytes, Manifest]:
    """Return the manifest of the version in a folder, as bytes and parsed, if the folder has the version's name.

    Raises ArtifactError if the manifest can't be read, or if the folder isn't named after its hash.
    """
    content = read_plain(folder / MANIFEST, MANIFEST, MANIFEST_BYTES)
    manifest = manifest_from(content)
    if version_of(content) != folder.name:
        raise ArtifactError(f"{MANIFEST} isn't that of the version that its folder is named for", "damaged")
    return content, manifest


def check_version(folder: Path) -> None:
    """Raise ArtifactError unless a version's folder has the right name and exactly the files in its manifest.

    All files are compared with their hashes.
    """
    _, manifest = named_manifest(folder)
    check_complete(folder, manifest.files)
