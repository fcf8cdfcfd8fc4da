"""A queue of measurements, which are counted in batches because that is cheaper than counting them one by one."""

import threading
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.registry import Collector

Item = TypeVar("Item")
Key = TypeVar("Key")


class Backlog(Collector, Generic[Item]):
    """Queues measurements and passes them in batches to a function that counts them in metrics.

    A backlog is a collector without metrics of its own. Register it before the metrics that it updates, so that it is
    flushed whenever they are read.
    """

    def __init__(self, count: Callable[[list[Item]], None], capacity: int, registry: CollectorRegistry) -> None:
        """Create a backlog that calls `count` with its items when it has `capacity` items or the registry is read."""
        self._count = count
        self._capacity = capacity
        self._items: list[Item] = []
        self._counting = threading.Lock()
        registry.register(self)

    def add(self, item: Item) -> None:
        """Queue a measurement; may be called from any thread."""
        self._items.append(item)
        if len(self._items) >= self._capacity:
            self.flush()

    def flush(self) -> None:
        """Count all queued measurements."""
        with self._counting:  # reading the metrics waits for a thread that is already counting
            items = self._items[:]
            del self._items[: len(items)]  # other threads may have added more meanwhile
            if items:
                self._count(items)

    def collect(self) -> Iterable[Metric]:
        """Flush the backlog and return no metrics."""
        self.flush()
        return ()

    def describe(self) -> Iterable[Metric]:
        """Return no metrics, since a backlog has none of its own."""
        return ()


def grouped(pairs: Iterable[tuple[Key, Item]]) -> Iterable[tuple[Key, list[Item]]]:
    """Group queued measurements by key, keeping their order."""
    groups: dict[Key, list[Item]] = {}
    for key, item in pairs:
        groups.setdefault(key, []).append(item)
    return groups.items()
