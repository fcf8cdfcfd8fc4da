"""The errors of the service: what a caller is answered, and what keeps the service from starting.

The supervisor and the worker both import this module, so it imports neither gRPC nor protobuf.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from model.exit_codes import ExitCode

StatusCode = Literal[
    "DEADLINE_EXCEEDED",
    "FAILED_PRECONDITION",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "UNAUTHENTICATED",
    "UNAVAILABLE",
]
"""Names of gRPC status codes. INTERNAL is not among them: it stands for errors that are not of this tree."""
MAX_LISTED_VIOLATIONS = 3
"""Malformed fields that the message of INVALID_REQUEST lists; its details have all of them."""


class ServiceError(Exception):
    """Base class of all errors of the service."""


class CallError(ServiceError):
    """Ends a call with a status that tells the caller what to do; see docs/errors.md. Never repeats what was sent."""

    code: ClassVar[StatusCode]
    """Status code."""
    reason: ClassVar[str]
    """Of `google.rpc.ErrorInfo`, in the domain `coldstart`."""
    message: str
    """For the developer who reads the status."""
    retry_seconds: float | None = None
    """When to call again, for `google.rpc.RetryInfo`; None for errors that are not Retryable."""
    paces_retries: ClassVar[bool] = False
    """Whether gRPC's own retries must wait `retry_seconds` too, rather than the client's backoff."""
    violations: tuple["Violation", ...] = ()
    """Malformed fields, for `google.rpc.BadRequest`."""


class Retryable(CallError):
    """The same call may succeed later."""

    def __init__(self, retry_seconds: float) -> None:
        super().__init__(retry_seconds)
        self.retry_seconds: float = retry_seconds


@dataclass(frozen=True)
class Violation:
    """One malformed field."""

    path: str
    """Where it stands in the request, as in `member.plays[3].movie_id`; empty for the request as a whole."""
    rule: str
    """What it must be: a phrase that follows the path. It never repeats what was sent."""


class InvalidRequest(CallError):
    """The request breaks the contract, or its bytes are no message of the method."""

    code = "INVALID_ARGUMENT"
    reason = "INVALID_REQUEST"

    def __init__(self, *violations: Violation) -> None:
        super().__init__(violations)
        self.violations = violations
        listed = [f"{violation.path} {violation.rule}".strip() for violation in violations[:MAX_LISTED_VIOLATIONS]]
        more = len(violations) - len(listed)
        self.message = "; ".join([*listed, *([f"{more} more in the details"] if more else [])])


class Unauthenticated(CallError):
    """The call brings no bearer token, or one that is not in the file of --tokens."""

    code = "UNAUTHENTICATED"
    reason = "NO_VALID_TOKEN"
    message = "this server needs a valid bearer token"


class NotAllowed(CallError):
    """The token is valid, but not for this method."""

    code = "PERMISSION_DENIED"
    reason = "METHOD_NOT_ALLOWED"
    message = "the token is not for this method"


class UnknownService(CallError):
    """A health check names a service that this server does not have."""

    code = "NOT_FOUND"
    reason = "UNKNOWN_SERVICE"
    message = "this server has no service of that name"


class Overloaded(Retryable):
    """More calls come than can be answered; nothing was computed."""

    code = "RESOURCE_EXHAUSTED"
    reason = "OVERLOADED"
    message = "the server has more calls than it can answer: try again later"
    paces_retries = True


class NoModel(Retryable):
    """No model has been loaded yet."""

    code = "UNAVAILABLE"
    reason = "NO_MODEL"
    message = "no model is loaded yet: publish one, or try again"


class OutcomesOff(CallError):
    """An outcome comes to a server that runs without --outcomes."""

    code = "FAILED_PRECONDITION"
    reason = "OUTCOMES_OFF"
    message = "this server keeps no outcomes: it runs without --outcomes"


class NotKept(Retryable):
    """An outcome could not be written to disk, so it is not recorded."""

    code = "UNAVAILABLE"
    reason = "OUTCOME_NOT_KEPT"
    message = "the outcome could not be written and is not recorded: try again"


class DeadlinePassed(CallError):
    """The caller's deadline passed before the work began."""

    code = "DEADLINE_EXCEEDED"
    reason = "DEADLINE_PASSED"
    message = "the deadline passed before the work began"


class StartError(ServiceError):
    """Keeps the service from starting; its text tells the operator why, without a secret."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED
    """Of the process."""
    subject: ClassVar[str] = ""
    """What can't be used, where the text gives the reason alone."""

    @property
    def explanation(self) -> str:
        """The whole sentence for the operator."""
        return f"{self.subject} can't be used: {self}" if self.subject else str(self)


class CertificateError(StartError):
    """The files of the TLS certificate can't be used."""


class TokensError(StartError):
    """The file of tokens can't be used; the text never holds a token or a hash."""

    subject = "the file of --tokens"


class SignatureKeyError(StartError):
    """The file of the public key can't be used to check signatures of models."""

    subject = "the file of --require-signature"


class FolderUnusable(StartError):
    """The folder of outcomes can't be written to."""

    subject = "the folder of --outcomes"


class PortTaken(StartError):
    """A port can't be opened."""


class NoWorker(StartError):
    """No worker process could be started; the log has the cause."""


class NoSupervisor(StartError):
    """A worker process was started by something else than the supervisor."""
