"""Checks the deadlines of calls."""

from typing import Any

import grpc

Context = grpc.aio.ServicerContext[Any, Any]


def has_passed(context: Context) -> bool:
    """Return whether the deadline of the call has passed."""
    return context.time_remaining() == 0
