"""A Prometheus histogram that takes a whole array of values at once."""

import threading
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry


class ArrayHistogram(Collector):
    """Counts values between 0 and 1; a thousand of them cost little more than one."""

    def __init__(self, name: str, help_text: str, bounds: Sequence[float], registry: CollectorRegistry) -> None:
        self._name = name
        self._help = help_text
        self._bounds = np.asarray(bounds, float)
        self._counts = np.zeros(len(bounds) + 1, np.int64)
        self._sum = 0.0
        self._lock = threading.Lock()
        registry.register(self)

    def observe(self, values: NDArray[np.float64]) -> None:
        """Count each value in the first bucket whose upper bound is not below it."""
        counts = np.bincount(np.searchsorted(self._bounds, values), minlength=len(self._counts))
        total = float(values.sum())
        with self._lock:
            self._counts += counts
            self._sum += total

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """The buckets, cumulated as Prometheus has them."""
        with self._lock:
            cumulated, total = self._counts.cumsum(), self._sum
        names = [*map(str, self._bounds.tolist()), "+Inf"]
        buckets = [(name, float(count)) for name, count in zip(names, cumulated, strict=True)]
        yield HistogramMetricFamily(self._name, self._help, buckets=buckets, sum_value=total)

    def describe(self) -> Iterable[HistogramMetricFamily]:
        """The name alone, for the registry's check of duplicates."""
        yield HistogramMetricFamily(self._name, self._help)
