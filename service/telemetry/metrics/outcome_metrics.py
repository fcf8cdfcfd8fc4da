"""Metrics of recorded outcomes: sums for computing the quality of predictions over any time window."""

from typing import NamedTuple

import numpy as np

from model.facts.evidence import MemberEvidence
from model.store.store import CANDIDATE, CURRENT
from service.telemetry import metric_definitions as definitions
from service.telemetry.array_histogram import ArrayHistogram
from service.telemetry.metrics.metric_registry import MetricRegistry, by_label

RESULTS = ("recorded", "duplicate", "refused", "failed")
VERSIONS = (CURRENT, CANDIDATE, "other")
"""Possible sources of a rated prediction: the current model, the candidate, or any other version."""
PROBABILITY_BINS = 10
"""Number of equal-width bins of the predicted probability, for measuring calibration."""
SUMS = (
    definitions.OUTCOME_RATINGS,
    definitions.OUTCOME_SQUARED_ERROR,
    definitions.OUTCOME_MOVIE_MEAN_SQUARED_ERROR,
    definitions.OUTCOME_COVERED,
    definitions.OUTCOME_ENJOYED,
    definitions.OUTCOME_EXPECTED_ENJOYED,
)


class RatedPrediction(NamedTuple):
    """A prediction and the rating that followed; errors are in rating points."""

    version: str
    """The model that made the prediction, one of `VERSIONS`."""
    evidence: MemberEvidence
    """Kind of facts about the member that the prediction is based on."""
    error: float
    """Predicted rating minus actual rating."""
    movie_mean_error: float
    """Predicted rating for a member without any facts, minus actual rating."""
    covered: bool
    """Whether the actual rating is within the 90 % prediction interval."""
    probability: float
    """Predicted probability that the member enjoys the movie."""
    enjoyed: bool
    """Whether the actual rating is at or above `enjoyed_from`."""

    def sums(self) -> tuple[float, ...]:
        """Return the value to add to each metric in `SUMS`."""
        return (
            1.0, self.error**2, self.movie_mean_error**2, float(self.covered), float(self.enjoyed), self.probability,
        )  # fmt: skip


class OutcomeMetrics:
    """Metrics of outcomes, of writing them to disk, and of the errors of the predictions that preceded them."""

    def __init__(self, registry: MetricRegistry) -> None:
        self._results = by_label(registry.counter(definitions.OUTCOMES), RESULTS)
        self._commits = ArrayHistogram(definitions.OUTCOME_COMMIT_SECONDS, registry)
        sums = [registry.counter(definition) for definition in SUMS]
        self._sums = {
            (version, evidence): [counter.labels(version, evidence.name.lower()) for counter in sums]
            for version in VERSIONS
            for evidence in MemberEvidence
        }
        bin_ends = [f"{(number + 1) / PROBABILITY_BINS:g}" for number in range(PROBABILITY_BINS)]
        self._enjoyed = list(by_label(registry.counter(definitions.PROBABILITY_ENJOYED), bin_ends).values())
        self._expected = list(by_label(registry.counter(definitions.PROBABILITY_EXPECTED), bin_ends).values())

    def ended(self, result: str) -> None:
        """Count an outcome. `result` is one of `RESULTS`."""
        self._results[result].inc()

    def commit(self, seconds: float) -> None:
        """Record the duration of writing outcomes to disk."""
        self._commits.observe(np.array([seconds]))

    def add_rating(self, rated: RatedPrediction) -> None:
        """Add a prediction and its rating to the sums."""
        for counter, value in zip(self._sums[rated.version, rated.evidence], rated.sums(), strict=True):
            counter.inc(value)
        bin_number = min(int(rated.probability * PROBABILITY_BINS), PROBABILITY_BINS - 1)
        self._enjoyed[bin_number].inc(float(rated.enjoyed))
        self._expected[bin_number].inc(rated.probability)
