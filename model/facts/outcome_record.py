"""Outcomes, the ratings and completions that callers report after a prediction, as lines of JSON.

The service writes them, and the next training run reads them.
"""

import json
from dataclasses import dataclass

from features.values.ids import is_id
from features.values.numbers import number_of
from features.values.times import is_time
from model.errors import BadOutcome

PATTERN = "*.jsonl"
"""File name pattern of the logs of reported ratings and completions in a folder."""
KNOWN_REQUESTS = "known-1.bin"
"""Name of the file beside the logs in which the service keeps the ids of recent requests."""


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
    caller: str | None = None
    """Name of the token with which the report was sent, as in the token file; None if the service wants no tokens."""
    rating_withdrawn: bool = False
    """Whether the member took back the rating of the movie, whatever it was."""


def to_line(outcome: Outcome) -> bytes:
    """Return an outcome (a reported rating or completion) as one line of JSON.

    A truncated line is never valid JSON, so readers can detect it.
    """
    entry = {name: value for name, value in vars(outcome).items() if value is not None and value is not False}
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
    if not all(map(is_id, texts)):
        raise BadOutcome("an id is missing")
    written = {name: entry.get(name) for name in ("rating", "completion", "happened_at", "received_at")}
    numbers = {name: number_of(value) for name, value in written.items()}
    caller = entry.get("caller")
    if not isinstance(caller, str | None):
        raise BadOutcome("the caller isn't the name of a token")
    withdrawn = entry.get("rating_withdrawn", False)
    if not isinstance(withdrawn, bool):
        raise BadOutcome("the withdrawal isn't true or false")
    if withdrawn and written["rating"] is not None:
        raise BadOutcome("it holds a rating and a withdrawal")
    if any(numbers[name] is None and value is not None for name, value in written.items()):
        raise BadOutcome("a number isn't one")
    for moment in (numbers["happened_at"], numbers["received_at"]):
        if moment is None:
            raise BadOutcome("a time is missing")
        if not is_time(moment):
            raise BadOutcome("a time isn't in seconds since 1970")
    if numbers["completion"] is not None and not 0 <= numbers["completion"] <= 1:
        raise BadOutcome("the completion isn't 0 to 1")
    return Outcome(*texts, *numbers.values(), caller, withdrawn)  # type: ignore[arg-type, call-arg] # checked above
