"""How far the requests of the last hour are from what the model was trained on: population stability indices."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from service.telemetry.merging import Family, Merge

SLOTS, SLOT_SECONDS = 6, 600.0
"""The window is a ring of so many slots of so many seconds."""
FEWEST_REQUESTS = 300
"""Of fewer counts in the window an index tells of chance."""
EMPTY_COUNT = 0.5
"""A bin in which nothing was counted stands for so much of one count, so that the index is finite."""
ROWS = (
    (
        "coldstart_attribute_drift_index", "gauge", ("attribute",),
        "Stability index (PSI) of the last hour's values, of members of whom any attribute is known; NaN below 300.",
    ),
    (
        "coldstart_attribute_missing_ratio", "gauge", ("attribute",),
        "Share of the same members whose value the model can't tell.",
    ),
    (
        "coldstart_attribute_unseen_ratio", "gauge", ("attribute",),
        'Share of the same members whose value is in a category that the model has not seen and has no "other" for.',
    ),
    (
        "coldstart_drift_index", "gauge", ("input",),
        "The same index of plays, predicted ratings, widths of intervals and extrapolations; see docs/operations.md.",
    ),
    (
        "coldstart_far_extrapolation_ratio", "gauge", (),
        "Share of the last hour's predicted requests whose member lies farther out than 95 % of raters.",
    ),
    (
        "coldstart_drift_window_requests", "gauge", (),
        "Requests of the last hour that the indices are of, answered by the current model.",
    ),
)  # fmt: skip
"""Name, type, labels and meaning of each, as in `service.telemetry.metrics.service_metrics`."""


class BinCounts(NamedTuple):
    """Counts of one input in the bins of its reference."""

    kind: str
    """`attribute`, `plays` or `prediction`."""
    name: str
    """The attribute's, from the model's own list, or what is predicted."""
    counts: list[float]
    """(B,) in each bin; the last one of an attribute is of values that aren't known."""
    expected: list[float]
    """(B,) as many counts, as they would be among raters."""
    noted: float
    """Unseen categories of an attribute; far ones of `extrapolation`."""


class DriftCounts(NamedTuple):
    """What a worker has counted since it was last asked."""

    version: str
    """Of the model that answered."""
    requests: float
    """How many."""
    tallies: list[BinCounts]
    """Of all inputs, in the model's order."""


def parse_drift_counts(told: Any) -> DriftCounts:
    """What a worker told, from parsed JSON; raises ValueError for anything else."""
    try:
        version, requests, tallies = told
        return DriftCounts(
            str(version), float(requests),
            [
                BinCounts(str(kind), str(name), list(map(float, counts)), list(map(float, expected)), float(noted))
                for kind, name, counts, expected, noted in tallies
            ],
        )  # fmt: skip
    except (TypeError, ValueError) as error:
        raise ValueError("that is no count of requests") from error


def stability_index(counts: Sequence[float], expected: Sequence[float]) -> float:
    """The population stability index of counts in bins against expected ones of the same sum.

    The sum of (p - q) log(p / q) over the bins' shares (Siddiqi, Credit Risk Scorecards, 2006): below 0.1 nothing to
    speak of, above 0.25 another population. NaN below FEWEST_REQUESTS.
    """
    total = sum(expected)
    if total < FEWEST_REQUESTS:
        return math.nan
    index = 0.0
    for count, wanted in zip(counts, expected, strict=True):
        p, q = max(count, EMPTY_COUNT) / total, wanted / total
        index += (p - q) * math.log(p / q)
    return index


class DriftWindow:
    """The window over all workers. It begins anew with each version that comes to serve."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._version: str | None = None
        self._told_by: dict[int, str] = {}
        self._slots: list[tuple[float, DriftCounts]] = []

    def add(self, worker: int, watched: DriftCounts) -> None:
        """Add what a worker has counted.

        The last worker to change its version tells which one serves; what others still count of another is left out.
        """
        if self._told_by.get(worker) != watched.version:
            self._told_by[worker] = watched.version
            if self._version != watched.version:
                self._version, self._slots = watched.version, []
        if watched.version != self._version:
            return
        now = self._clock()
        slot = now - now % SLOT_SECONDS
        if self._slots and self._slots[-1][0] == slot:
            self._slots[-1] = slot, _added(self._slots[-1][1], watched)
        else:
            self._slots = [*self._slots[1 - SLOTS :], (slot, watched)]

    def families(self) -> list[Family]:
        """The metrics: of every input a series as soon as a model serves."""
        since = self._clock() - SLOTS * SLOT_SECONDS
        recent = [watched for slot, watched in self._slots if slot > since]
        whole = recent[0] if recent else DriftCounts("", 0.0, [])
        for watched in recent[1:]:
            whole = _added(whole, watched)
        attributes = [one for one in whole.tallies if one.kind == "attribute"]
        others = [one for one in whole.tallies if one.kind != "attribute"]
        far = [one for one in others if one.name == "extrapolation"]
        values: list[Iterable[tuple[dict[str, str], float]]] = [
            [({"attribute": one.name}, stability_index(one.counts, one.expected)) for one in attributes],
            [({"attribute": one.name}, _ratio(one.counts[-1], one)) for one in attributes],
            [({"attribute": one.name}, _ratio(one.noted, one)) for one in attributes],
            [({"input": one.name}, stability_index(one.counts, one.expected)) for one in others],
            [({}, _ratio(one.noted, one)) for one in far],
            [({}, whole.requests)],
        ]
        return [
            Family(name, kind, text, Merge.MAX, [(name, labels, value) for labels, value in found])
            for (name, kind, _, text), found in zip(ROWS, values, strict=True)
        ]


def _ratio(part: float, tally: BinCounts) -> float:
    whole = sum(tally.counts)
    return part / whole if whole else math.nan


def _added(one: DriftCounts, other: DriftCounts) -> DriftCounts:
    """The counts of both, which are of one version and so of the same inputs and bins."""
    tallies = [
        BinCounts(
            a.kind, a.name, [x + y for x, y in zip(a.counts, b.counts, strict=True)],
            [x + y for x, y in zip(a.expected, b.expected, strict=True)], a.noted + b.noted,
        )
        for a, b in zip(one.tallies, other.tallies, strict=True)
    ]  # fmt: skip
    return DriftCounts(one.version, one.requests + other.requests, tallies)
