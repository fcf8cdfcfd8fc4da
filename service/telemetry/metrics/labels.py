"""Values of metric labels that admission and its metrics share."""

from enum import Enum

SHED_REASONS = ("full", "waited", "deadline", "cancelled")
"""The queue was full or longer than the caller could wait; the call waited too long; its deadline would have passed
before the answer; the caller cancelled it while it waited."""


class CallClass(Enum):
    """Priority classes of calls."""

    INTERACTIVE = "interactive"
    """Unary calls, whose callers wait for the answer; they go first."""
    BULK = "bulk"
    """The requests of streams, which wait while interactive calls do."""
