"""The exception hierarchy of the service. Each exception carries the data that its handler needs.

    ServiceError
    ├── CallError                 ends a call with a status: code, reason, message, retry delay, violations
    │   ├── InvalidRequest        ├── Unauthenticated    ├── NotAllowed
    │   ├── UnknownService        ├── OutcomesOff        ├── DeadlinePassed
    │   └── Retryable
    │       ├── Overloaded        ├── NoModel            └── NotKept
    └── StartError                prevents a process from starting: explanation and exit code
        ├── CertificateError      ├── TokensError        ├── SignatureKeyError
        ├── FolderUnusable        ├── PortTaken          ├── NoWorker
        └── NoSupervisor

The supervisor imports this module too, so it imports neither gRPC nor protobuf.
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
"""Names of gRPC status codes. INTERNAL is left out: it is the status of errors outside this hierarchy."""
MAX_LISTED_VIOLATIONS = 3
"""Maximum number of malformed fields listed in the message of InvalidRequest; the status details list all of them."""


class ServiceError(Exception):
    """Base class of all errors of the service."""


class CallError(ServiceError):
    """Ends a call with a gRPC status (see docs/errors.md), which never contains data from the request."""

    code: ClassVar[StatusCode]
    """Name of the gRPC status code."""
    reason: ClassVar[str]
    """Reason in `google.rpc.ErrorInfo`, in the domain `coldstart`."""
    message: str
    """Message of the status, for developers."""
    retry_seconds: float | None = None
    """Delay before a retry, for `google.rpc.RetryInfo`, in seconds. None for errors that are not Retryable."""
    paces_retries: ClassVar[bool] = False
    """Whether gRPC's automatic retries must also wait for `retry_seconds`, instead of the client's own delay."""
    violations: tuple["Violation", ...] = ()
    """Malformed fields, for `google.rpc.BadRequest`."""


class Retryable(CallError):
    """Base class of errors that end a call which may succeed if it is repeated later."""

    def __init__(self, retry_seconds: float) -> None:
        super().__init__(retry_seconds)
        self.retry_seconds: float = retry_seconds


@dataclass(frozen=True)
class Violation:
    """One malformed field of a request."""

    path: str
    """Path of the field in the request, such as `member.plays[3].movie_id`. Empty if no single field is at fault."""
    rule: str
    """Rule that the field breaks, as a phrase that follows the path. It never contains data from the request."""


class InvalidRequest(CallError):
    """The request has malformed fields, or its bytes can't be parsed as the method's request message."""

    code = "INVALID_ARGUMENT"
    reason = "INVALID_REQUEST"

    def __init__(self, *violations: Violation) -> None:
        super().__init__(violations)
        self.violations = violations
        listed = [f"{violation.path} {violation.rule}".strip() for violation in violations[:MAX_LISTED_VIOLATIONS]]
        more = len(violations) - len(listed)
        self.message = "; ".join([*listed, *([f"{more} more in the details"] if more else [])])


class Unauthenticated(CallError):
    """The call has no bearer token, or its token is not in the file given by --tokens."""

    code = "UNAUTHENTICATED"
    reason = "NO_VALID_TOKEN"
    message = "this server needs a valid bearer token"


class NotAllowed(CallError):
    """The token is valid, but it doesn't permit this method."""

    code = "PERMISSION_DENIED"
    reason = "METHOD_NOT_ALLOWED"
    message = "the token is not for this method"


class UnknownService(CallError):
    """A health check names a service that this server doesn't have."""

    code = "NOT_FOUND"
    reason = "UNKNOWN_SERVICE"
    message = "this server has no service of that name"


class Overloaded(Retryable):
    """The call was refused because the server is overloaded; nothing was computed."""

    code = "RESOURCE_EXHAUSTED"
    reason = "OVERLOADED"
    message = "the server has more calls than it can answer: try again later"
    paces_retries = True


class NoModel(Retryable):
    """A call arrived before any model was loaded."""

    code = "UNAVAILABLE"
    reason = "NO_MODEL"
    message = "no model is loaded yet: publish one, or try again"


class OutcomesOff(CallError):
    """A caller reported an outcome (a rating or completion) to a server that runs without --outcomes."""

    code = "FAILED_PRECONDITION"
    reason = "OUTCOMES_OFF"
    message = "this server keeps no outcomes: it runs without --outcomes"


class NotKept(Retryable):
    """A reported outcome (a rating or completion) could not be written to disk, so it was not recorded."""

    code = "UNAVAILABLE"
    reason = "OUTCOME_NOT_KEPT"
    message = "the outcome could not be written and is not recorded: try again"


class DeadlinePassed(CallError):
    """The caller's deadline passed before the call began to be computed."""

    code = "DEADLINE_EXCEEDED"
    reason = "DEADLINE_PASSED"
    message = "the deadline passed before the work began"


class StartError(ServiceError):
    """Prevents the service from starting. Its text explains the cause to the operator and never contains a secret."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED
    """Exit code of the process."""
    subject: ClassVar[str] = ""
    """Name of the file or folder that can't be used. Empty if the text of the error is already a full sentence."""

    @property
    def explanation(self) -> str:
        """The full sentence shown to the operator."""
        return f"{self.subject} can't be used: {self}" if self.subject else str(self)


class CertificateError(StartError):
    """The TLS certificate, its key or the client CA file can't be used."""


class TokensError(StartError):
    """The token file can't be used. The text never contains a token or a hash."""

    subject = "the file of --tokens"


class SignatureKeyError(StartError):
    """The public key file can't be used to verify signatures of models."""

    subject = "the file of --require-signature"


class FolderUnusable(StartError):
    """The folder for outcomes (reported ratings and completions) is not writable."""

    subject = "the folder of --outcomes"


class MembersUnusable(StartError):
    """The store of members, or the file with the key of its hashes, can't be used."""

    subject = "the store of --members"


class PortTaken(StartError):
    """The port for gRPC or for metrics can't be opened."""


class NoWorker(StartError):
    """No worker could begin to serve, because a process died repeatedly at startup. The cause is in the log."""


class NoSupervisor(StartError):
    """A worker process was started by something other than the supervisor."""
