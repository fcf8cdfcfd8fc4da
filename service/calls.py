"""A share of the calls tells of itself when it ends: a log line each, with nothing that was sent but a random id."""

import logging
import re
import uuid
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import grpc

from model.evidence import MemberEvidence
from service.logs import tell
from service.metrics import CallMetrics

HEADER = "x-request-id"
RANDOM_ID = re.compile(
    r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    r"|[0-9A-HJKMNP-TV-Z]{26}"
)
"""A UUID or another 32 hexadecimal characters, or a ULID: ids in which no caller tells of a person by accident."""
Metadata = Iterable[Any]


@dataclass
class Call:
    """One call that is to be told of."""

    method: str
    """Its path."""
    request_id: str
    began: float
    """On the clock of the calls."""
    answers: int = 0
    """Answers of the model, of which a stream may have many."""
    evidence: set[str] = field(default_factory=set)
    """What was known of the members that it asked about."""
    version: str | None = None
    """The model that answered last."""


_CALL: ContextVar[Call] = ContextVar("call")
"""The call that is under way, where it is to be told of."""


def answered(version: str, evidence: MemberEvidence) -> None:
    """Take note of an answer of the call that is under way."""
    call = _CALL.get(None)
    if call is not None:
        call.answers += 1
        call.evidence.add(evidence.name.lower())
        call.version = version


def request_id_of(metadata: Metadata | None) -> str:
    """The id that the caller gave, if it is a random one, else a new one."""
    for name, value in metadata or ():
        if name == HEADER and isinstance(value, str) and RANDOM_ID.fullmatch(value):
            return value
    return str(uuid.uuid4())


def current_request_id(metadata: Metadata | None) -> str:
    """The id of the call that is under way, the same that its own line has; `metadata` is the call's."""
    call = _CALL.get(None)
    return request_id_of(metadata) if call is None else call.request_id


class Calls:
    """Picks calls and logs how they end."""

    def __init__(self, share: float, clock: Callable[[], float]) -> None:
        """`share` of the calls, 0 to 1, is told of: every so many of them, one."""
        self._share = share
        self._clock = clock
        self._owed = 0.0

    def began(self, method: str, metadata: Metadata) -> None:
        """A call has begun, in a task of its own."""
        if not self._share:
            return
        self._owed += self._share
        if self._owed >= 1:
            self._owed -= 1
            _CALL.set(Call(method, request_id_of(metadata), self._clock()))

    def told_by(self, counted: CallMetrics) -> CallMetrics:
        """The same metrics, whose `handled` also tells of the call that has ended."""
        if not self._share:
            return counted

        def handled(code: grpc.StatusCode) -> None:
            counted.handled(code)
            call = _CALL.get(None)
            if call is not None:
                self._tell(call, code)

        return counted._replace(handled=handled)

    def _tell(self, call: Call, code: grpc.StatusCode) -> None:
        facts: dict[str, Any] = {
            "evidence": sorted(call.evidence), "version": call.version, "answers": call.answers
        }  # fmt: skip
        tell(
            logging.INFO, "call", request_id=call.request_id, method=call.method, code=code.name,
            seconds=round(self._clock() - call.began, 6), **(facts if call.answers else {}),
        )  # fmt: skip
