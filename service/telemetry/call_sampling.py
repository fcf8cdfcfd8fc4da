"""Shares of the calls tell of themselves as they end, in a log line or a trace, with nothing that was sent but ids."""

import logging
import re
import uuid
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import grpc

from model.facts.evidence import MemberEvidence
from service.telemetry.logs import log_event
from service.telemetry.metrics.call_metrics import MethodMetrics

HEADER = "x-request-id"
RANDOM_ID = re.compile(
    r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    r"|[0-9A-HJKMNP-TV-Z]{26}"
)
"""A UUID or another 32 hexadecimal characters, or a ULID: ids in which no caller tells of a person by accident."""
TRACE_HEADER = "traceparent"
TRACE_PARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
Metadata = Iterable[Any]


class TraceParent(NamedTuple):
    """The caller's part of a trace, after W3C Trace Context. What else a caller may send with it is not taken over."""

    trace_id: int
    span_id: int
    is_recorded: bool
    """Whether the caller records the trace."""


@dataclass
class SampledCall:
    """One call that is to be told of."""

    method: str
    """Its path."""
    request_id: str
    began: float
    """On the clock of the calls."""
    logged: bool
    traced: bool
    parent: "TraceParent | None"
    """What the call belongs to, where its caller traces."""
    answers: int = 0
    """Answers of the model, of which a stream may have many."""
    evidence: set[str] = field(default_factory=set)
    """What was known of the members that it asked about."""
    version: str | None = None
    """The model that answered last."""


_CALL: ContextVar[SampledCall] = ContextVar("call")
"""The call that is under way, where it is to be told of."""


def record_answer(version: str, evidence: MemberEvidence) -> None:
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


def parent_of(metadata: Metadata) -> TraceParent | None:
    """The trace that a call belongs to; None for none, or one that can't be read."""
    for name, value in metadata or ():
        if name == TRACE_HEADER and isinstance(value, str) and (found := TRACE_PARENT.fullmatch(value)):
            trace_id, span_id, flags = (int(part, 16) for part in found.groups())
            return TraceParent(trace_id, span_id, bool(flags & 1)) if trace_id and span_id else None
    return None


def current_request_id(metadata: Metadata | None) -> str:
    """The id of the call that is under way, the same that its own line has; `metadata` is the call's."""
    call = _CALL.get(None)
    return request_id_of(metadata) if call is None else call.request_id


class Tracing(NamedTuple):
    """Which calls are traced, and by whom."""

    share: float
    """Of the calls that belong to no trace of the caller's, 0 to 1."""
    export: Callable[[SampledCall, grpc.StatusCode, float], None]
    """Told of a traced call, its code and its seconds."""


class CallSampler:
    """Picks calls, and tells how they end."""

    def __init__(self, log_share: float, clock: Callable[[], float], tracing: Tracing | None = None) -> None:
        """`log_share` of the calls, 0 to 1, is logged: every so many of them, one."""
        self._logged = _Share(log_share)
        self._traced = _Share(tracing.share if tracing else 0.0)
        self._tracing = tracing
        self._clock = clock
        self._tells = bool(log_share or tracing)

    def start(self, method: str, metadata: Metadata) -> None:
        """A call has begun, in a task of its own."""
        if not self._tells:
            return
        logged, parent = self._logged.picks(), parent_of(metadata) if self._tracing else None
        traced = parent.is_recorded if parent else self._traced.picks()
        if logged or traced:
            _CALL.set(SampledCall(method, request_id_of(metadata), self._clock(), logged, traced, parent))

    def wrap(self, counted: MethodMetrics) -> MethodMetrics:
        """The same metrics, whose `handled` also tells of the call that has ended."""
        if not self._tells:
            return counted

        def handled(code: grpc.StatusCode) -> None:
            counted.handled(code)
            call = _CALL.get(None)
            if call is not None:
                self._tell(call, code, self._clock() - call.began)

        return counted._replace(handled=handled)

    def _tell(self, call: SampledCall, code: grpc.StatusCode, seconds: float) -> None:
        if call.traced and self._tracing:
            self._tracing.export(call, code, seconds)
        if call.logged:
            facts: dict[str, Any] = {
                "evidence": sorted(call.evidence), "version": call.version, "answers": call.answers
            }  # fmt: skip
            log_event(
                logging.INFO, "call", request_id=call.request_id, method=call.method, code=code.name,
                seconds=round(seconds, 6), **(facts if call.answers else {}),
            )  # fmt: skip


class _Share:
    """Picks every so many, one."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._owed = 0.0

    def picks(self) -> bool:
        """Whether it is the turn of this one."""
        self._owed += self._share
        picked = self._owed >= 1
        self._owed -= picked
        return picked
