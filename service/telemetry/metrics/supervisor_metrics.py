"""Metrics of the supervisor: how many workers there are and how often one had to be started anew."""

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from service.telemetry.merging import Family, Merge, snapshot

STATES = ("wanted", "running", "serving")
ROWS = (
    ("coldstart_workers", "gauge", ("state",), "Worker processes: how many there should be, run, and take calls."),
    ("coldstart_worker_restarts_total", "counter", (), "Workers started in the place of one that died."),
)
"""Name, type, labels and meaning of each, as in `service.telemetry.metrics.service_metrics`."""


class SupervisorMetrics:
    """What the supervisor counts itself."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        (gauge, _, labels, gauge_text), (counter, _, _, counter_text) = ROWS
        workers = Gauge(gauge, gauge_text, labels, registry=self._registry)
        self._workers = {state: workers.labels(state) for state in STATES}
        self.restarted = Counter(counter, counter_text, registry=self._registry).inc
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)

    def set_workers(self, **counts: int) -> None:
        """How many workers are in each state, by its name in `STATES`."""
        for state, count in counts.items():
            self._workers[state].set(count)

    def snapshot(self) -> list[Family]:
        """All of it."""
        return snapshot(self._registry, {ROWS[0][0]: Merge.SUM})
