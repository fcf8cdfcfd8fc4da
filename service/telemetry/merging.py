"""Merges the metrics of several processes into one set, in which no counter ever decreases.

A counter is summed over all processes, past and present: when a process ends, its last counts are added once to the
total of ended processes. So neither a restart nor a slow process lowers a counter or adds a series. A gauge covers only
running processes, and is merged as its definition states.
"""

import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, Metric


class Merge(StrEnum):
    """How the values of a gauge in several processes are merged into one."""

    SUM = "sum"
    """Sum of the values."""
    MAX = "max"
    """Maximum, ignoring NaN; NaN if all values are NaN."""
    MIN = "min"
    """Minimum, ignoring NaN; NaN if all values are NaN."""
    EVERY = "every"
    """1 if the value is 1 in every worker and no worker is missing, else 0."""


LIBRARY_GAUGES = {
    "process_virtual_memory_bytes": Merge.SUM,
    "process_resident_memory_bytes": Merge.SUM,
    "process_start_time_seconds": Merge.MIN,
    "process_open_fds": Merge.MAX,
    "process_max_fds": Merge.MIN,
}
"""How the gauges of prometheus_client's own collectors are merged. Those not listed are 1 in every process."""
COUNTED = ("counter", "histogram", "summary")


class Family(NamedTuple):
    """A metric with its series, in the form in which processes exchange it."""

    name: str
    kind: str
    """Type of the metric: `counter`, `gauge`, `histogram`, …"""
    text: str
    merge: str
    """A `Merge` value for a gauge, else empty."""
    series: list[tuple[str, dict[str, str], float]]
    """Name, labels and value of each series."""

    @staticmethod
    def of(metric: Metric, merge: str = "") -> "Family":
        """Convert a metric of prometheus_client; `merge` says how a gauge is merged with those of other processes."""
        series = [(sample.name, sample.labels, sample.value) for sample in metric.samples]
        return Family(metric.name, metric.type, metric.documentation, merge, series)


def snapshot(registry: CollectorRegistry, merges: Mapping[str, Merge]) -> list[Family]:
    """Return the current metrics of a process, to be merged; `merges` says how each gauge is merged, by name."""
    ways = {**LIBRARY_GAUGES, **merges}
    return [
        Family.of(metric, "" if metric.type in COUNTED else ways.get(metric.name, Merge.MAX))
        for metric in registry.collect()
    ]


def parse_snapshot(content: Any) -> list[Family]:
    """Convert decoded JSON to the metrics of a process. Raises ValueError if the content is malformed."""
    try:
        return [
            Family(
                str(name), str(kind), str(text), str(Merge(merge)) if merge else "",
                [(str(sample), dict(labels), float(value)) for sample, labels, value in series],
            )
            for name, kind, text, merge, series in content
        ]  # fmt: skip
    except (TypeError, ValueError) as error:
        raise ValueError("that is no snapshot of metrics") from error


class MergedMetrics:
    """The metrics of all processes merged into one set, including those of processes that have ended."""

    def __init__(self) -> None:
        self._ended: list[Family] = []

    def add_ended(self, last: list[Family]) -> None:
        """Keep the last metrics of a process that has ended. Must be called once per process."""
        counted = [family for family in last if family.kind in COUNTED]
        self._ended = [Family.of(metric) for metric in _merged([self._ended, counted], 0)]

    def merge(self, snapshots: Iterable[list[Family]], wanted: int) -> list[Metric]:
        """Return the metrics of the running processes, in `snapshots`, merged with those of ended processes.

        `wanted` is the number of workers that should be running.
        """
        return _merged([*snapshots, self._ended], wanted)


def _merged(snapshots: Iterable[list[Family]], wanted: int) -> list[Metric]:
    families: dict[str, Family] = {}
    values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], list[float]]] = {}
    for snapshot_of_process in snapshots:
        for family in snapshot_of_process:
            families.setdefault(family.name, family)
            series = values.setdefault(family.name, {})
            for name, labels, value in family.series:
                series.setdefault((name, tuple(labels.items())), []).append(value)
    metrics = []
    for family in families.values():
        metric = Metric(family.name, family.text, family.kind)
        for (name, label_items), process_values in values[family.name].items():
            metric.add_sample(name, dict(label_items), _merged_value(process_values, family.merge, wanted))
        metrics.append(metric)
    return metrics


def _merged_value(values: list[float], merge: str, wanted: int) -> float:
    """Merge the values of one series in all processes. If `merge` is empty, it is their sum."""
    if merge in (Merge.MAX, Merge.MIN):
        choose = max if merge == Merge.MAX else min
        return choose((value for value in values if not math.isnan(value)), default=math.nan)
    if merge == Merge.EVERY:
        return float(len(values) >= wanted and all(value == 1 for value in values))
    return math.fsum(values)
