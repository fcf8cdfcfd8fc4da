"""The exceptions of failed calls, by what a caller can do about them."""

from dataclasses import dataclass
from typing import Any

import grpc
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status


@dataclass(frozen=True)
class Violation:
    """A malformed field of a request."""

    path: str
    """Path of the field, such as `member.plays[3].movie_id`; empty for the request as a whole."""
    rule: str
    """The rule that its value breaks."""


class CallFailed(Exception):
    """Base class of failed calls; itself raised only for a failure of the service."""

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
        """The gRPC status code."""
        self.reason = reason
        """The reason in `google.rpc.ErrorInfo`, such as INVALID_REQUEST; empty if gRPC itself ended the call."""
        self.violations = violations
        """The malformed fields, at most the first ten."""
        self.retry_seconds = retry_seconds
        """Seconds to wait before the next try, if the service asks for it."""


class InvalidCall(CallFailed):
    """The request is malformed: correct it. `violations` lists the fields."""


class Refused(CallFailed):
    """The bearer token is missing, unknown, or not valid for this method."""


class Overloaded(CallFailed):
    """The service is overloaded, also after the retries: try again later."""


class Unreachable(CallFailed):
    """No server could be reached or was ready, also after the retries, or none answered within the deadline."""


KINDS: dict[grpc.StatusCode, type[CallFailed]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidCall,
    grpc.StatusCode.UNAUTHENTICATED: Refused,
    grpc.StatusCode.PERMISSION_DENIED: Refused,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
    grpc.StatusCode.CANCELLED: Overloaded,  # how gRPC itself refuses calls; no client cancels its own
    grpc.StatusCode.UNAVAILABLE: Unreachable,
    grpc.StatusCode.DEADLINE_EXCEEDED: Unreachable,
}


def failed(error: Any) -> CallFailed:
    """The exception for an error of gRPC, which has a status although its type, grpc.RpcError, does not declare it."""
    code, message = error.code(), error.details() or ""
    info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    has_retry = False
    for detail in _details(error):
        detail.Unpack(info)
        detail.Unpack(bad)
        has_retry |= detail.Unpack(retry)
    return KINDS.get(code, CallFailed)(
        code,
        message or code.value[1],
        info.reason,
        tuple(Violation(violation.field, violation.description) for violation in bad.field_violations),
        retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9 if has_retry else None,
    )


def _details(error: Any) -> list[Any]:
    """The `google.rpc.Status` details of an error; none if it has no such status or a contradicting one."""
    try:
        status = rpc_status.from_call(error)
    except ValueError:
        return []
    return [] if status is None else list(status.details)
