"""Drift of the last hour's requests from the raters that the model was trained on, as population stability indices."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from service.telemetry import metric_definitions as definitions
from service.telemetry.merging import Family, Merge

SLOTS, SLOT_SECONDS = 6, 600.0
"""Number and length of the parts into which the last hour's counts are divided, so that old ones can be dropped."""
FEWEST_REQUESTS = 300
"""Minimum number of requests counted in the last hour. With fewer, an index would reflect chance rather than drift."""
EMPTY_COUNT = 0.5
"""Count that is used for an empty bin, so that the index stays finite."""


class BinCounts(NamedTuple):
    """Counts of one input, such as an attribute, by bin: as observed, and as expected if members were like raters."""

    kind: str
    """Kind of input: `attribute`, `plays` or `prediction`."""
    name: str
    """Name of the attribute or predicted quantity; `plays` for the number of plays."""
    counts: list[float]
    """(B,) observed counts. The last bin of an attribute counts unknown values."""
    expected: list[float]
    """(B,) expected counts: the total of `counts`, distributed over the bins as among raters."""
    flagged: float
    """Number of values in unseen categories; for `extrapolation`, number of members far from the training data."""


class DriftCounts(NamedTuple):
    """What one worker has counted since its previous report, to detect drift."""

    version: str
    """Model version that answered the requests."""
    requests: float
    """Number of requests."""
    inputs: list[BinCounts]
    """Counts by bin of every attribute, the plays and each predicted quantity, in the model's order."""


def parse_drift_counts(content: Any) -> DriftCounts:
    """Convert decoded JSON to what a worker has counted. Raises ValueError if it is malformed."""
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
    """Return the population stability index (PSI) of (B,) counts relative to (B,) expected counts with the same sum.

    The PSI is the sum over bins of (p - q) log(p / q), with observed share p and expected share q (Siddiqi, Credit Risk
    Scorecards, 2006). A value below 0.1 means no significant shift, one above 0.25 that the population has changed.
    Returns NaN if the sum is below `FEWEST_REQUESTS`.
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
    """The counts of all workers over the last hour, cleared whenever a different model version is served."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._version: str | None = None
        self._worker_versions: dict[int, str] = {}
        self._slots: list[tuple[float, DriftCounts]] = []

    def add(self, worker: int, counts: DriftCounts) -> None:
        """Add what a worker has counted since its previous report.

        If the worker has switched to a new version, the window switches too and is cleared. Counts of versions other
        than the window's are dropped.
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
        """Return the drift metrics of the last hour, with a series for each input once a model is being served."""
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
    """Return a gauge metric with a series for each pair of label values and value."""
    name, labels = definition.name, definition.labels
    samples = [(name, dict(zip(labels, label_values, strict=True)), value) for label_values, value in series]
    return Family(name, "gauge", definition.help_text, Merge.MAX, samples)


def _index(bins: BinCounts) -> float:
    return stability_index(bins.counts, bins.expected)


def _ratio(part: float, bins: BinCounts) -> float:
    """Return the count `part` as a share of all counts of an input, such as an attribute; NaN if there are none."""
    total = sum(bins.counts)
    return part / total if total else math.nan


def _sum(first: DriftCounts, second: DriftCounts) -> DriftCounts:
    """Return the sum of two sets of counts by bin, of the same model version, whose bins therefore match."""
    inputs = [
        BinCounts(
            a.kind, a.name, [x + y for x, y in zip(a.counts, b.counts, strict=True)],
            [x + y for x, y in zip(a.expected, b.expected, strict=True)], a.flagged + b.flagged,
        )
        for a, b in zip(first.inputs, second.inputs, strict=True)
    ]  # fmt: skip
    return DriftCounts(first.version, first.requests + second.requests, inputs)
