"""What a caller is told of an error: the one map from errors to status codes."""

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2  # type: ignore[import-untyped]

from service.errors import Overloaded
from service.models.follower import NoModel
from service.requests.violations import InvalidRequest, Violation
from service.rpc.admission.deadlines import DeadlinePassed
from service.rpc.health import UnknownService
from service.rpc.outcomes import OutcomesOff
from service.rpc.security.tokens import NotAllowed, Unauthenticated
from service.stores.outcome_log import NotKept

DOMAIN = "coldstart"
"""Whose reasons these are."""
PUSHBACK = "grpc-retry-pushback-ms"
"""After gRFC A6."""


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
        case Overloaded():
            retry = error_details_pb2.RetryInfo(retry_delay=_duration(error.retry_seconds))
            message = "the server has more calls than it can answer: try again later"
            return _status(code_pb2.RESOURCE_EXHAUSTED, "OVERLOADED", message, retry)
        case OutcomesOff():
            message = "this server keeps no outcomes: it runs without --outcomes"
            return _status(code_pb2.FAILED_PRECONDITION, "OUTCOMES_OFF", message)
        case NotKept():
            retry = error_details_pb2.RetryInfo(retry_delay=_duration(error.retry_seconds))
            message = "the outcome could not be written and is not recorded: try again"
            return _status(code_pb2.UNAVAILABLE, "OUTCOME_NOT_KEPT", message, retry)
        case Unauthenticated():
            return _status(code_pb2.UNAUTHENTICATED, "NO_VALID_TOKEN", "this server needs a valid bearer token")
        case NotAllowed():
            return _status(code_pb2.PERMISSION_DENIED, "METHOD_NOT_ALLOWED", "the token is not for this method")
        case DeadlinePassed():
            return _status(code_pb2.DEADLINE_EXCEEDED, "DEADLINE_PASSED", "the deadline passed before the work began")
        case _:
            return _status(code_pb2.INTERNAL, "INTERNAL", "internal error")


def is_foreseen(error: BaseException) -> bool:
    """Whether the error is told to the caller for what it is."""
    return bool(status_of(error).code != code_pb2.INTERNAL)


def pushback_of(error: BaseException) -> tuple[tuple[str, str], ...]:
    """Trailing metadata that tells gRPC's own retries when to come again; empty where they may decide themselves."""
    return ((PUSHBACK, str(round(error.retry_seconds * 1e3))),) if isinstance(error, Overloaded) else ()


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
