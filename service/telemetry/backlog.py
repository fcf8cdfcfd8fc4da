"""Holds what is to be counted until there is much of it or the metrics are read: many cost little more than one."""

import threading
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.registry import Collector

Item = TypeVar("Item")


class Backlog(Collector, Generic[Item]):
    """Items to count. It is no metric itself, but counts when a registry collects the metrics registered after it."""

    def __init__(self, count: Callable[[list[Item]], None], most: int, registry: CollectorRegistry) -> None:
        """`count` is told of all items, at the latest when there are `most`."""
        self._count = count
        self._most = most
        self._items: list[Item] = []
        self._counting = threading.Lock()
        registry.register(self)

    def add(self, item: Item) -> None:
        """Hold one more, from any thread."""
        self._items.append(item)
        if len(self._items) >= self._most:
            self.flush()

    def flush(self) -> None:
        """Count all that is held."""
        with self._counting:  # who reads the metrics waits for those who count already
            items = self._items[:]
            del self._items[: len(items)]  # the rest was added meanwhile
            if items:
                self._count(items)

    def collect(self) -> Iterable[Metric]:
        """Nothing of its own."""
        self.flush()
        return ()

    def describe(self) -> Iterable[Metric]:
        """Nothing of its own."""
        return ()
