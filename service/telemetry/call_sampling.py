"""Sampled call logs and trace spans, which hold ids and results but nothing personal of a request."""

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

REQUEST_ID_HEADER = "x-request-id"
RANDOM_ID = re.compile(
    r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    r"|[0-9A-HJKMNP-TV-Z]{26}"
)
"""A UUID or other 32 hexadecimal characters, or a ULID: random ids, which can't name a person by accident."""
TRACE_HEADER = "traceparent"
TRACE_PARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
Metadata = Iterable[Any]


class TraceParent(NamedTuple):
    """The caller's span, as in W3C Trace Context; its tracestate is ignored."""

    trace_id: int
    span_id: int
    is_recorded: bool
    """Whether the caller records the trace."""


@dataclass
class SampledCall:
    """A call that will be logged, traced or both."""

    method: str
    """The path of the method."""
    request_id: str
    began: float
    """Its start, on the sampler's clock."""
    logged: bool
    traced: bool
    parent: TraceParent | None
    """The caller's span, if the caller traces."""
    answers: int = 0
    """The model's answers so far, which are many in a stream."""
    evidence: set[str] = field(default_factory=set)
    """The kinds of evidence about the members in its requests."""
    version: str | None = None
    """The model version of the last answer."""


_CALL: ContextVar[SampledCall] = ContextVar("call")
"""The sampled call that the current task handles."""


def record_answer(version: str, evidence: MemberEvidence) -> None:
    """Add an answer to the current call, if it is sampled."""
    call = _CALL.get(None)
    if call is not None:
        call.answers += 1
        call.evidence.add(evidence.name.lower())
        call.version = version


def request_id_of(metadata: Metadata | None) -> str:
    """The caller's request id if it is a random one, else a new UUID."""
    for name, value in metadata or ():
        if name == REQUEST_ID_HEADER and isinstance(value, str) and RANDOM_ID.fullmatch(value):
            return value
    return str(uuid.uuid4())


def parent_of(metadata: Metadata | None) -> TraceParent | None:
    """The caller's span; None without a valid one."""
    for name, value in metadata or ():
        if name == TRACE_HEADER and isinstance(value, str) and (match := TRACE_PARENT.fullmatch(value)):
            trace_id, span_id, flags = (int(part, 16) for part in match.groups())
            return TraceParent(trace_id, span_id, bool(flags & 1)) if trace_id and span_id else None
    return None


def current_request_id(metadata: Metadata | None) -> str:
    """The id of the current call, the same as in its log line; `metadata` are the call's."""
    call = _CALL.get(None)
    return request_id_of(metadata) if call is None else call.request_id


class Tracing(NamedTuple):
    """Which calls are traced, and where their spans go."""

    share: float
    """The share of calls without a caller's trace that is traced, 0 to 1."""
    export: Callable[[SampledCall, grpc.StatusCode, float], None]
    """Called with each traced call, its status code and its seconds."""


class CallSampler:
    """Samples calls, and logs and traces them when they end."""

    def __init__(self, log_share: float, clock: Callable[[], float], tracing: Tracing | None = None) -> None:
        """`log_share` of the calls, 0 to 1, is logged, evenly spaced."""
        self._log_sampler = EvenSampler(log_share)
        self._trace_sampler = EvenSampler(tracing.share if tracing else 0.0)
        self._tracing = tracing
        self._clock = clock
        self._enabled = bool(log_share or tracing)

    def start(self, method: str, metadata: Metadata) -> None:
        """Decide about a call that begins in the current task."""
        if not self._enabled:
            return
        logged, parent = self._log_sampler.picks(), parent_of(metadata) if self._tracing else None
        traced = parent.is_recorded if parent else self._trace_sampler.picks()
        if logged or traced:
            _CALL.set(SampledCall(method, request_id_of(metadata), self._clock(), logged, traced, parent))

    def wrap(self, metrics: MethodMetrics) -> MethodMetrics:
        """The same metrics, whose `handled` also logs and traces the call if it is sampled."""
        if not self._enabled:
            return metrics

        def handled(code: grpc.StatusCode) -> None:
            metrics.handled(code)
            call = _CALL.get(None)
            if call is not None:
                self._report(call, code, self._clock() - call.began)

        return metrics._replace(handled=handled)

    def _report(self, call: SampledCall, code: grpc.StatusCode, seconds: float) -> None:
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


class EvenSampler:
    """Picks a share of all events, evenly spaced rather than at random."""

    def __init__(self, share: float) -> None:
        """`share` is 0 to 1."""
        self._share = share
        self._due = 0.0

    def picks(self) -> bool:
        """Whether the next event is picked."""
        self._due += self._share
        picked = self._due >= 1
        self._due -= picked
        return picked
