"""Measurements that wait to be counted together, which costs little more than counting a single measurement."""

import threading
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.registry import Collector

Item = TypeVar("Item")
Key = TypeVar("Key")


class Backlog(Collector, Generic[Item]):
    """Collects measurements and counts them in batches.

    It is a collector without metrics: register it before the metrics that it feeds, so that it is flushed first
    whenever they are read.
    """

    def __init__(self, count: Callable[[list[Item]], None], capacity: int, registry: CollectorRegistry) -> None:
        """`count` gets all waiting items as soon as there are `capacity` of them, or the registry is read."""
        self._count = count
        self._capacity = capacity
        self._items: list[Item] = []
        self._counting = threading.Lock()
        registry.register(self)

    def add(self, item: Item) -> None:
        """Add a measurement; may be called from any thread."""
        self._items.append(item)
        if len(self._items) >= self._capacity:
            self.flush()

    def flush(self) -> None:
        """Count everything that waits."""
        with self._counting:  # a reader of the metrics waits for a thread that is counting already
            items = self._items[:]
            del self._items[: len(items)]  # other threads may have added more meanwhile
            if items:
                self._count(items)

    def collect(self) -> Iterable[Metric]:
        """Flush; there are no metrics of its own."""
        self.flush()
        return ()

    def describe(self) -> Iterable[Metric]:
        """No metrics of its own."""
        return ()


def grouped(pairs: Iterable[tuple[Key, Item]]) -> Iterable[tuple[Key, list[Item]]]:
    """The items of each key, in order."""
    groups: dict[Key, list[Item]] = {}
    for key, item in pairs:
        groups.setdefault(key, []).append(item)
    return groups.items()
