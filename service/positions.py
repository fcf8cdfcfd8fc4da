"""A Prometheus histogram that takes a whole array of values at once."""

import threading
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry


class ArrayHistogram(Collector):
    """Counts arrays of values; a thousand values cost little more than one."""

    def __init__(
        self,
        name: str,
        help_text: str,
        bounds: Sequence[float],
        registry: CollectorRegistry,
        label: str = "",
        label_values: Sequence[str] = ("",),
    ) -> None:
        """With a label there is one series for each of its values."""
        self._name = name
        self._help = help_text
        self._label = label
        self._bounds = np.asarray(bounds, float)
        self._counts = {value: np.zeros(len(bounds) + 1, np.int64) for value in label_values}
        self._sums = dict.fromkeys(label_values, 0.0)
        self._lock = threading.Lock()
        registry.register(self)

    def observe(self, values: NDArray[np.float64], label_value: str = "") -> None:
        """Count each value in the first bucket whose upper bound is not below it."""
        counts = np.bincount(np.searchsorted(self._bounds, values), minlength=len(self._bounds) + 1)
        total = float(values.sum())
        with self._lock:
            self._counts[label_value] += counts
            self._sums[label_value] += total

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """The buckets, cumulated as Prometheus has them."""
        with self._lock:
            found = {value: (counts.cumsum(), self._sums[value]) for value, counts in self._counts.items()}
        names = [*map(str, self._bounds.tolist()), "+Inf"]
        family = HistogramMetricFamily(self._name, self._help, labels=[self._label] if self._label else [])
        for value, (cumulated, total) in found.items():
            buckets = [(name, float(count)) for name, count in zip(names, cumulated, strict=True)]
            family.add_metric([value] if self._label else [], buckets, total)
        yield family

    def describe(self) -> Iterable[HistogramMetricFamily]:
        """The name alone, for the registry's check of duplicates."""
        yield HistogramMetricFamily(self._name, self._help)
