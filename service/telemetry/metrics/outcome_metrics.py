"""Metrics of recorded outcomes: sums from which the quality of predictions follows for any window of time."""

from typing import NamedTuple

import numpy as np

from model.facts.evidence import MemberEvidence
from model.store.store import CANDIDATE, CURRENT
from service.telemetry import metric_definitions as definitions
from service.telemetry.array_histogram import ArrayHistogram
from service.telemetry.metrics.metric_registry import MetricRegistry, by_label

RESULTS = ("recorded", "duplicate", "refused", "failed")
VERSIONS = (CURRENT, CANDIDATE, "other")
"""The model whose prediction was shown: one that serves now, or any other."""
PROBABILITY_BINS = 10
"""Equal bins of the predicted probability, in which calibration is measured."""
SUMS = (
    definitions.OUTCOME_RATINGS,
    definitions.OUTCOME_SQUARED_ERROR,
    definitions.OUTCOME_MOVIE_MEAN_SQUARED_ERROR,
    definitions.OUTCOME_COVERED,
    definitions.OUTCOME_ENJOYED,
    definitions.OUTCOME_EXPECTED_ENJOYED,
)


class RatedPrediction(NamedTuple):
    """A prediction and the rating that followed, in rating points."""

    version: str
    """One of `VERSIONS`."""
    evidence: MemberEvidence
    """The evidence about the member behind the prediction."""
    error: float
    """The prediction less the rating."""
    movie_mean_error: float
    """The prediction for a member about whom nothing is known, less the rating."""
    covered: bool
    """Whether the rating was within the interval."""
    probability: float
    """The predicted probability to enjoy the movie."""
    enjoyed: bool
    """Whether the rating was at or above `enjoyed_from`."""

    def sums(self) -> tuple[float, ...]:
        """The summand of each metric in `SUMS`."""
        return (
            1.0, self.error**2, self.movie_mean_error**2, float(self.covered), float(self.enjoyed), self.probability,
        )  # fmt: skip


class OutcomeMetrics:
    """Metrics of outcomes, their commits to disk and the errors of the predictions before them."""

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
        """Count an outcome by its result, one of `RESULTS`."""
        self._results[result].inc()

    def commit(self, seconds: float) -> None:
        """Record the seconds of a durable write."""
        self._commits.observe(np.array([seconds]))

    def add_rating(self, rated: RatedPrediction) -> None:
        """Add a rating to the sums."""
        for counter, value in zip(self._sums[rated.version, rated.evidence], rated.sums(), strict=True):
            counter.inc(value)
        bin_number = min(int(rated.probability * PROBABILITY_BINS), PROBABILITY_BINS - 1)
        self._enjoyed[bin_number].inc(float(rated.enjoyed))
        self._expected[bin_number].inc(rated.probability)
