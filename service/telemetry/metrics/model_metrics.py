"""Metrics of the served versions: loads and refusals, and the comparison of the current one with the candidate."""

import math
from datetime import datetime
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from model.errors import Reason
from model.prediction.model import Model
from model.store.store import CANDIDATE, CURRENT
from service.telemetry import metric_definitions as definitions
from service.telemetry.array_histogram import ArrayHistogram
from service.telemetry.metrics.metric_registry import MetricRegistry, by_label, by_labels

LOAD_RESULTS = ("loaded", "refused", "failed")
MODELS = (CURRENT, CANDIDATE)
SHADOW_RESULTS = ("compared", "left_out", "failed")


class ModelMetrics:
    """Metrics of the version that serves (current) and of the one under test (candidate)."""

    def __init__(self, registry: MetricRegistry) -> None:
        self._info = registry.gauge(definitions.MODEL_INFO)
        self._info_labels: dict[str, tuple[str, str, str]] = {}
        self._behind = by_label(registry.gauge(definitions.MODEL_BEHIND), MODELS)
        self._answers = by_label(registry.counter(definitions.ANSWERS), MODELS)
        self._trained = registry.gauge(definitions.MODEL_TRAINED)
        self._newest_version = registry.gauge(definitions.NEWEST_VERSION)
        self._loads = by_labels(registry.counter(definitions.MODEL_LOADS), MODELS, LOAD_RESULTS)
        self._refusals = by_labels(registry.counter(definitions.MODEL_REFUSALS), MODELS, get_args(Reason))
        self._shadow_requests = by_label(registry.counter(definitions.SHADOW_REQUESTS), SHADOW_RESULTS)
        self._differences = ArrayHistogram(definitions.SHADOW_DIFFERENCE, registry)
        self._mean_difference = registry.gauge(definitions.SHADOW_MEAN_DIFFERENCE)
        self._compared_count, self._difference_sum = 0, 0.0
        self._members = registry.gauge(definitions.MEMBERS)
        self._data_end = registry.gauge(definitions.DATA_END)
        self._movies = registry.gauge(definitions.MOVIES)
        for gauge in (self._trained, self._mean_difference, self._data_end):
            gauge.set(math.nan)

    def load_ended(self, label: str, reason: Reason | None) -> None:
        """Count an attempt to load a model. `reason` is the reason for its failure, or None if the model was loaded."""
        result = "loaded" if reason is None else "failed" if reason == "other" else "refused"
        self._loads[label, result].inc()
        if reason is not None:
            self._refusals[label, reason].inc()

    def published(self, written: float) -> None:
        """Set the time when the store's newest version was written, in seconds since 1970 UTC; 0 for an empty store."""
        self._newest_version.set(written)

    def behind(self, label: str, behind: bool) -> None:
        """Set whether the label points to a version in the store that isn't the one served."""
        self._behind[label].set(behind)

    def answered_by(self, label: str, answers: int = 1) -> None:
        """Add a number of answers to the count of the model with this label (current or candidate)."""
        self._answers[label].inc(answers)

    def shadowed(self, differences: NDArray[np.float64]) -> None:
        """Record by how much the candidate's ratings differ from those of the current model, in rating points.

        `differences` (N,) are the candidate's minus the current model's, one for each movie of a request.
        """
        self._differences.observe(np.abs(differences))
        self._compared_count += len(differences)
        self._difference_sum += float(differences.sum())
        self._mean_difference.set(self._difference_sum / self._compared_count)

    def shadow_ended(self, result: str) -> None:
        """Count an answered request that the candidate was to predict too. `result` is one of `SHADOW_RESULTS`."""
        self._shadow_requests[result].inc()

    def serving(self, label: str, model: Model | None) -> None:
        """Set the model that is served as current or candidate, and remove the series of the previous version.

        Pass None if no model is served under the label.
        """
        labels = (label, model.version, str(model.manifest.format)) if model else None
        previous = self._info_labels.pop(label, None)
        if previous not in (None, labels):
            self._info.remove(*previous)
        if labels:
            self._info.labels(*labels).set(1)
            self._info_labels[label] = labels
        if label == CANDIDATE:
            self._compared_count, self._difference_sum = 0, 0.0
            self._mean_difference.set(math.nan)
        elif model:
            self._describe(model)

    def _describe(self, model: Model) -> None:
        self._trained.set(datetime.fromisoformat(model.run.trained_at).timestamp())
        self._members.set(len(model.members))
        self._data_end.set(math.nan if model.schema.end_of_data is None else model.schema.end_of_data)
        self._movies.set(len(model.catalogue))
