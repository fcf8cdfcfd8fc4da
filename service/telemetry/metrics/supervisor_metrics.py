"""Metrics of the supervisor: the states of its workers and the number of restarts."""

from service.telemetry import metric_definitions as definitions
from service.telemetry.merging import Family
from service.telemetry.metrics.metric_registry import MetricRegistry, by_label

STATES = ("wanted", "running", "serving")


class SupervisorMetrics:
    """Metrics of the supervisor's process, of the states of its workers and of their restarts."""

    def __init__(self) -> None:
        self._registry = MetricRegistry()
        self._workers = by_label(self._registry.gauge(definitions.WORKERS), STATES)
        self.restarted = self._registry.counter(definitions.WORKER_RESTARTS).inc
        self._registry.add_process_metrics()

    def set_workers(self, **counts: int) -> None:
        """Set the number of workers in each of the given states, which are names in `STATES`."""
        for state, count in counts.items():
            self._workers[state].set(count)

    def snapshot(self) -> list[Family]:
        """Return the current values of all metrics, to be merged with those of the workers."""
        return self._registry.snapshot()
