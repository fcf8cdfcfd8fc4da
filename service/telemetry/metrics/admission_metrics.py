"""Metrics of admission: calls that compute, wait for their turn, or are shed under load."""

from functools import partial
from typing import Protocol

from service.telemetry import metric_definitions as definitions
from service.telemetry.metrics.labels import SHED_REASONS, CallClass
from service.telemetry.metrics.metric_registry import MetricRegistry


class Load(Protocol):
    """The load that admission knows."""

    in_flight: float
    """Cost of the calls that compute."""

    @property
    def limit(self) -> int:
        """The highest cost that is let in at once."""

    def queued(self, call_class: CallClass) -> int:
        """How many calls of a class wait for their turn."""


class AdmissionMetrics:
    """Metrics of the load and of calls that were refused because of it."""

    def __init__(self, registry: MetricRegistry) -> None:
        self._in_flight = registry.gauge(definitions.IN_FLIGHT)
        self._limit = registry.gauge(definitions.IN_FLIGHT_LIMIT)
        queued, shed = registry.gauge(definitions.QUEUED_CALLS), registry.counter(definitions.SHED_CALLS)
        self._queued = {call_class: queued.labels(call_class.value) for call_class in CallClass}
        self._shed = {
            (call_class, reason): shed.labels(call_class.value, reason)
            for call_class in CallClass
            for reason in SHED_REASONS
        }

    def follow(self, admission: Load) -> None:
        """Read the load whenever the metrics are read."""
        self._in_flight.set_function(lambda: admission.in_flight)
        self._limit.set_function(lambda: admission.limit)
        for call_class, gauge in self._queued.items():
            gauge.set_function(partial(admission.queued, call_class))

    def shed(self, call_class: CallClass, reason: str) -> None:
        """Count a call that was not computed, by reason, one of `SHED_REASONS`."""
        self._shed[call_class, reason].inc()
