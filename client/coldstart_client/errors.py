"""What goes wrong with a call, told by what a caller can do about it."""

from dataclasses import dataclass
from typing import Any

import grpc
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status


@dataclass(frozen=True)
class Violation:
    """One malformed field of a request."""

    path: str
    """Where it stands, as in `member.plays[3].movie_id`; empty for the request as a whole."""
    rule: str
    """What it must be."""


class CallFailed(Exception):
    """A call failed. The subclasses tell what to do about it; this one alone means a fault of the service."""

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        reason: str = "",
        violations: tuple[Violation, ...] = (),
        retry_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        """gRPC's status code."""
        self.reason = reason
        """The service's own reason, as docs/errors.md lists them; empty where gRPC itself ended the call."""
        self.violations = violations
        """Every malformed field, the first ten."""
        self.retry_seconds = retry_seconds
        """When to try again at the earliest, where the service says it."""


class InvalidCall(CallFailed):
    """The request breaks the contract: correct it."""


class Refused(CallFailed):
    """The token is missing, unknown or not for this method."""


class Overloaded(CallFailed):
    """More calls come than can be answered, also after some tries: come again later."""


class Unreachable(CallFailed):
    """No server answers, or none that is ready: also after some tries, or within the deadline."""


KINDS: dict[grpc.StatusCode, type[CallFailed]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidCall,
    grpc.StatusCode.UNAUTHENTICATED: Refused,
    grpc.StatusCode.PERMISSION_DENIED: Refused,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
    grpc.StatusCode.CANCELLED: Overloaded,  # gRPC's own way to refuse; this client cancels nothing that it waits for
    grpc.StatusCode.UNAVAILABLE: Unreachable,
    grpc.StatusCode.DEADLINE_EXCEEDED: Unreachable,
}


def failed(error: Any) -> CallFailed:
    """The error of a call in the client's words. Its own type, grpc.RpcError, doesn't tell that it has a status."""
    code, message = error.code(), error.details() or ""
    told, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    has_retry = False
    for detail in _details(error):
        detail.Unpack(told)
        detail.Unpack(bad)
        has_retry |= detail.Unpack(retry)
    return KINDS.get(code, CallFailed)(
        code,
        message or code.value[1],
        told.reason,
        tuple(Violation(each.field, each.description) for each in bad.field_violations),
        retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9 if has_retry else None,
    )


def _details(error: Any) -> list[Any]:
    """The rich details of an error; none where it has none, or other ones than its status."""
    try:
        status = rpc_status.from_call(error)
    except ValueError:
        return []
    return [] if status is None else list(status.details)
