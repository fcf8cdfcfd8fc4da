"""All metrics of a worker, in one registry."""

from service.telemetry import metric_definitions as definitions
from service.telemetry.drift.drift_counts import DriftCounter
from service.telemetry.merging import Family
from service.telemetry.metrics.admission_metrics import AdmissionMetrics
from service.telemetry.metrics.answer_metrics import AnswerMetrics
from service.telemetry.metrics.call_metrics import CallMetrics
from service.telemetry.metrics.file_metrics import FileMetrics
from service.telemetry.metrics.job_metrics import JobMetrics
from service.telemetry.metrics.metric_registry import MetricRegistry
from service.telemetry.metrics.model_metrics import ModelMetrics
from service.telemetry.metrics.outcome_metrics import OutcomeMetrics


class Metrics:
    """The metrics of a worker, in groups; may be used from any thread."""

    def __init__(self) -> None:
        self.registry = MetricRegistry()
        self.calls = CallMetrics(self.registry)
        self.answers = AnswerMetrics(self.registry)
        self.models = ModelMetrics(self.registry)
        self.jobs = JobMetrics(self.registry)
        self.outcomes = OutcomeMetrics(self.registry)
        self.drift = DriftCounter(self.registry)
        self.files = FileMetrics(self.registry)
        self._ready = self.registry.gauge(definitions.READY)
        self.admission = AdmissionMetrics(self.registry)
        self.registry.add_process_metrics()

    def ready(self, ready: bool) -> None:
        """Set whether the health service reports SERVING."""
        self._ready.set(ready)

    def snapshot(self) -> list[Family]:
        """Return the current values of all metrics, to be merged with those of other workers."""
        return self.registry.snapshot()
