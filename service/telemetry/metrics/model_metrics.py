"""Metrics of the models that are served: which, how they came to be loaded or refused, and how a candidate compares."""

import math
from collections.abc import Callable
from datetime import datetime
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Counter, Gauge

from model.errors import Reason
from model.prediction.model import Model
from model.store.store import CANDIDATE, CURRENT
from service.telemetry.array_histogram import ArrayHistogram
from service.telemetry.merging import Merge

LOAD_RESULTS = ("loaded", "refused", "failed")
MODELS = (CURRENT, CANDIDATE)
SHADOW_RESULTS = ("compared", "left_out", "failed")
DIFFERENCES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0)
"""Rating points."""


class ModelMetrics:
    """Part of the service's metrics, on their registry."""

    def __init__(
        self, counter: Callable[..., Counter], gauge: Callable[..., Gauge], arrays: Callable[..., ArrayHistogram]
    ) -> None:
        """What makes a metric of each type."""
        self._model = gauge(
            "coldstart_model_info", "1 for each model that is served.", Merge.MAX, "model", "version", "format"
        )
        self._model_labels: dict[str, tuple[str, str, str]] = {}
        behind = gauge(
            "coldstart_model_behind", "1 while the version that the store names can't be loaded.", Merge.MAX, "model"
        )
        self._behind = {label: behind.labels(label) for label in MODELS}
        answers = counter("coldstart_answers_total", "Answers by the model that gave them.", "model")
        self._answered_by = {label: answers.labels(label) for label in MODELS}
        self._trained = gauge(
            "coldstart_model_trained_timestamp_seconds",
            "When the model that is served was trained, in seconds since 1970 UTC; NaN without a model.",
            Merge.MAX,
        )
        self._trained.set(math.nan)
        self._published = gauge(
            "coldstart_newest_version_timestamp_seconds",
            "When the newest version of the store was written, whether it serves or not, in seconds since 1970 UTC.",
            Merge.MAX,
        )
        loads = counter(
            "coldstart_model_loads_total",
            "Tries to load a published model: loaded, refused (its files are wrong) or failed (anything else).",
            "model",
            "result",
        )
        self._loads = {(label, result): loads.labels(label, result) for label in MODELS for result in LOAD_RESULTS}
        refusals = counter(
            "coldstart_model_refusals_total", "Tries that ended without a model, by reason.", "model", "reason"
        )
        self._refusals = {
            (label, reason): refusals.labels(label, reason) for label in MODELS for reason in get_args(Reason)
        }
        shadows = counter(
            "coldstart_shadow_requests_total",
            "Answered requests that were to be scored by the candidate too: compared, left_out or failed.",
            "result",
        )
        self._shadows = {result: shadows.labels(result) for result in SHADOW_RESULTS}
        self._differences = arrays(
            "coldstart_shadow_difference",
            "How far the candidate's ratings lie from those that the current model answered, in rating points.",
            DIFFERENCES,
        )
        self._mean_difference = gauge(
            "coldstart_shadow_mean_difference",
            "Mean of the candidate's ratings less the current model's, in rating points; NaN before one is compared.",
            Merge.MAX,
        )
        self._mean_difference.set(math.nan)
        self._compared = (0, 0.0)
        self._members = gauge("coldstart_members", "Members whose facts are published with the model.", Merge.MAX)
        self._data_end = gauge(
            "coldstart_data_end_timestamp_seconds",
            "The latest play in the tables that the model was made from, in seconds since 1970 UTC; NaN where unknown.",
            Merge.MAX,
        )
        self._data_end.set(math.nan)
        self._movies = gauge("coldstart_movies", "Movies of the model's catalogue.", Merge.MAX)

    def load_ended(self, label: str, reason: Reason | None) -> None:
        """Count a try to load a model; the reason why it was refused, None where it was loaded."""
        result = "loaded" if reason is None else "failed" if reason == "other" else "refused"
        self._loads[label, result].inc()
        if reason is not None:
            self._refusals[label, reason].inc()

    def published(self, written: float) -> None:
        """Tell when the newest version of the store was written, in seconds since 1970 UTC; 0 where there is none."""
        self._published.set(written)

    def behind(self, label: str, behind: bool) -> None:
        """Tell whether the version that a label names isn't the one that answers."""
        self._behind[label].set(behind)

    def answered_by(self, label: str, answers: int = 1) -> None:
        """Count answers."""
        self._answered_by[label].inc(answers)

    def shadowed(self, differences: NDArray[np.float64]) -> None:
        """Take note of the candidate's ratings less those that were answered."""
        self._differences.observe(np.abs(differences))
        count, total = self._compared
        self._compared = count + len(differences), total + float(differences.sum())
        self._mean_difference.set(self._compared[1] / self._compared[0])

    def shadow_ended(self, result: str) -> None:
        """Count a request that was to be scored twice, by one of `SHADOW_RESULTS`."""
        self._shadows[result].inc()

    def serving(self, label: str, model: Model | None) -> None:
        """Tell which model is served under a label; the series of the one before goes."""
        labels = (label, model.version, str(model.manifest.format)) if model else None
        before = self._model_labels.pop(label, None)
        if before not in (None, labels):
            self._model.remove(*before)
        if labels:
            self._model.labels(*labels).set(1)
            self._model_labels[label] = labels
        if label == CANDIDATE:
            self._compared = (0, 0.0)
            self._mean_difference.set(math.nan)
        elif model:
            self._described(model)

    def _described(self, model: Model) -> None:
        self._trained.set(datetime.fromisoformat(model.run.trained_at).timestamp())
        self._members.set(len(model.members))
        self._data_end.set(math.nan if model.schema.end_of_data is None else model.schema.end_of_data)
        self._movies.set(len(model.catalogue))
