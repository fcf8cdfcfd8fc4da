"""Metrics of what members thought in the end, as sums that say over any window how good predictions were."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from prometheus_client import Counter

from model.facts.evidence import MemberEvidence
from model.store.store import CANDIDATE, CURRENT
from service.telemetry.array_histogram import ArrayHistogram

RESULTS = ("recorded", "duplicate", "refused", "failed")
VERSIONS = (CURRENT, CANDIDATE, "other")
"""Whose prediction was acted on: that of a model that serves, or of another version or one that wasn't told."""
PROBABILITIES = 10
"""Probabilities to enjoy are compared with how often movies are enjoyed in so many bins."""
COMMIT_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class RatedPrediction(NamedTuple):
    """One rating beside what was predicted; ratings in rating points."""

    version: str
    """One of VERSIONS."""
    evidence: MemberEvidence
    """What the prediction rested on."""
    error: float
    """The prediction less the rating."""
    movie_mean_error: float
    """What is predicted for a member of whom nothing is known, less the rating."""
    covered: bool
    """Whether the rating was within the interval."""
    probability: float
    """Of enjoying the movie, as predicted."""
    enjoyed: bool
    """Whether the rating was at or above `enjoyed_from`."""


class OutcomeMetrics:
    """Part of the service's metrics, on their registry."""

    def __init__(self, counter: Callable[..., Counter], arrays: Callable[..., ArrayHistogram]) -> None:
        """What makes a metric of each type."""
        results = counter(
            "coldstart_outcomes_total",
            "Outcomes by what became of them: recorded, duplicate, refused (too many wait) or failed (the disk).",
            "result",
        )
        self._results = {result: results.labels(result) for result in RESULTS}
        self._commits = arrays(
            "coldstart_outcome_commit_seconds", "Time until outcomes written together are on disk.", COMMIT_SECONDS
        )
        labels = ("model", "member_evidence")
        sums = [
            counter(f"coldstart_outcome_{name}_total", text, *labels)
            for name, text in (
                ("ratings", "Ratings recorded, by whose prediction they are compared with and what it rested on."),
                ("squared_error", "Sum of the squared errors of predictions, in rating points squared."),
                ("movie_mean_squared_error", "The same of the movies' means, as predicted with nothing known."),
                ("covered", "Ratings within the 90 % interval."),
                ("enjoyed", "Ratings at or above enjoyed_from."),
                ("expected_enjoyed", "Sum of the predicted probabilities to enjoy."),
            )
        ]
        self._sums = {
            (version, evidence): [each.labels(version, evidence.name.lower()) for each in sums]
            for version in VERSIONS
            for evidence in MemberEvidence
        }
        enjoyed = counter(
            "coldstart_outcome_probability_enjoyed_total",
            "Ratings at or above enjoyed_from, by the upper end of the bin of the predicted probability.",
            "probability",
        )
        expected = counter(
            "coldstart_outcome_probability_expected_total",
            "Sum of the predicted probabilities to enjoy, by the same bins.",
            "probability",
        )
        ends = [f"{(number + 1) / PROBABILITIES:g}" for number in range(PROBABILITIES)]
        self._bins = [(enjoyed.labels(end), expected.labels(end)) for end in ends]

    def ended(self, result: str) -> None:
        """Count an outcome, by one of RESULTS."""
        self._results[result].inc()

    def commit(self, seconds: float) -> None:
        """Measure a durable write."""
        self._commits.observe(np.array([seconds]))

    def add_rating(self, one: RatedPrediction) -> None:
        """Add a rating to the sums."""
        values = (
            1.0, one.error**2, one.movie_mean_error**2, float(one.covered), float(one.enjoyed), one.probability,
        )  # fmt: skip
        for counter, value in zip(self._sums[one.version, one.evidence], values, strict=True):
            counter.inc(value)
        enjoyed, expected = self._bins[min(int(one.probability * PROBABILITIES), PROBABILITIES - 1)]
        enjoyed.inc(float(one.enjoyed))
        expected.inc(one.probability)
