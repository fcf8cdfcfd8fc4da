"""The log of the store's labels: who moved which label, when, why, and from which version to which."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

MOST_MOVES = 10_000
"""Number of moves that are kept, the latest ones; a move takes some 200 bytes."""


@dataclass(frozen=True)
class Reason:
    """Who moves a label, when and why."""

    by: str = "unknown"
    """User and machine."""
    at: str = ""
    """Time in ISO 8601, UTC; empty if unknown."""
    why: str = ""
    """The command, and what was given as the reason."""


UNSTATED = Reason()
"""The reason of a move of which nothing is known."""


@dataclass(frozen=True)
class LabelMove:
    """One move of a label, such as `current`, from a version to another."""

    label: str
    """Name of the label."""
    before: str | None
    """The version that had the label; None if none had it."""
    after: str | None
    """The version that has the label since; None if the label was removed."""
    reason: Reason
    """Who moved it, when and why."""

    def to_dict(self) -> dict[str, Any]:
        """Return the move as a line of the log, before it is written as JSON."""
        return {"label": self.label, "from": self.before, "to": self.after, **asdict(self.reason)}


def with_move(log: bytes | None, move: LabelMove) -> bytes:
    """Return the content of a log, one JSON object on each line, with a further move at its end.

    Damaged lines are kept as they are, so that they hinder no move.
    """
    lines = [] if log is None else log.splitlines()
    return b"\n".join([*lines[-MOST_MOVES + 1 :], json.dumps(move.to_dict()).encode(), b""])


def moves_in(log: bytes | None) -> Sequence[LabelMove]:
    """Return the moves of a log, oldest first, without its damaged lines."""
    moves = []
    for line in [] if log is None else log.splitlines():
        try:
            entry = json.loads(line)
            reason = Reason(*(str(entry[name]) for name in ("by", "at", "why")))
            moves.append(LabelMove(str(entry["label"]), entry["from"], entry["to"], reason))
        except (ValueError, KeyError, TypeError):
            continue
    return moves
