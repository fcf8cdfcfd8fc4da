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
        labels: Sequence[str] = (),
        series: Iterable[Sequence[str]] = ((),),
    ) -> None:
        """With labels there is one series for each of their values; `add_series` makes more."""
        self._name = name
        self._help = help_text
        self._labels = list(labels)
        self._bounds = np.asarray(bounds, float)
        self._counts: dict[tuple[str, ...], NDArray[np.int64]] = {}
        self._sums: dict[tuple[str, ...], float] = {}
        self._lock = threading.Lock()
        for label_values in series:
            self.add_series(*label_values)
        registry.register(self)

    def add_series(self, *label_values: str) -> None:
        """One more series, empty as yet; nothing where there is one already."""
        with self._lock:
            self._counts.setdefault(label_values, np.zeros(len(self._bounds) + 1, np.int64))
            self._sums.setdefault(label_values, 0.0)

    def observe(self, values: NDArray[np.float64], *label_values: str) -> None:
        """Count each value in the first bucket whose upper bound is not below it."""
        counts = np.bincount(np.searchsorted(self._bounds, values), minlength=len(self._bounds) + 1)
        total = float(values.sum())
        with self._lock:
            self._counts[label_values] += counts
            self._sums[label_values] += total

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """The buckets, cumulated as Prometheus has them."""
        with self._lock:
            found = {values: (counts.cumsum(), self._sums[values]) for values, counts in self._counts.items()}
        names = [*map(str, self._bounds.tolist()), "+Inf"]
        family = HistogramMetricFamily(self._name, self._help, labels=self._labels)
        for values, (cumulated, total) in found.items():
            buckets = [(name, float(count)) for name, count in zip(names, cumulated, strict=True)]
            family.add_metric(values, buckets, total)
        yield family

    def describe(self) -> Iterable[HistogramMetricFamily]:
        """The name alone, for the registry's check of duplicates."""
        yield HistogramMetricFamily(self._name, self._help)
