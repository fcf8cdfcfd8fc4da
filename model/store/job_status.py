"""What jobs last did, as small files of the store that the service reports as metrics: the retrain and the guard."""

from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from model.errors import StoreError
from model.store.store import Store

Verdict = Literal["serves", "candidate", "held_back"]
"""What became of a new version: it serves, it is the candidate, or the gate held it back."""


class JobStatus(BaseModel):
    """What a job last did; each job has a file of its own in the store."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


class RetrainStatus(JobStatus):
    """The last retrain that published a version."""

    finished_at: float
    """Time when it ended, in seconds since 1970 UTC."""
    seconds: float
    """Duration in seconds."""
    version: str
    """The version that it published."""
    verdict: Verdict
    """What became of the version."""
    gain_percent: float
    """Percentage by which the version's RMSE is below that of the movie mean, with the most evidence."""


class GuardStatus(JobStatus):
    """What the guard last saw of the current version and of the one before, on the same outcomes."""

    checked_at: float
    """Time when the guard last looked, in seconds since 1970 UTC."""
    version: str | None = None
    """The version that was current and was compared; None if there was nothing to compare."""
    members: int = 0
    """Number of members whose ratings were compared."""
    outcomes: int = 0
    """Number of their ratings."""
    e_value: float = 1.0
    """Evidence that the current version is worse, at its highest; the guard goes back at 1 / alpha."""
    squared_error: float | None = None
    """Mean squared error of the current version, in squared rating points; None without ratings."""
    squared_error_before: float | None = None
    """Mean squared error of the version before, on the same ratings."""
    coverage: float | None = None
    """Share of the ratings within the 90 % intervals of the current version."""
    coverage_before: float | None = None
    """Share of the ratings within the 90 % intervals of the version before."""
    went_back_at: float | None = None
    """Time when the guard last went back to the version before, in seconds since 1970 UTC; None if it never did."""


FILES: dict[type[JobStatus], str] = {RetrainStatus: "retrain.json", GuardStatus: "guard.json"}
"""Name of the file of each job."""
Status = TypeVar("Status", bound=JobStatus)


def write_status(store: Store, status: JobStatus) -> None:
    """Replace what the store says of a job."""
    store.write_status(FILES[type(status)], status.model_dump_json(indent=1).encode() + b"\n")


def read_status(store: Store, kind: type[Status]) -> Status | None:
    """Return what the store says of a job; None if it never ran. Raises StoreError if the file can't be read."""
    content = store.read_status(FILES[kind])
    try:
        return None if content is None else kind.model_validate_json(content)
    except ValidationError as error:
        raise StoreError(f"the status {FILES[kind]} is damaged: remove it") from error
