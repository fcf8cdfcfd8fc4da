"""Logs and traces a share of the calls, with ids and results but no personal data."""

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
"""Pattern of random ids: a UUID, 32 hexadecimal characters, or a ULID. Any other id could contain personal data."""
TRACE_HEADER = "traceparent"
TRACE_PARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
MOST_STAGES = 64
"""Maximum number of stages in the trace of a call."""
Metadata = Iterable[Any]


class TraceParent(NamedTuple):
    """The caller's span (its part of a trace), from the `traceparent` header of W3C Trace Context.

    `tracestate` is ignored.
    """

    trace_id: int
    span_id: int
    is_recorded: bool
    """Whether the caller records the trace."""


class Stage(NamedTuple):
    """A stage of answering a call, such as decoding, with times on the sampler's clock."""

    name: str
    began: float
    ended: float


@dataclass
class SampledCall:
    """A call that will be logged, traced or both when it ends."""

    method: str
    """Path of the method."""
    request_id: str
    began: float
    """Start time, on the sampler's clock."""
    logged: bool
    traced: bool
    parent: TraceParent | None
    """The caller's span; None if the caller sends none."""
    answers: int = 0
    """Number of answers from the model so far; a stream has many."""
    evidence: set[str] = field(default_factory=set)
    """What was known of the members in the answers so far, such as `plays`: names of MemberEvidence."""
    version: str | None = None
    """Model version of the last answer; None before the first answer."""
    stages: list[Stage] = field(default_factory=list)
    """The first stages of the call, at most MOST_STAGES; a stream has many."""

    def add_stage(self, name: str, began: float, ended: float) -> None:
        """Note a stage of the call for its trace, with times on the sampler's clock."""
        if len(self.stages) < MOST_STAGES:
            self.stages.append(Stage(name, began, ended))


_CALL: ContextVar[SampledCall] = ContextVar("call")
"""The sampled call that the current task is handling; unset if the call is not sampled."""


def record_answer(version: str, evidence: MemberEvidence) -> None:
    """Note an answer's model version and member evidence for the log of the current call, if the call is sampled."""
    call = _CALL.get(None)
    if call is not None:
        call.answers += 1
        call.evidence.add(evidence.name.lower())
        call.version = version


def traced_call() -> SampledCall | None:
    """Return the call that the current task is handling, to note its stages; None if the call isn't traced."""
    call = _CALL.get(None)
    return call if call is not None and call.traced else None


def request_id_of(metadata: Metadata | None) -> str:
    """Return the caller's request id if it is a random id, which can't hold personal data, else a new UUID."""
    for name, value in metadata or ():
        if name == REQUEST_ID_HEADER and isinstance(value, str) and RANDOM_ID.fullmatch(value):
            return value
    return str(uuid.uuid4())


def parent_of(metadata: Metadata | None) -> TraceParent | None:
    """Return the caller's span (its part of a trace), or None if the metadata has no valid one."""
    for name, value in metadata or ():
        if name == TRACE_HEADER and isinstance(value, str) and (match := TRACE_PARENT.fullmatch(value)):
            trace_id, span_id, flags = (int(part, 16) for part in match.groups())
            return TraceParent(trace_id, span_id, bool(flags & 1)) if trace_id and span_id else None
    return None


def current_request_id(metadata: Metadata | None) -> str:
    """Return the request id under which the current call is logged.

    If the call isn't sampled, this is the result of `request_id_of`.
    """
    call = _CALL.get(None)
    return request_id_of(metadata) if call is None else call.request_id


class Tracing(NamedTuple):
    """The share of calls to trace and the exporter of their spans."""

    share: float
    """Share of calls to trace among those without a span from the caller, 0 to 1."""
    export: Callable[[SampledCall, grpc.StatusCode, float], None]
    """Called with each traced call, its status code and its duration in seconds."""


class CallSampler:
    """Chooses the calls to log or trace, and does so when they end."""

    def __init__(self, log_share: float, clock: Callable[[], float], tracing: Tracing | None = None) -> None:
        """Create a sampler that logs a share of the calls, 0 to 1, evenly spaced. Without `tracing`, it traces none."""
        self._log_sampler = EvenSampler(log_share)
        self._trace_sampler = EvenSampler(tracing.share if tracing else 0.0)
        self._tracing = tracing
        self._clock = clock
        self._enabled = bool(log_share or tracing)

    def start(self, method: str, metadata: Metadata) -> None:
        """Decide whether to log or trace the call that begins in the current task."""
        if not self._enabled:
            return
        logged, parent = self._log_sampler.picks(), parent_of(metadata) if self._tracing else None
        traced = parent.is_recorded if parent else self._trace_sampler.picks()
        if logged or traced:
            _CALL.set(SampledCall(method, request_id_of(metadata), self._clock(), logged, traced, parent))

    def wrap(self, metrics: MethodMetrics) -> MethodMetrics:
        """Return the metrics of a method, changed so that the end of a sampled call is also logged or traced."""
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
    """Picks a share of all events, at even intervals rather than at random."""

    def __init__(self, share: float) -> None:
        """Create a sampler that picks `share` of all events, 0 to 1."""
        self._share = share
        self._due = 0.0

    def picks(self) -> bool:
        """Return whether the next event, such as a call, is picked."""
        self._due += self._share
        picked = self._due >= 1
        self._due -= picked
        return picked
