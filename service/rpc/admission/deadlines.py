"""Whether anybody still waits for the answer of a call."""

from typing import Any

import grpc

Context = grpc.aio.ServicerContext[Any, Any]


def has_passed(context: Context) -> bool:
    """Whether the call had a deadline that is over."""
    return context.time_remaining() == 0
