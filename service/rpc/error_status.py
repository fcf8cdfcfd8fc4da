"""Converts errors to `google.rpc.Status`, the form in which gRPC callers receive them."""

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2  # type: ignore[import-untyped]

from service.errors import CallError, Violation

DOMAIN = "coldstart"
"""Domain of the reasons in `google.rpc.ErrorInfo`."""
PUSHBACK = "grpc-retry-pushback-ms"
"""Metadata key of the retry delay, as specified in gRFC A6."""


def status_of(error: BaseException) -> status_pb2.Status:
    """Return the gRPC status of an error. Errors that are not CallError become INTERNAL, without their text."""
    if not isinstance(error, CallError):
        return _status(code_pb2.INTERNAL, "INTERNAL", "internal error", [])
    details: list[Message] = []
    if error.retry_seconds is not None:
        details.append(error_details_pb2.RetryInfo(retry_delay=_duration(error.retry_seconds)))
    if error.violations:
        details.append(_bad_request(error.violations))
    return _status(code_pb2.Code.Value(error.code), error.reason, error.message, details)


def pushback_of(error: BaseException) -> tuple[tuple[str, str], ...]:
    """Return trailing metadata that tells gRPC when to retry by itself; empty if the client's own delay applies."""
    if not isinstance(error, CallError) or not error.paces_retries or error.retry_seconds is None:
        return ()
    return ((PUSHBACK, str(round(error.retry_seconds * 1e3))),)


def _bad_request(violations: tuple[Violation, ...]) -> error_details_pb2.BadRequest:
    return error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(field=violation.path, description=violation.rule)
            for violation in violations
        ]
    )


def _status(code: int, reason: str, message: str, details: list[Message]) -> status_pb2.Status:
    status = status_pb2.Status(code=code, message=message)
    for detail in (error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN), *details):
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _duration(seconds: float) -> duration_pb2.Duration:
    whole = int(seconds)
    return duration_pb2.Duration(seconds=whole, nanos=round((seconds - whole) * 1e9))
