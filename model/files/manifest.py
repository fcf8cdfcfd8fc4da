"""What a published model says of itself."""

import json
import math
import re
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from model.errors import ArtifactError
from model.files.plain_files import MANIFEST, RUN, SMALL_BYTES, check_complete, read_plain, version_of

FORMAT = 3
"""Number of the artifact's format; a service reads only its own."""
MANIFEST_BYTES = 16 << 20
"""A larger manifest is none."""

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""A time of training beyond these is none, and no number of seconds that every system can tell."""


@dataclass(frozen=True)
class Manifest:
    """The part of a version that the same data and seed always make the same."""

    format: int
    """FORMAT of the job that wrote it."""
    seed: int
    """Seed of all random numbers."""
    data_fingerprint: str
    """sha256 over the canonical tables."""
    data: dict[str, int]
    """Counts of members, raters, movies, ratings and plays; with `--reweight` also `effective_raters`, the effective
    sample size of the weighted raters."""
    libraries: dict[str, str]
    """Versions of what the model was computed with."""
    scores: dict[str, dict[str, float]]
    """Scores on held-out members for each kind of evidence, by its lower-case name."""
    files: dict[str, dict[str, Any]]
    """Size and sha256 of every other file of the version, by its path."""
    settings: dict[str, Any] = field(default_factory=dict)
    """What the fit was made with, by the place that a settings file has for it."""

    def to_dict(self) -> dict[str, Any]:
        """The manifest as JSON can hold it."""
        return asdict(self)


@dataclass(frozen=True)
class Run:
    """The part that differs from run to run, outside the hashes."""

    trained_at: str
    """When the job ended: ISO 8601, UTC."""
    seconds: float
    """How long it took."""
    commit: str = ""
    """The git commit of the code that made it, with a + where that was changed since; empty where it can't be told."""
    parent: str = ""
    """The version that served when it was made; empty where none did."""


def manifest_from(content: bytes) -> Manifest:
    """The manifest that these bytes are; raises ArtifactError."""
    try:
        given = json.loads(content)
        if given["format"] != FORMAT:
            told = f"{MANIFEST} has format {given['format']!r:.20}, this program reads format {FORMAT}"
            raise ArtifactError(told, "format")
        manifest = Manifest(**{one.name: given[one.name] for one in fields(Manifest) if one.name in given})
        sound = all(
            isinstance(one["size"], int) and one["size"] >= 0 and isinstance(one["sha256"], str)
            for one in manifest.files.values()
        )
    except ArtifactError:
        raise
    except Exception as error:
        raise ArtifactError(f"{MANIFEST} can't be read as a model's: {type(error).__name__}", "damaged") from error
    if not sound:
        raise ArtifactError(f"{MANIFEST} doesn't tell sizes and hashes", "damaged")
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest alone; raises ArtifactError where it can't be read."""
    return manifest_from(read_plain(folder / MANIFEST, MANIFEST, MANIFEST_BYTES))


def read_run(folder: Path) -> Run:
    """When a version was made; raises ArtifactError for anything but a time of this era and a duration."""
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
        raise ArtifactError(f"{RUN} doesn't tell when the model was trained", "damaged")
    return run


def named_manifest(folder: Path) -> tuple[bytes, Manifest]:
    """The manifest with its bytes; raises ArtifactError unless the folder is named for it."""
    content = read_plain(folder / MANIFEST, MANIFEST, MANIFEST_BYTES)
    manifest = manifest_from(content)
    if version_of(content) != folder.name:
        raise ArtifactError(f"{MANIFEST} isn't that of the version that its folder is named for", "damaged")
    return content, manifest


def check_version(folder: Path) -> None:
    """Raises ArtifactError unless a version's folder is whole: the manifest's own, and every file as it was written."""
    _, manifest = named_manifest(folder)
    check_complete(folder, manifest.files)
