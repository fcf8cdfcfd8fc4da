"""A limit on concurrent calls that adapts: as many as possible without slowing each of them down much.

Based on the Gradient2 limit of Netflix's concurrency-limits. Gradient2 estimates the duration of a call without load by
a slow moving average over all calls, which sustained overload raises. Here the average mostly covers calls that ran
alone.
"""

import math

FIRST_LIMIT = 16.0
TOLERANCE = 2.0
"""Average slowdown of calls, relative to running alone, above which the limit is scaled down.

A slowdown of 2 means that two calls share a core.
"""
SMOOTHING = 0.2
"""Smoothing factor of the limit: weight of the new value in each step."""
ALONE_WEIGHT = 0.05
"""Weight of a call that ran alone in the moving average of the duration without load."""
BUSY_WEIGHT = 0.00001
"""Weight, in the same average, of a call that ran along with others. The average slowly follows costlier calls."""
SLOWDOWN_WEIGHT = 0.05
"""Weight of one call in the moving average of the slowdown."""


class AdaptiveLimit:
    """A limit on the total cost of running calls, in units of a small call, which is adapted after each call.

    It stays between a minimum and a maximum, and starts at `FIRST_LIMIT`, clipped to this range.
    """

    def __init__(self, least: int, most: int) -> None:
        self._least = least
        self._most = most
        self._limit = min(max(FIRST_LIMIT, least), most)
        self._alone_seconds: dict[str, float] = {}
        self._slowdown = 1.0

    @property
    def value(self) -> int:
        """Maximum total cost of the calls that run at once, in units of a small call."""
        return int(self._limit)

    def ended(self, method: str, seconds: float, in_flight: int) -> None:
        """Adapt the limit after a call, by how much slower it was than such calls are alone.

        Args:
            method: Path of the method.
            seconds: Duration of the call, from its arrival to its end.
            in_flight: Number of running and waiting calls, including this call.
        """
        if seconds <= 0:
            return
        alone = self._alone_seconds.get(method, seconds)
        share = ALONE_WEIGHT if in_flight <= 1 else BUSY_WEIGHT
        self._alone_seconds[method] = alone + share * (seconds - alone)
        self._slowdown += SLOWDOWN_WEIGHT * (seconds / alone - self._slowdown)
        gradient = min(max(TOLERANCE / self._slowdown, 0.5), 1.0)
        wanted = self._limit * gradient + math.sqrt(self._limit)
        if wanted > self._limit and in_flight < self._limit / 2:
            return  # a low load gives no evidence that a higher load is possible
        self._limit = min(max(self._limit + SMOOTHING * (wanted - self._limit), self._least), self._most)
