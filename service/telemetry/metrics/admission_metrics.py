"""Metrics of admission control: calls that are being computed, are waiting, or are refused under load."""

from functools import partial
from typing import Protocol

from service.telemetry import metric_definitions as definitions
from service.telemetry.metrics.labels import SHED_REASONS, CallClass
from service.telemetry.metrics.metric_registry import MetricRegistry


class Load(Protocol):
    """The current load, as measured by admission control."""

    in_flight: float
    """Total cost of the calls that are being computed, in units of a small call."""

    @property
    def limit(self) -> int:
        """Maximum total cost of the calls that are computed at once, in units of a small call."""

    def queued(self, call_class: CallClass) -> int:
        """Return the number of waiting calls of a class (interactive or bulk)."""


class AdmissionMetrics:
    """Metrics of the load (calls that run or wait), and of the calls that were refused because of it."""

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
        """Read the load from `admission` whenever the metrics are read."""
        self._in_flight.set_function(lambda: admission.in_flight)
        self._limit.set_function(lambda: admission.limit)
        for call_class, gauge in self._queued.items():
            gauge.set_function(partial(admission.queued, call_class))

    def shed(self, call_class: CallClass, reason: str) -> None:
        """Count a call that was not computed. `reason` is one of `SHED_REASONS`."""
        self._shed[call_class, reason].inc()
