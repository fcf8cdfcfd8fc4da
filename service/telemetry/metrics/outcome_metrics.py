"""Metrics of reported ratings and completions: sums for computing the quality of predictions over any time window."""

from typing import NamedTuple

import numpy as np

from model.facts.evidence import MemberEvidence
from model.store.store import CANDIDATE, CURRENT
from service.telemetry import metric_definitions as definitions
from service.telemetry.array_histogram import ArrayHistogram
from service.telemetry.metrics.metric_registry import MetricRegistry, by_label

RESULTS = ("recorded", "duplicate", "refused", "failed")
WRITE_RESULTS = ("written", "older", "left_out", "failed", "skipped")
VERSIONS = (CURRENT, CANDIDATE, "other")
"""Which version made a prediction that was rated later: the current model, the candidate, or any other."""
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
    """A prediction and the rating that was reported after it; errors are in rating points."""

    version: str
    """Which version made the prediction, one of `VERSIONS`."""
    evidence: MemberEvidence
    """What was known of the member: nothing, attributes, plays or both."""
    error: float
    """Predicted rating minus actual rating."""
    movie_mean_error: float
    """Rating that would be predicted for a member of whom nothing is known, minus actual rating."""
    covered: bool
    """Whether the actual rating is within the 90 % prediction interval."""
    probability: float
    """Predicted probability that the member enjoys the movie."""
    enjoyed: bool
    """Whether the actual rating is at or above `enjoyed_from`."""

    def sums(self) -> tuple[float, ...]:
        """Return what the rating adds to each metric in `SUMS`, such as its squared error."""
        return (
            1.0, self.error**2, self.movie_mean_error**2, float(self.covered), float(self.enjoyed), self.probability,
        )  # fmt: skip


class OutcomeMetrics:
    """Metrics of reported ratings and completions, of writing them to disk, and of the predictions' errors."""

    def __init__(self, registry: MetricRegistry) -> None:
        self._results = by_label(registry.counter(definitions.OUTCOMES), RESULTS)
        self._writes = by_label(registry.counter(definitions.LIVE_RATING_WRITES), WRITE_RESULTS)
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
        """Count a report of a rating or completion. `result` is one of `RESULTS`."""
        self._results[result].inc()

    def live_rating(self, result: str) -> None:
        """Count a rating or withdrawal for the member store. `result` is one of `WRITE_RESULTS`."""
        self._writes[result].inc()

    def commit(self, seconds: float) -> None:
        """Record how long it took to write reported ratings and completions to disk."""
        self._commits.observe(np.array([seconds]))

    def add_rating(self, rated: RatedPrediction) -> None:
        """Add a prediction and the rating reported after it to the sums from which live quality is computed."""
        for counter, value in zip(self._sums[rated.version, rated.evidence], rated.sums(), strict=True):
            counter.inc(value)
        bin_number = min(int(rated.probability * PROBABILITY_BINS), PROBABILITY_BINS - 1)
        self._enjoyed[bin_number].inc(float(rated.enjoyed))
        self._expected[bin_number].inc(rated.probability)
