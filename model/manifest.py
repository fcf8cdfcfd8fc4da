"""What a published model says of itself."""

from dataclasses import asdict, dataclass
from typing import Any

FORMAT = 1
"""Number of the artifact's format; a service reads only its own."""


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
    """Counts of members, raters, movies, ratings and plays."""
    libraries: dict[str, str]
    """Versions of what the model was computed with."""
    scores: dict[str, dict[str, float]]
    """Scores on held-out members for each kind of evidence, by its lower-case name."""
    files: dict[str, dict[str, Any]]
    """Size and sha256 of every other file of the version, by its path."""

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
