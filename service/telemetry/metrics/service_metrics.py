"""All metrics of the service, on a registry of its own; every label value is known from the start."""

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

import grpc
import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from features.schema import Scale
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.prediction.model import STAGES
from model.prediction.predictions import Predictions
from service.requests.facts_decoder import UnusedFacts
from service.telemetry.array_histogram import ArrayHistogram
from service.telemetry.backlog import Backlog
from service.telemetry.drift.drift_counts import DriftCounter
from service.telemetry.drift.drift_index import ROWS as DRIFT_ROWS
from service.telemetry.merging import Family, Merge, snapshot
from service.telemetry.metrics.labels import SHED_REASONS, CallClass
from service.telemetry.metrics.model_metrics import ModelMetrics
from service.telemetry.metrics.outcome_metrics import OutcomeMetrics
from service.telemetry.metrics.supervisor_metrics import ROWS as SUPERVISOR_ROWS

CALL_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Around the millisecond that a small request takes, up to bulk streams."""
STAGE_SECONDS = (0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.25, 1.0)
POSITIONS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
ALL_STAGES = ("decode", *STAGES, "encode")
CERTIFICATE_RESULTS = ("loaded", "refused")
TOKEN_LOAD_RESULTS = ("loaded", "refused")
STORE_RESULTS = ("found", "unknown", "failed", "skipped")
Key = TypeVar("Key")
Value = TypeVar("Value")
UNUSED_REASONS = ("unknown_attribute", "unseen_category")


class Method(NamedTuple):
    """A method of a service; the fields are the labels of the standard metrics."""

    grpc_type: str
    """`UNARY`, `SERVER_STREAMING`, `CLIENT_STREAMING` or `BIDI_STREAMING`."""
    grpc_service: str
    """Full name of the service."""
    grpc_method: str
    """Name of the method."""


UNKNOWN_METHOD = Method("unknown", "unknown", "unknown")
"""Stands for every method that isn't served, so that no caller can make new series."""


class CallMetrics(NamedTuple):
    """The standard five for one method."""

    started: Callable[[], None]
    received: Callable[[], None]
    sent: Callable[[], None]
    handled: Callable[[grpc.StatusCode], None]
    seconds: Callable[[float], None]


class Load(Protocol):
    """What admission tells of its load."""

    in_flight: float
    """Cost of the calls that compute."""

    @property
    def limit(self) -> int:
        """What that cost may be at most."""

    def queued(self, kind: CallClass) -> int:
        """Calls of a kind that wait for their turn."""


