"""What a caller is told of an error: the one map from errors to status codes."""

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2  # type: ignore[import-untyped]

from service.deadlines import DeadlinePassed
from service.health import UnknownService
from service.live import NoModel
from service.violations import InvalidRequest, Violation

DOMAIN = "coldstart"
"""Whose reasons these are."""


def status_of(error: BaseException) -> status_pb2.Status:
    """The status and its details for any error; what was not foreseen is told in one word."""
    match error:
        case InvalidRequest():
            return _invalid(error.violations)
        case NoModel():
            retry = error_details_pb2.RetryInfo(retry_delay=_duration(error.retry_seconds))
            return _status(code_pb2.UNAVAILABLE, "NO_MODEL", "no model is loaded yet: publish one, or try again", retry)
        case UnknownService():
            return _status(code_pb2.NOT_FOUND, "UNKNOWN_SERVICE", "this server has no service of that name")
        case DeadlinePassed():
            return _status(code_pb2.DEADLINE_EXCEEDED, "DEADLINE_PASSED", "the deadline passed before the work began")
        case _:
            return _status(code_pb2.INTERNAL, "INTERNAL", "internal error")


def is_foreseen(error: BaseException) -> bool:
    """Whether the error is told to the caller for what it is."""
    return isinstance(error, (InvalidRequest, NoModel, UnknownService, DeadlinePassed))


def _invalid(violations: tuple[Violation, ...]) -> status_pb2.Status:
    details = error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(field=each.path, description=each.rule) for each in violations
        ]
    )
    message = "; ".join(f"{each.path} {each.rule}".strip() for each in violations[:3])
    if len(violations) > 3:
        message += f"; {len(violations) - 3} more in the details"
    return _status(code_pb2.INVALID_ARGUMENT, "INVALID_REQUEST", message, details)


def _status(code: int, reason: str, message: str, *details: Message) -> status_pb2.Status:
    status = status_pb2.Status(code=code, message=message)
    for detail in (error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN), *details):
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _duration(seconds: float) -> duration_pb2.Duration:
    whole = int(seconds)
    return duration_pb2.Duration(seconds=whole, nanos=round((seconds - whole) * 1e9))
