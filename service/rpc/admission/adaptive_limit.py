"""Adaptive concurrency limit: as many calls at once as don't make each of them much slower than it is alone.

After the Gradient2 limit of Netflix's concurrency-limits. Its measure of a call's time without load is a slowly moving
mean of all calls, which overload that lasts makes its own; here it is the mean of calls that ran alone.
"""

import math

FIRST_LIMIT = 16.0
TOLERANCE = 2.0
"""Ratio of a call's duration to its duration alone above which the limit sinks: two calls then share a core."""
SMOOTHING = 0.2
"""Weight of the new limit in each step."""
ALONE_WEIGHT = 0.05
"""Weight of a call that ran alone in the moving mean of such calls' durations."""
BUSY_WEIGHT = 0.00001
"""Weight of a call among others in that mean, which so slowly follows work that has become heavier."""
SLOWDOWN_WEIGHT = 0.05
"""Weight of one call in the moving mean of the slowdown."""


class AdaptiveLimit:
    """Adapts with each call that ends; starts at 16, or as near to it as the bounds allow."""

    def __init__(self, least: int, most: int) -> None:
        self._least = least
        self._most = most
        self._limit = min(max(FIRST_LIMIT, least), most)
        self._alone_seconds: dict[str, float] = {}
        self._slowdown = 1.0

    @property
    def value(self) -> int:
        """Calls that may be in flight."""
        return int(self._limit)

    def ended(self, method: str, seconds: float, in_flight: int) -> None:
        """Adapt to a call that took `seconds` from its arrival, among `in_flight` calls, itself included."""
        if seconds <= 0:
            return
        alone = self._alone_seconds.get(method, seconds)
        share = ALONE_WEIGHT if in_flight <= 1 else BUSY_WEIGHT
        self._alone_seconds[method] = alone + share * (seconds - alone)
        self._slowdown += SLOWDOWN_WEIGHT * (seconds / alone - self._slowdown)
        gradient = min(max(TOLERANCE / self._slowdown, 0.5), 1.0)
        wanted = self._limit * gradient + math.sqrt(self._limit)
        if wanted > self._limit and in_flight < self._limit / 2:
            return  # a low load says nothing about a higher one
        self._limit = min(max(self._limit + SMOOTHING * (wanted - self._limit), self._least), self._most)
