"""Outcomes, the ratings and completions that callers report after a prediction, as lines of JSON.

The service writes them, and the next training run reads them.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

from model.errors import BadOutcome

PATTERN = "*.jsonl"
"""File name pattern of the logs of reported ratings and completions in a folder."""


@dataclass(frozen=True)
class Outcome:
    """What a caller reports after a prediction: the member's rating of the movie, or how much of it was watched."""

    request_id: str
    """Id of the report; if several have the same id, only the first one received counts."""
    member_id: str
    movie_id: str
    rating: float | None
    """Rating on the scale of the model being served; None if not given."""
    completion: float | None
    """Share of the movie that was watched, 0 to 1; None if unknown."""
    happened_at: float
    """Time of the rating or of watching, in seconds since 1970 UTC."""
    received_at: float
    """Time when the service received the report, in seconds since 1970 UTC, by the clock of the service."""


def to_line(outcome: Outcome) -> bytes:
    """Return an outcome (a reported rating or completion) as one line of JSON.

    A truncated line is never valid JSON, so readers can detect it.
    """
    entry = {name: value for name, value in vars(outcome).items() if value is not None}
    return json.dumps(entry, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def from_line(line: bytes) -> Outcome:
    """Parse an outcome (a reported rating or completion) from a line of JSON.

    Raises BadOutcome if the line isn't valid.
    """
    try:
        entry = json.loads(line)
    except ValueError:
        raise BadOutcome("it is no JSON") from None
    if not isinstance(entry, dict) or not set(entry) <= set(Outcome.__dataclass_fields__):
        raise BadOutcome("it doesn't hold the fields of an outcome")
    texts = [entry.get(name) for name in ("request_id", "member_id", "movie_id")]
    if not all(isinstance(text, str) and text for text in texts):
        raise BadOutcome("an id is missing")
    numbers = {name: entry.get(name) for name in ("rating", "completion", "happened_at", "received_at")}
    if not all(value is None or _is_number(value) for value in numbers.values()):
        raise BadOutcome("a number isn't one")
    if numbers["happened_at"] is None or numbers["received_at"] is None:
        raise BadOutcome("a time is missing")
    if numbers["completion"] is not None and not 0 <= numbers["completion"] <= 1:
        raise BadOutcome("the completion isn't 0 to 1")
    return Outcome(*texts, **numbers)  # type: ignore[arg-type] # types were checked above


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
