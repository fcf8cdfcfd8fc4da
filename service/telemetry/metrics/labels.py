"""Values of metric labels that admission and its metrics share."""

from enum import Enum

SHED_REASONS = ("full", "waited", "deadline", "cancelled")
"""The queue was too long, for its own bounds or the caller's deadline; a wait in it was; the deadline passed before the
answer could have been there; the caller gave up before the call's turn."""


class CallClass(Enum):
    """Which calls go first."""

    INTERACTIVE = "interactive"
    """Somebody waits for the answer: every unary method."""
    BULK = "bulk"
    """The requests of streams: each waits while interactive calls do."""
