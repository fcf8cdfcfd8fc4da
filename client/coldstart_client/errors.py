"""Exceptions for failed calls, grouped by what the caller can do about the failure."""

from dataclasses import dataclass
from typing import Any

import grpc
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status


@dataclass(frozen=True)
class Violation:
    """A malformed field of a request."""

    path: str
    """Path of the field, such as `member.plays[3].movie_id`; empty if it is the request as a whole."""
    rule: str
    """Rule that the value of the field violates."""


class CallFailed(Exception):
    """Base class for failed calls. Raised directly for status codes without a subclass, such as INTERNAL."""

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
        """gRPC status code."""
        self.reason = reason
        """Reason from `google.rpc.ErrorInfo`, such as INVALID_REQUEST; empty if gRPC itself ended the call."""
        self.violations = violations
        """Malformed fields of the request, at most the first ten."""
        self.retry_seconds = retry_seconds
        """Seconds to wait before trying again; None if the service didn't say."""


class InvalidCall(CallFailed):
    """The request is malformed or too large and must be corrected. `violations` lists malformed fields."""


class Refused(CallFailed):
    """The bearer token is missing, unknown, or not valid for this method."""


class Overloaded(CallFailed):
    """The service is still overloaded after the retries. Try again later."""


class Unreachable(CallFailed):
    """No server was reachable and ready, even after retries, or no answer arrived before the deadline."""


KINDS: dict[grpc.StatusCode, type[CallFailed]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidCall,
    grpc.StatusCode.UNAUTHENTICATED: Refused,
    grpc.StatusCode.PERMISSION_DENIED: Refused,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
    grpc.StatusCode.CANCELLED: Overloaded,  # sent by an overloaded gRPC server
    grpc.StatusCode.UNAVAILABLE: Unreachable,
    grpc.StatusCode.DEADLINE_EXCEEDED: Unreachable,
}

UNHEALTHY = "backend unhealthy"
"""gRPC's own words for servers that can be reached, but whose health check doesn't say SERVING."""
NOT_READY = "the server has no model yet, or is about to stop"


def failed(error: Any) -> CallFailed:
    """Return the exception for a grpc.RpcError, which has a status although its class doesn't declare the methods."""
    code, message = error.code(), error.details() or ""
    info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    has_retry = False
    for detail in _details(error):
        detail.Unpack(info)
        detail.Unpack(bad)
        has_retry |= detail.Unpack(retry)
    if UNHEALTHY in message:
        message = NOT_READY
    return KINDS.get(code, CallFailed)(
        code,
        message or code.value[1],
        info.reason,
        tuple(Violation(violation.field, violation.description) for violation in bad.field_violations),
        retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9 if has_retry else None,
    )


def _details(error: Any) -> list[Any]:
    """Return the details of the status that an error carries (`google.rpc.Status`); empty if there are none.

    It is also empty if they contradict the error's code.
    """
    try:
        status = rpc_status.from_call(error)
    except ValueError:
        return []
    return [] if status is None else list(status.details)
