"""Metrics of several processes merge into one set, in which no counter ever falls."""

import json
import math
import tracemalloc

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from service.telemetry.merging import Merge, MergedMetrics, parse_snapshot, snapshot

WAYS = {f"gauge_{merge}": merge for merge in Merge}


def process(calls=0, seconds=(), **gauges):
    """The snapshot of a process, as the supervisor parses it."""
    registry = CollectorRegistry()
    counter = Counter("calls_total", "Calls.", ["code"], registry=registry)
    counter.labels("OK").inc(calls)
    counter.labels("INTERNAL")
    histogram = Histogram("seconds", "Time.", buckets=(1, 10), registry=registry)
    for duration in seconds:
        histogram.observe(duration)
    Info("build", "Build.", registry=registry).info({"version": "1"})
    for name, value in gauges.items():
        Gauge(name, "A gauge.", registry=registry).set(value)
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    return parse_snapshot(json.loads(json.dumps(snapshot(registry, WAYS))))


def values(metrics):
    series = [
        ((sample.name, *sorted(sample.labels.values())), sample.value)
        for metric in metrics
        for sample in metric.samples
    ]
    assert len(dict(series)) == len(series), "each series once"
    return dict(series)


def test_counts_and_histograms_are_added_and_what_only_informs_stays():
    merged = values(MergedMetrics().merge([process(3, [0.5, 5]), process(4, [50])], 2))
    assert merged["calls_total", "OK"] == 7
    assert merged["calls_total", "INTERNAL"] == 0
    assert [merged["seconds_bucket", bound] for bound in ("1.0", "10.0", "+Inf")] == [1, 2, 3]
    assert (merged["seconds_count",], merged["seconds_sum",]) == (3, 55.5)
    assert merged["build_info", "1"] == 1
    assert [value for (name, *_), value in merged.items() if name == "python_info"] == [1]


@pytest.mark.parametrize(
    ("merge", "process_values", "expected"),
    [
        (Merge.SUM, (1, 2), 3),
        (Merge.MAX, (2, 1), 2),
        (Merge.MAX, (math.nan, 1), 1),
        (Merge.MAX, (math.nan, math.nan), math.nan),
        (Merge.MIN, (2, 1), 1),
        (Merge.MIN, (math.nan, 1), 1),
        (Merge.EVERY, (1, 1), 1),
        (Merge.EVERY, (1, 0), 0),
    ],
)
def test_gauges_are_merged_as_stated(merge, process_values, expected):
    merged = values(MergedMetrics().merge([process(**{f"gauge_{merge}": value}) for value in process_values], 2))
    assert merged[f"gauge_{merge}",] == pytest.approx(expected, nan_ok=True)


def test_what_holds_for_every_worker_does_not_hold_while_one_is_missing():
    assert values(MergedMetrics().merge([process(gauge_every=1)], 2))["gauge_every",] == 0


def test_memory_and_time_of_the_processes_are_added_and_the_oldest_gives_the_start():
    single = values(MergedMetrics().merge([process()], 1))
    double = values(MergedMetrics().merge([process(), process()], 2))
    assert double["process_resident_memory_bytes",] > 1.5 * single["process_resident_memory_bytes",]
    assert double["process_cpu_seconds_total",] > 1.5 * single["process_cpu_seconds_total",]
    assert double["process_start_time_seconds",] == single["process_start_time_seconds",]
    assert double["process_max_fds",] == single["process_max_fds",]


def test_counts_of_ended_processes_stay_and_their_gauges_go():
    merged = MergedMetrics()
    merged.add_ended(process(3, [5], gauge_sum=1))
    merged.add_ended(process(4, [5], gauge_sum=1))
    after = values(merged.merge([process(0, [], gauge_sum=1)], 1))
    assert after["calls_total", "OK"] == 7
    assert after["seconds_bucket", "10.0"] == after["seconds_count",] == 2
    assert after["gauge_sum",] == 1
    assert values(merged.merge([], 1))["calls_total", "OK"] == 7


def test_a_process_that_ended_before_its_first_snapshot_changes_nothing():
    merged = MergedMetrics()
    merged.add_ended(process(3))
    merged.add_ended([])
    assert values(merged.merge([process(1)], 1))["calls_total", "OK"] == 4


def test_a_thousand_restarts_make_no_new_series_and_take_no_memory():
    merged, last = MergedMetrics(), process(1, [5])
    merged.add_ended(last)
    series = set(values(merged.merge([last], 1)))
    tracemalloc.start()
    merged.add_ended(last)
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(998):
        merged.add_ended(last)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    after = values(merged.merge([last], 1))
    assert set(after) == series
    assert after["calls_total", "OK"] == 1001
    assert grown < 20_000


@pytest.mark.parametrize(
    "content",
    [None, 5, "text", [5], [["a"]], [["a", "gauge", "", "best", []]], [["a", "gauge", "", "max", [["a", {}, "x"]]]]],
)
def test_anything_but_a_snapshot_is_refused(content):
    with pytest.raises(ValueError, match="no snapshot"):
        parse_snapshot(content)
