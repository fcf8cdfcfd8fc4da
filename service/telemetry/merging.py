"""Merges the metrics of several processes into one set, in which no counter ever falls.

A counter is the sum over all processes that live and have lived: when one has ended, its counts are added once to those
of all that ended before it. So neither a restart nor a process that doesn't answer in time makes a counter fall, or a
new series. A gauge tells of processes that live, merged in the way that is stated where it is made.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, Metric


class Merge(StrEnum):
    """How the values of a gauge become one."""

    SUM = "sum"
    """Of all processes together."""
    MAX = "max"
    """The highest, NaN only where all are."""
    MIN = "min"
    """The lowest."""
    EVERY = "every"
    """1 while it is 1 in every worker and no worker is missing, else 0."""


OF_LIBRARIES = {
    "process_virtual_memory_bytes": Merge.SUM,
    "process_resident_memory_bytes": Merge.SUM,
    "process_start_time_seconds": Merge.MIN,
    "process_open_fds": Merge.MAX,
    "process_max_fds": Merge.MIN,
}
"""How the gauges of prometheus_client's own collectors are merged; its others are 1 in every process."""
COUNTED = ("counter", "histogram", "summary")


class Family(NamedTuple):
    """A metric with its series, as it travels from process to process."""

    name: str
    kind: str
    """`counter`, `gauge`, `histogram`, …"""
    text: str
    merge: str
    """A `Merge` for a gauge, else empty."""
    series: list[tuple[str, dict[str, str], float]]
    """Name, labels and value of each."""


def snapshot(registry: CollectorRegistry, merges: Mapping[str, Merge]) -> list[Family]:
    """What the process has counted and measured so far."""
    return [
        Family(
            family.name,
            family.type,
            family.documentation,
            "" if family.type in COUNTED else merges.get(family.name, OF_LIBRARIES.get(family.name, Merge.MAX)),
            [(sample.name, sample.labels, sample.value) for sample in family.samples],
        )
        for family in registry.collect()
    ]


def parse_snapshot(told: Any) -> list[Family]:
    """A snapshot from parsed JSON; raises ValueError for anything else."""
    try:
        return [
            Family(
                str(name), str(kind), str(text), str(Merge(merge)) if merge else "",
                [(str(each), dict(labels), float(value)) for each, labels, value in series],
            )
            for name, kind, text, merge, series in told
        ]  # fmt: skip
    except (TypeError, ValueError) as error:
        raise ValueError("that is no snapshot of metrics") from error


class MergedMetrics:
    """The metrics of all processes, those that ended among them."""

    def __init__(self) -> None:
        self._ended: list[Family] = []

    def add_ended(self, last: list[Family]) -> None:
        """Take in the last snapshot of a process that has ended; to be told once for each."""
        counted = [family for family in last if family.kind in COUNTED]
        self._ended = [
            Family(
                metric.name,
                metric.type,
                metric.documentation,
                "",
                [(sample.name, sample.labels, sample.value) for sample in metric.samples],
            )
            for metric in _merged([self._ended, counted], 0)
        ]

    def merge(self, snapshots: Iterable[list[Family]], wanted: int) -> list[Metric]:
        """All metrics, given the snapshots of living processes and how many workers there should be."""
        return _merged([*snapshots, self._ended], wanted)


def _merged(snapshots: Iterable[list[Family]], wanted: int) -> list[Metric]:
    families: dict[str, Family] = {}
    values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], list[float]]] = {}
    for each in snapshots:
        for family in each:
            families.setdefault(family.name, family)
            of_family = values.setdefault(family.name, {})
            for name, labels, value in family.series:
                of_family.setdefault((name, tuple(labels.items())), []).append(value)
    merged, ways = [], _ways(wanted)
    for family in families.values():
        metric = Metric(family.name, family.text, family.kind)
        one = ways[family.merge or Merge.SUM]
        for (series, of_series), found in values[family.name].items():
            metric.add_sample(series, dict(of_series), one(found))
        merged.append(metric)
    return merged


def _ways(wanted: int) -> dict[str, Callable[[list[float]], float]]:
    """What makes one value of several, by the name of the `Merge`."""
    return {
        Merge.SUM: math.fsum,
        Merge.MAX: lambda found: max((value for value in found if not math.isnan(value)), default=math.nan),
        Merge.MIN: min,
        Merge.EVERY: lambda found: float(len(found) >= wanted and all(value == 1 for value in found)),
    }
