"""A backlog counts every measurement exactly once, before the metrics are read."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from prometheus_client import CollectorRegistry, Counter

from features.schema import Scale
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.prediction.predictions import Predictions
from service.telemetry.backlog import Backlog
from service.telemetry.metrics.service_metrics import Metrics


def test_waiting_items_are_counted_before_the_metrics_are_read():
    registry = CollectorRegistry()
    backlog = Backlog(lambda items: counter.inc(sum(items)), 1000, registry)
    counter = Counter("things", "Things.", registry=registry)
    backlog.add(2)
    backlog.add(3)
    assert registry.get_sample_value("things_total") == 5
    assert registry.get_sample_value("things_total") == 5


def test_a_full_backlog_is_counted_at_once():
    batches: list[list[int]] = []
    backlog = Backlog(batches.append, 3, CollectorRegistry())
    for item in range(7):
        backlog.add(item)
    assert batches == [[0, 1, 2], [3, 4, 5]]
    backlog.flush()
    assert batches[2:] == [[6]]
    backlog.flush()
    assert len(batches) == 3


def test_nothing_is_lost_where_many_threads_count():
    counted: list[int] = []
    backlog = Backlog(counted.extend, 7, CollectorRegistry())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(backlog.add, range(4000)))
    backlog.flush()
    assert sorted(counted) == list(range(4000))


def test_answers_and_stages_are_read_as_soon_as_they_are_given():
    metrics, two = Metrics(), np.full(2, 3.0)
    predictions = Predictions(two, two - 1, two + 1, two / 4, two, np.array([1, 3], np.int8), two, MemberEvidence.PLAYS)
    for _ in range(3):
        metrics.answers.count_predictions(predictions, Scale(1, 5, 4))
    metrics.answers.time_stage("trees", 0.001, 4)
    value = metrics.registry.get_sample_value
    for movie in MovieEvidence:
        labels = {"member_evidence": "plays", "movie_evidence": movie.name.lower()}
        assert value("coldstart_predictions_total", labels) == (0 if movie is MovieEvidence.DESCRIBED else 3)
    assert value("coldstart_predicted_rating_position_sum") == 3
    assert value("coldstart_interval_width_position_count") == 6
    assert value("coldstart_stage_seconds_count", {"stage": "trees"}) == 4
    assert value("coldstart_stage_seconds_sum", {"stage": "trees"}) == 0.004
    assert value("coldstart_stage_seconds_count", {"stage": "encode"}) == 0
