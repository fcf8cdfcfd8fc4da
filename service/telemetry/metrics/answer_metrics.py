"""Metrics of answers: predictions, durations, what the model couldn't use of requests, and look-ups of members."""

import numpy as np

from features.schema import Scale
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.prediction.model import STAGES
from model.prediction.predictions import Predictions
from service.requests.decode import UnusedFacts
from service.telemetry import metric_definitions as definitions
from service.telemetry.array_histogram import ArrayHistogram
from service.telemetry.backlog import Backlog, grouped
from service.telemetry.metrics.metric_registry import MetricRegistry, by_label

ALL_STAGES = ("lookup", "decode", *STAGES, "encode")
"""Stages of an answer: looking the member up in the external store, if there is one, then those on every answer."""
STORE_RESULTS = ("found", "unknown", "failed", "skipped")


class AnswerMetrics:
    """Metrics of the model's answers and of the requests for them."""

    def __init__(self, registry: MetricRegistry) -> None:
        self._answers: Backlog[tuple[Predictions, Scale]] = Backlog(self._count_predictions, 64, registry)
        self._stage_times: Backlog[tuple[str, float, int]] = Backlog(self._observe_stages, 512, registry)
        predictions = registry.counter(definitions.PREDICTIONS)
        self._predictions = {
            member: {movie: predictions.labels(member.name.lower(), movie.name.lower()) for movie in MovieEvidence}
            for member in MemberEvidence
        }
        self._rating_positions = ArrayHistogram(definitions.RATING_POSITION, registry)
        self._interval_widths = ArrayHistogram(definitions.INTERVAL_WIDTH, registry)
        self._unknown_movies = registry.counter(definitions.UNKNOWN_MOVIES)
        self._unknown_members = registry.counter(definitions.UNKNOWN_MEMBERS)
        self._store_lookups = by_label(registry.counter(definitions.STORE_LOOKUPS), STORE_RESULTS)
        self._damaged_lookups = registry.counter(definitions.DAMAGED_LOOKUPS)
        unused = registry.counter(definitions.UNUSED_ATTRIBUTES)
        self._unknown_attributes = unused.labels("unknown_attribute")
        self._unseen_categories = unused.labels("unseen_category")
        self._stages = ArrayHistogram(definitions.STAGE_SECONDS, registry, [(stage,) for stage in ALL_STAGES])

    def count_predictions(self, predictions: Predictions, scale: Scale) -> None:
        """Count the predictions of one response, by evidence, rating and interval width."""
        self._answers.add((predictions, scale))

    def time_stage(self, stage: str, seconds: float, answers: int = 1) -> None:
        """Record the duration of a stage of answering, one of `ALL_STAGES`, once for each of `answers` answers."""
        self._stage_times.add((stage, seconds, answers))

    def count_unused(self, unused: UnusedFacts) -> None:
        """Count what the model can't use of a request: unknown movies, members and attributes."""
        for count, counter in (
            (
                unused.unknown_movies + unused.plays_of_unknown_movies + unused.ratings_of_unknown_movies,
                self._unknown_movies,
            ),
            (unused.unknown_member, self._unknown_members),
            (unused.unknown_attributes, self._unknown_attributes),
            (unused.unseen_categories, self._unseen_categories),
        ):
            if count:
                counter.inc(count)

    def count_store_lookup(self, result: str) -> None:
        """Count a look-up of a member in the external store. `result` is one of `STORE_RESULTS`."""
        self._store_lookups[result].inc()

    def count_damaged_lookup(self) -> None:
        """Count a look-up of a member that failed because a file of the model is damaged."""
        self._damaged_lookups.inc()

    def _count_predictions(self, answers: list[tuple[Predictions, Scale]]) -> None:
        by_member = (((predictions.member_evidence, scale), predictions) for predictions, scale in answers)
        for (member, scale), group in grouped(by_member):
            movies = np.concatenate([predictions.movie_evidence for predictions in group])
            counts = np.bincount(movies, minlength=max(MovieEvidence) + 1)
            for movie, counter in self._predictions[member].items():
                counter.inc(int(counts[movie]))
            rating, lower, upper = (
                np.concatenate([getattr(predictions, name) for predictions in group])
                for name in ("rating", "lower", "upper")
            )
            self._rating_positions.observe((rating - scale.low) / scale.span)
            self._interval_widths.observe((upper - lower) / scale.span)

    def _observe_stages(self, times: list[tuple[str, float, int]]) -> None:
        for stage, durations in grouped((stage, (seconds, answers)) for stage, seconds, answers in times):
            seconds, answers = zip(*durations, strict=True)
            self._stages.observe(np.repeat(seconds, answers), stage)
