"""How many calls may be under way at once: as many as don't make each of them much slower than it is alone.

After the Gradient2 limit of Netflix's concurrency-limits. Its measure of a call's time without load is a slowly moving
mean of all calls, which overload that lasts makes its own; here it is the mean of calls that ran alone.
"""

import math

FIRST_LIMIT = 16.0
TOLERANCE = 2.0
"""Calls may take so many times as long as alone before the limit sinks: two calls share a core then."""
SMOOTHING = 0.2
"""Share of the new limit in each step."""
ALONE_SHARE = 0.05
"""Share of one call in the mean time of calls that ran alone."""
DRIFT_SHARE = 0.00001
"""Share of a call among others in that mean: under load without end it slowly follows work that has become heavier."""
SLOWNESS_SHARE = 0.05
"""Share of one call in how much slower calls are now."""


class AdaptiveLimit:
    """Learns from each call that ends; starts at 16, or as near to it as the bounds allow."""

    def __init__(self, least: int, most: int) -> None:
        self._least = least
        self._most = most
        self._limit = min(max(FIRST_LIMIT, least), most)
        self._alone_seconds: dict[str, float] = {}
        self._slowness = 1.0

    @property
    def value(self) -> int:
        """Calls that may be under way."""
        return int(self._limit)

    def ended(self, method: str, seconds: float, under_way: int) -> None:
        """A call of a method took so long from its arrival, among so many that were under way, itself included."""
        if seconds <= 0:
            return
        alone = self._alone_seconds.get(method, seconds)
        share = ALONE_SHARE if under_way <= 1 else DRIFT_SHARE
        self._alone_seconds[method] = alone + share * (seconds - alone)
        self._slowness += SLOWNESS_SHARE * (seconds / alone - self._slowness)
        gradient = min(max(TOLERANCE / self._slowness, 0.5), 1.0)
        wanted = self._limit * gradient + math.sqrt(self._limit)
        if wanted > self._limit and under_way < self._limit / 2:
            return  # that few calls are fast says nothing of more
        self._limit = min(max(self._limit + SMOOTHING * (wanted - self._limit), self._least), self._most)
