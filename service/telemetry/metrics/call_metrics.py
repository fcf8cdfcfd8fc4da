"""The five standard metrics of gRPC servers: calls started and handled, messages received and sent, and durations."""

from collections import Counter as Tally
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import grpc
import numpy as np

from service.telemetry import metric_definitions as definitions
from service.telemetry.array_histogram import ArrayHistogram
from service.telemetry.backlog import Backlog, grouped
from service.telemetry.metrics.metric_registry import MetricRegistry


class Method(NamedTuple):
    """A gRPC method. Its fields are the labels of the method's metrics."""

    grpc_type: str
    """Type of the method: `UNARY`, `SERVER_STREAMING`, `CLIENT_STREAMING` or `BIDI_STREAMING`."""
    grpc_service: str
    """Full name of the service."""
    grpc_method: str
    """Name of the method."""


UNKNOWN_METHOD = Method("unknown", "unknown", "unknown")
"""Labels for all calls of methods that don't exist, so that callers can't create new series."""


class MethodMetrics(NamedTuple):
    """Functions to call when calls of one gRPC method start, end, and receive or send messages."""

    started: Callable[[], None]
    received: Callable[[], None]
    sent: Callable[[], None]
    handled: Callable[[grpc.StatusCode], None]
    seconds: Callable[[float], None]


class CallMetrics:
    """The standard gRPC metrics of all methods. Calls are queued and counted in batches, at little cost for each."""

    def __init__(self, registry: MetricRegistry) -> None:
        self._increments: Backlog[Callable[[float], None]] = Backlog(_increment, 4096, registry)
        self._durations: Backlog[tuple[Method, float]] = Backlog(self._observe, 512, registry)
        self._started = registry.counter(definitions.CALLS_STARTED)
        self._handled = registry.counter(definitions.CALLS_HANDLED)
        self._received = registry.counter(definitions.MESSAGES_RECEIVED)
        self._sent = registry.counter(definitions.MESSAGES_SENT)
        self._seconds = ArrayHistogram(definitions.CALL_SECONDS, registry, series=())

    def for_method(self, method: Method) -> MethodMetrics:
        """Return the functions that record the calls of a method, and create its series with value 0."""
        self._seconds.add_series(*method)
        add = self._increments.add
        handled = {code: self._handled.labels(*method, code.name).inc for code in grpc.StatusCode}
        return MethodMetrics(
            started=partial(add, self._started.labels(*method).inc),
            received=partial(add, self._received.labels(*method).inc),
            sent=partial(add, self._sent.labels(*method).inc),
            handled=lambda code: add(handled[code]),
            seconds=lambda seconds: self._durations.add((method, seconds)),
        )

    def _observe(self, durations: list[tuple[Method, float]]) -> None:
        for method, seconds in grouped(durations):
            self._seconds.observe(np.array(seconds), *method)


def _increment(increments: list[Callable[[float], None]]) -> None:
    for increment, times in Tally(increments).items():
        increment(times)
