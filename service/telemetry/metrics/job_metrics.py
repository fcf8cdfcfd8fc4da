"""Metrics of the jobs beside the service, the retrain and the guard, from what they leave in the store."""

import math
from typing import get_args

from model.store.job_status import GuardStatus, RetrainStatus, Verdict
from model.store.store import CURRENT, PREVIOUS
from service.telemetry import metric_definitions as definitions
from service.telemetry.metrics.metric_registry import MetricRegistry, by_label


class JobMetrics:
    """Metrics of what the jobs last did; NaN until a job has run."""

    def __init__(self, registry: MetricRegistry) -> None:
        self._retrain_finished = registry.gauge(definitions.RETRAIN_FINISHED)
        self._retrain_seconds = registry.gauge(definitions.RETRAIN_SECONDS)
        self._retrain_gain = registry.gauge(definitions.RETRAIN_GAIN)
        self._verdicts = by_label(registry.gauge(definitions.RETRAIN_VERDICT), get_args(Verdict))
        self._guard_checked = registry.gauge(definitions.GUARD_CHECKED)
        self._went_back = registry.gauge(definitions.GUARD_WENT_BACK)
        self._members = registry.gauge(definitions.GUARD_MEMBERS)
        self._ratings = registry.gauge(definitions.GUARD_RATINGS)
        self._e_value = registry.gauge(definitions.GUARD_E_VALUE)
        self._squared_error = by_label(registry.gauge(definitions.GUARD_SQUARED_ERROR), (CURRENT, PREVIOUS))
        self._coverage = by_label(registry.gauge(definitions.GUARD_COVERAGE), (CURRENT, PREVIOUS))
        retrain = (self._retrain_finished, self._retrain_seconds, self._retrain_gain)
        guard = (self._guard_checked, self._went_back, *self._squared_error.values(), *self._coverage.values())
        for gauge in (*retrain, *guard):
            gauge.set(math.nan)

    def retrained(self, status: RetrainStatus) -> None:
        """Set what the last retrain did."""
        self._retrain_finished.set(status.finished_at)
        self._retrain_seconds.set(status.seconds)
        self._retrain_gain.set(status.gain_percent / 100)
        for verdict, gauge in self._verdicts.items():
            gauge.set(verdict == status.verdict)

    def guarded(self, status: GuardStatus) -> None:
        """Set what the guard last saw."""
        self._guard_checked.set(status.checked_at)
        self._went_back.set(_or_nan(status.went_back_at))
        self._members.set(status.members)
        self._ratings.set(status.outcomes)
        self._e_value.set(status.e_value)
        self._squared_error[CURRENT].set(_or_nan(status.squared_error))
        self._squared_error[PREVIOUS].set(_or_nan(status.squared_error_before))
        self._coverage[CURRENT].set(_or_nan(status.coverage))
        self._coverage[PREVIOUS].set(_or_nan(status.coverage_before))


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
