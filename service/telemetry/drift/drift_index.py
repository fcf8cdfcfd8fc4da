"""Population stability indices of the last hour's requests against the model's training population."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from service.telemetry import metric_definitions as definitions
from service.telemetry.merging import Family, Merge

SLOTS, SLOT_SECONDS = 6, 600.0
"""The window is a ring of slots of this length, an hour in all."""
FEWEST_REQUESTS = 300
"""With fewer counts in the window, an index shows chance rather than drift."""
EMPTY_COUNT = 0.5
"""The count that stands for an empty bin, so that the index stays finite."""


class BinCounts(NamedTuple):
    """The histogram of one input in the bins of its reference."""

    kind: str
    """`attribute`, `plays` or `prediction`."""
    name: str
    """The attribute, from the model's own list, or what is predicted."""
    counts: list[float]
    """(B,) in each bin; the last bin of an attribute holds unknown values."""
    expected: list[float]
    """(B,) the same total, spread over the bins as among raters."""
    flagged: float
    """Values in unseen categories of an attribute; members far out for `extrapolation`."""


class DriftCounts(NamedTuple):
    """The requests of one worker since it was last asked."""

    version: str
    """The model version that answered them."""
    requests: float
    """The number of requests."""
    inputs: list[BinCounts]
    """All inputs, in the model's order."""


def parse_drift_counts(content: Any) -> DriftCounts:
    """A worker's counts from parsed JSON; raises ValueError for anything else."""
    try:
        version, requests, inputs = content
        return DriftCounts(
            str(version), float(requests),
            [
                BinCounts(str(kind), str(name), list(map(float, counts)), list(map(float, expected)), float(flagged))
                for kind, name, counts, expected, flagged in inputs
            ],
        )  # fmt: skip
    except (TypeError, ValueError) as error:
        raise ValueError("that is no count of requests") from error


def stability_index(counts: Sequence[float], expected: Sequence[float]) -> float:
    """The population stability index of (B,) counts in bins against (B,) expected counts of the same sum.

    The sum of (p - q) log(p / q) over the bins' shares (Siddiqi, Credit Risk Scorecards, 2006): below 0.1 is no shift,
    above 0.25 is another population. NaN below `FEWEST_REQUESTS`.
    """
    total = sum(expected)
    if total < FEWEST_REQUESTS:
        return math.nan
    index = 0.0
    for count, expected_count in zip(counts, expected, strict=True):
        p, q = max(count, EMPTY_COUNT) / total, expected_count / total
        index += (p - q) * math.log(p / q)
    return index


class DriftWindow:
    """Sliding window over the counts of all workers, emptied whenever another version comes to serve."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._version: str | None = None
        self._worker_versions: dict[int, str] = {}
        self._slots: list[tuple[float, DriftCounts]] = []

    def add(self, worker: int, counts: DriftCounts) -> None:
        """Add the counts of a worker.

        The last worker to change its version decides which version serves; counts for any other are dropped.
        """
        if self._worker_versions.get(worker) != counts.version:
            self._worker_versions[worker] = counts.version
            if self._version != counts.version:
                self._version, self._slots = counts.version, []
        if counts.version != self._version:
            return
        now = self._clock()
        slot = now - now % SLOT_SECONDS
        if self._slots and self._slots[-1][0] == slot:
            self._slots[-1] = slot, _sum(self._slots[-1][1], counts)
        else:
            self._slots = [*self._slots[1 - SLOTS :], (slot, counts)]

    def families(self) -> list[Family]:
        """The drift metrics, with a series for every input as soon as a model serves."""
        since = self._clock() - SLOTS * SLOT_SECONDS
        recent = [counts for slot, counts in self._slots if slot > since]
        window = recent[0] if recent else DriftCounts("", 0.0, [])
        for counts in recent[1:]:
            window = _sum(window, counts)
        attributes = [bins for bins in window.inputs if bins.kind == "attribute"]
        others = [bins for bins in window.inputs if bins.kind != "attribute"]
        far = [bins for bins in others if bins.name == "extrapolation"]
        return [
            _family(definitions.ATTRIBUTE_DRIFT, [((bins.name,), _index(bins)) for bins in attributes]),
            _family(
                definitions.ATTRIBUTE_MISSING, [((bins.name,), _ratio(bins.counts[-1], bins)) for bins in attributes]
            ),
            _family(definitions.ATTRIBUTE_UNSEEN, [((bins.name,), _ratio(bins.flagged, bins)) for bins in attributes]),
            _family(definitions.DRIFT_INDEX, [((bins.name,), _index(bins)) for bins in others]),
            _family(definitions.FAR_EXTRAPOLATION, [((), _ratio(bins.flagged, bins)) for bins in far]),
            _family(definitions.DRIFT_WINDOW_REQUESTS, [((), window.requests)]),
        ]


def _family(definition: definitions.GaugeDefinition, series: Iterable[tuple[tuple[str, ...], float]]) -> Family:
    """A gauge with the given label values and values."""
    name, labels = definition.name, definition.labels
    samples = [(name, dict(zip(labels, label_values, strict=True)), value) for label_values, value in series]
    return Family(name, "gauge", definition.help_text, Merge.MAX, samples)


def _index(bins: BinCounts) -> float:
    return stability_index(bins.counts, bins.expected)


def _ratio(part: float, bins: BinCounts) -> float:
    """A count as a share of all counts; NaN without any."""
    total = sum(bins.counts)
    return part / total if total else math.nan


def _sum(first: DriftCounts, second: DriftCounts) -> DriftCounts:
    """The counts of two, which are of the same version and so of the same inputs and bins."""
    inputs = [
        BinCounts(
            a.kind, a.name, [x + y for x, y in zip(a.counts, b.counts, strict=True)],
            [x + y for x, y in zip(a.expected, b.expected, strict=True)], a.flagged + b.flagged,
        )
        for a, b in zip(first.inputs, second.inputs, strict=True)
    ]  # fmt: skip
    return DriftCounts(first.version, first.requests + second.requests, inputs)
