"""What members thought of movies in the end, as lines of JSON: written by the service, read by the next training."""

import json
import math
from dataclasses import dataclass
from typing import Any

from model.errors import BadOutcome

PATTERN = "*.jsonl"
"""Names of the files in a folder of outcomes."""


@dataclass(frozen=True)
class Outcome:
    """What one member thought of one movie."""

    request_id: str
    """Names it: of two outcomes of one name the one that was received first counts."""
    member_id: str
    movie_id: str
    rating: float | None
    """On the scale of the model that served; None where none was given."""
    completion: float | None
    """Share of the movie that was watched, 0 to 1; None where it isn't known."""
    happened_at: float
    """Seconds since 1970 UTC."""
    received_at: float
    """Seconds since 1970 UTC, by the clock of the service."""


def to_line(outcome: Outcome) -> bytes:
    """One line of JSON. A line that was cut off is no JSON, whatever its length."""
    told = {name: value for name, value in vars(outcome).items() if value is not None}
    return json.dumps(told, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def from_line(line: bytes) -> Outcome:
    """The outcome that `to_line` wrote; raises BadOutcome."""
    try:
        told = json.loads(line)
    except ValueError:
        raise BadOutcome("it is no JSON") from None
    if not isinstance(told, dict) or not set(told) <= set(Outcome.__dataclass_fields__):
        raise BadOutcome("it doesn't hold the fields of an outcome")
    texts = [told.get(name) for name in ("request_id", "member_id", "movie_id")]
    if not all(isinstance(text, str) and text for text in texts):
        raise BadOutcome("an id is missing")
    numbers = {name: told.get(name) for name in ("rating", "completion", "happened_at", "received_at")}
    if not all(value is None or _is_number(value) for value in numbers.values()):
        raise BadOutcome("a number isn't one")
    if numbers["happened_at"] is None or numbers["received_at"] is None:
        raise BadOutcome("a time is missing")
    if numbers["completion"] is not None and not 0 <= numbers["completion"] <= 1:
        raise BadOutcome("the completion isn't 0 to 1")
    return Outcome(*texts, **numbers)  # type: ignore[arg-type] # just looked at


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
