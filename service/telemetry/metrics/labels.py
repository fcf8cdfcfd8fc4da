"""Values of metric labels that are shared by admission control and its metrics."""

from enum import Enum

SHED_REASONS = ("full", "waited", "deadline", "cancelled")
"""Reasons for shedding a call: its queue was full or too long, it had waited too long, it would have missed its
deadline, or its caller cancelled it while it was waiting."""


class CallClass(Enum):
    """Priority classes of calls in admission control."""

    INTERACTIVE = "interactive"
    """Unary calls, whose callers wait for the answer. They take priority over bulk calls."""
    BULK = "bulk"
    """Requests in streams. They wait as long as any interactive call is waiting."""
