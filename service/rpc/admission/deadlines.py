"""Deadlines of calls."""

from typing import Any

import grpc

Context = grpc.aio.ServicerContext[Any, Any]


def has_passed(context: Context) -> bool:
    """Whether the call's deadline has passed."""
    return context.time_remaining() == 0
