"""Creates metrics from their definitions, in one Prometheus registry per process."""

from collections.abc import Iterable
from itertools import product
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from service.telemetry.merging import Family, Merge, snapshot
from service.telemetry.metric_definitions import CounterDefinition, GaugeDefinition

Labelled = TypeVar("Labelled", Counter, Gauge)


class MetricRegistry(CollectorRegistry):
    """A Prometheus registry that also stores how its gauges are merged with those of other processes."""

    def __init__(self) -> None:
        super().__init__()
        self._merges: dict[str, Merge] = {}

    def counter(self, definition: CounterDefinition) -> Counter:
        """Create and register a counter with value 0 from its definition."""
        return Counter(definition.name, definition.help_text, definition.labels, registry=self)

    def gauge(self, definition: GaugeDefinition) -> Gauge:
        """Create and register a gauge with value 0 from its definition."""
        if definition.merge is not None:
            self._merges[definition.name] = definition.merge
        return Gauge(definition.name, definition.help_text, definition.labels, registry=self)

    def add_process_metrics(self) -> None:
        """Add prometheus_client's metrics of this process, such as memory, CPU time and garbage collections."""
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self)

    def snapshot(self) -> list[Family]:
        """Return the current values of all metrics, to be merged with those of other processes."""
        return snapshot(self, self._merges)


def by_label(metric: Labelled, values: Iterable[str]) -> dict[str, Labelled]:
    """Return the child metric for each value of a metric's only label; each series is created with value 0."""
    return {value: metric.labels(value) for value in values}


def by_labels(metric: Labelled, first: Iterable[str], second: Iterable[str]) -> dict[tuple[str, str], Labelled]:
    """Return the child metric for each pair of values of a metric's two labels; each series is created with value 0."""
    return {values: metric.labels(*values) for values in product(first, second)}