class Metrics:
    """What is counted and measured; may be used from any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.rows: list[tuple[str, str, tuple[str, ...], str]] = []
        self._merges: dict[str, Merge] = {}
        self._answers: Backlog[tuple[Predictions, Scale]] = Backlog(self._count_answers, 64, self.registry)
        self._stage_times: Backlog[tuple[str, float, int]] = Backlog(self._count_stages, 512, self.registry)
        self._events: Backlog[Callable[[float], None]] = Backlog(_count_events, 4096, self.registry)
        self._call_times: Backlog[tuple[Method, float]] = Backlog(self._count_call_times, 512, self.registry)
        self._started = self._counter("grpc_server_started_total", "Calls begun.", *Method._fields)
        self._handled = self._counter(
            "grpc_server_handled_total", "Calls ended, by status code.", *Method._fields, "grpc_code"
        )
        self._received = self._counter("grpc_server_msg_received_total", "Messages received.", *Method._fields)
        self._sent = self._counter("grpc_server_msg_sent_total", "Messages sent.", *Method._fields)
        self._seconds = self._arrays(
            "grpc_server_handling_seconds", "Time from a call's begin to its end.", CALL_SECONDS, Method._fields, ()
        )
        predictions = self._counter(
            "coldstart_predictions_total",
            "Predictions answered, by what was known of the member and of the movie.",
            "member_evidence",
            "movie_evidence",
        )
        self._predictions = {
            member: {movie: predictions.labels(member.name.lower(), movie.name.lower()) for movie in MovieEvidence}
            for member in MemberEvidence
        }
        self._rating_positions = self._arrays(
            "coldstart_predicted_rating_position",
            "Predicted ratings, from 0 at the low end of the rating scale to 1 at the high end.",
            POSITIONS,
        )
        self._interval_widths = self._arrays(
            "coldstart_interval_width_position",
            "Widths of the 90 % intervals, as shares of the rating scale.",
            POSITIONS,
        )
        self._unknown_movies = self._counter(
            "coldstart_unknown_movies_total", "Movies asked for or played that the catalogue lacks."
        )
        self._unknown_members = self._counter(
            "coldstart_unknown_members_total",
            "Requests whose member_id neither the model's table of members knows nor the store beside it.",
        )
        lookups = self._counter(
            "coldstart_member_store_lookups_total",
            "Members looked up in the store of --members: found, unknown, failed or late, or skipped while it fails.",
            "result",
        )
        self._store_lookups = {result: lookups.labels(result) for result in STORE_RESULTS}
        self._damaged_lookups = self._counter(
            "coldstart_damaged_member_lookups_total",
            "Requests whose member could not be looked up because a file of the members' table is damaged there.",
        )
        unused = self._counter(
            "coldstart_unused_attributes_total", "Attribute values that the model could not use, by reason.", "reason"
        )
        self._unused_attributes = {reason: unused.labels(reason) for reason in UNUSED_REASONS}
        self._stages = self._arrays(
            "coldstart_stage_seconds",
            "Time of each stage of an answer.",
            STAGE_SECONDS,
            ("stage",),
            [(stage,) for stage in ALL_STAGES],
        )
        self.models = ModelMetrics(self._counter, self._gauge, self._arrays)
        """Where loading and comparing models tells of itself."""
        self.outcomes = OutcomeMetrics(self._counter, self._arrays)
        """Where recording outcomes tells of itself."""
        self.drift = DriftCounter(self.registry)
        """Where answers are compared with what the model was trained on."""
        certificates = self._counter(
            "coldstart_certificate_loads_total",
            "Contents of the files of the TLS certificate: loaded, or refused since they can't be used.",
            "result",
        )
        self._certificates = {result: certificates.labels(result) for result in CERTIFICATE_RESULTS}
        self._ready = self._gauge("coldstart_ready", "1 while health answers SERVING, in every worker.", Merge.EVERY)
        tokens = self._counter(
            "coldstart_token_loads_total",
            "Changes of the file of tokens: loaded, or refused (those before stay in their place).",
            "result",
        )
        self._token_loads = {result: tokens.labels(result) for result in TOKEN_LOAD_RESULTS}
        self._in_flight = self._gauge(
            "coldstart_in_flight", "Calls that compute now, in calls of small cost.", Merge.SUM
        )
        self._limit = self._gauge(
            "coldstart_in_flight_limit", "What admission lets compute at once now; it adapts.", Merge.SUM
        )
        queued = self._gauge("coldstart_queued_calls", "Calls that wait for their turn, by class.", Merge.SUM, "class")
        self._queued = {kind: queued.labels(kind.value) for kind in CallClass}
        shed = self._counter(
            "coldstart_shed_calls_total", "Calls that were not computed, by class and reason.", "class", "reason"
        )
        self._shed = {(kind, reason): shed.labels(kind.value, reason) for kind in CallClass for reason in SHED_REASONS}
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)

    def of_method(self, method: Method) -> CallMetrics:
        """The standard five of a method, each series at 0 from now on. Telling them hardly costs a call anything."""
        self._seconds.add_series(*method)
        add = self._events.add
        handled = {code: self._handled.labels(*method, code.name).inc for code in grpc.StatusCode}
        return CallMetrics(
            started=partial(add, self._started.labels(*method).inc),
            received=partial(add, self._received.labels(*method).inc),
            sent=partial(add, self._sent.labels(*method).inc),
            handled=lambda code: add(handled[code]),
            seconds=lambda seconds: self._call_times.add((method, seconds)),
        )

    def follow_load(self, admission: Load) -> None:
        """Tell of an admission's load whenever the metrics are read."""
        self._in_flight.set_function(lambda: admission.in_flight)
        self._limit.set_function(lambda: admission.limit)
        for kind, gauge in self._queued.items():
            gauge.set_function(partial(admission.queued, kind))

    def shed(self, kind: CallClass, reason: str) -> None:
        """Count a call that was not computed, by reason, one of `SHED_REASONS`."""
        self._shed[kind, reason].inc()

    def answered(self, predictions: Predictions, scale: Scale) -> None:
        """Count predictions that a caller gets."""
        self._answers.add((predictions, scale))

    def _count_answers(self, answers: list[tuple[Predictions, Scale]]) -> None:
        for (member, scale), group in _grouped(((one.member_evidence, scale), one) for one, scale in answers):
            counts = np.bincount(
                np.concatenate([one.movie_evidence for one in group]), minlength=max(MovieEvidence) + 1
            )
            for movie, counter in self._predictions[member].items():
                counter.inc(int(counts[movie]))
            rating = np.concatenate([one.rating for one in group])
            width = np.concatenate([one.upper for one in group]) - np.concatenate([one.lower for one in group])
            self._rating_positions.observe((rating - scale.low) / scale.span)
            self._interval_widths.observe(width / scale.span)

    def _count_stages(self, times: list[tuple[str, float, int]]) -> None:
        for stage, measured in _grouped((stage, (seconds, answers)) for stage, seconds, answers in times):
            seconds, answers = zip(*measured, strict=True)
            self._stages.observe(np.repeat(seconds, answers), stage)

    def _count_call_times(self, times: list[tuple[Method, float]]) -> None:
        for method, seconds in _grouped(times):
            self._seconds.observe(np.array(seconds), *method)

    def not_used(self, unused: UnusedFacts) -> None:
        """Count what a request told that the model could not use."""
        for count, counter in (
            (unused.unknown_movies + unused.plays_of_unknown_movies, self._unknown_movies),
            (unused.unknown_member, self._unknown_members),
            (unused.unknown_attributes, self._unused_attributes["unknown_attribute"]),
            (unused.unseen_categories, self._unused_attributes["unseen_category"]),
        ):
            if count:
                counter.inc(count)

    def store_lookup(self, result: str) -> None:
        """Count a member asked for in the store beside the model, one of `STORE_RESULTS`."""
        self._store_lookups[result].inc()

    def damaged_lookup(self) -> None:
        """Count a member that a damaged file hides."""
        self._damaged_lookups.inc()

    def stage(self, stage: str, seconds: float, answers: int = 1) -> None:
        """Measure a stage, one of `ALL_STAGES`, of so many answers that took so long each."""
        self._stage_times.add((stage, seconds, answers))

    def tokens_loaded(self, result: str) -> None:
        """Count a change of the file of tokens, one of `TOKEN_LOAD_RESULTS`."""
        self._token_loads[result].inc()

    def certificates_loaded(self, result: str) -> None:
        """Count a content of the certificate's files, one of `CERTIFICATE_RESULTS`."""
        self._certificates[result].inc()

    def ready(self, ready: bool) -> None:
        """Tell whether health answers SERVING."""
        self._ready.set(ready)

    def snapshot(self) -> list[Family]:
        """What has been counted and measured so far, to be merged with other workers'."""
        return snapshot(self.registry, self._merges)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        self.rows.append((name, "counter", labels, text))
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, merge: Merge, *labels: str) -> Gauge:
        self.rows.append((name, f"gauge ({merge})", labels, text))
        self._merges[name] = merge
        return Gauge(name, text, labels, registry=self.registry)

    def _arrays(
        self,
        name: str,
        text: str,
        bounds: Sequence[float],
        labels: Sequence[str] = (),
        series: Iterable[Sequence[str]] = ((),),
    ) -> ArrayHistogram:
        self.rows.append((name, "histogram", tuple(labels), text))
        return ArrayHistogram(name, text, bounds, self.registry, labels, series)


def _count_events(counters: list[Callable[[float], None]]) -> None:
    for count, times in Tally(counters).items():
        count(times)


def _grouped(pairs: Iterable[tuple[Key, Value]]) -> Iterable[tuple[Key, list[Value]]]:
    """The values of each key."""
    found: dict[Key, list[Value]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found.items()


def metrics_table() -> str:
    """All metrics but those of the Python processes as a Markdown table."""
    rows = [
        f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels)} | {text} |"
        for name, kind, labels, text in (*Metrics().rows, *SUPERVISOR_ROWS, *DRIFT_ROWS)
    ]
    return "\n".join(["| metric | type | labels | meaning |", "| --- | --- | --- | --- |", *rows])
