"""Merges the metrics of several processes into one set, in which no counter ever falls.

A counter is the sum over all processes, past and present: the last counts of a process that has ended are added once to
those of all that ended before it. So neither a restart nor a process that is slow to answer lowers a counter or adds a
series. A gauge covers only living processes, merged as its definition states.
"""

import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, Metric


class Merge(StrEnum):
    """How the values of a gauge in several processes become one."""

    SUM = "sum"
    """The sum."""
    MAX = "max"
    """The highest; NaN only if all are."""
    MIN = "min"
    """The lowest."""
    EVERY = "every"
    """1 if it is 1 in every worker and no worker is missing, else 0."""


LIBRARY_GAUGES = {
    "process_virtual_memory_bytes": Merge.SUM,
    "process_resident_memory_bytes": Merge.SUM,
    "process_start_time_seconds": Merge.MIN,
    "process_open_fds": Merge.MAX,
    "process_max_fds": Merge.MIN,
}
"""How gauges of prometheus_client's own collectors are merged; its others are 1 in every process."""
COUNTED = ("counter", "histogram", "summary")


class Family(NamedTuple):
    """A metric with its series, as it is sent from process to process."""

    name: str
    kind: str
    """`counter`, `gauge`, `histogram`, …"""
    text: str
    merge: str
    """A `Merge` for a gauge, else empty."""
    series: list[tuple[str, dict[str, str], float]]
    """Name, labels and value of each series."""

    @staticmethod
    def of(metric: Metric, merge: str = "") -> "Family":
        """The metric as Prometheus collects it."""
        series = [(sample.name, sample.labels, sample.value) for sample in metric.samples]
        return Family(metric.name, metric.type, metric.documentation, merge, series)


def snapshot(registry: CollectorRegistry, merges: Mapping[str, Merge]) -> list[Family]:
    """The current values in a process; `merges` has the way of merging of its own gauges, by name."""
    ways = {**LIBRARY_GAUGES, **merges}
    return [
        Family.of(metric, "" if metric.type in COUNTED else ways.get(metric.name, Merge.MAX))
        for metric in registry.collect()
    ]


def parse_snapshot(content: Any) -> list[Family]:
    """A snapshot from parsed JSON; raises ValueError for anything else."""
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
    """The metrics of all processes, including those that have ended."""

    def __init__(self) -> None:
        self._ended: list[Family] = []

    def add_ended(self, last: list[Family]) -> None:
        """Add the last snapshot of a process that has ended, once for each process."""
        counted = [family for family in last if family.kind in COUNTED]
        self._ended = [Family.of(metric) for metric in _merged([self._ended, counted], 0)]

    def merge(self, snapshots: Iterable[list[Family]], wanted: int) -> list[Metric]:
        """All metrics, from the snapshots of living processes; `wanted` is how many workers there should be."""
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
    """One value of the values of all processes; their sum where no `Merge` is stated."""
    if merge == Merge.MAX:
        return max((value for value in values if not math.isnan(value)), default=math.nan)
    if merge == Merge.MIN:
        return min(values)
    if merge == Merge.EVERY:
        return float(len(values) >= wanted and all(value == 1 for value in values))
    return math.fsum(values)
