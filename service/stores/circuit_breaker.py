"""A circuit breaker: after repeated failures no call is tried for a while, then one."""

from collections.abc import Callable

FAILURES = 5
"""Failures in a row that open it."""
FIRST_SECONDS, LONGEST_SECONDS = 0.5, 10.0
"""How long it stays open at first, and at most: the time doubles with each failed trial."""


class Breaker:
    """Counts failures in a row."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._opened = 0
        self._shut_until = 0.0

    def lets_through(self) -> bool:
        """Whether a call may be tried; while it is open, one call each time that its delay is over."""
        if not self._opened:
            return True
        if self._clock() < self._shut_until:
            return False
        self._shut_until = self._clock() + FIRST_SECONDS  # the others wait for the outcome of this one
        return True

    def failed(self) -> bool:
        """Count a failed call; whether it opened the breaker."""
        self._failures += 1
        if not self._opened and self._failures < FAILURES:
            return False
        self._opened += 1
        doubled = FIRST_SECONDS * 2.0 ** min(self._opened - 1, 20)
        self._shut_until = self._clock() + min(doubled, LONGEST_SECONDS)
        return self._opened == 1

    def succeeded(self) -> bool:
        """Count an answered call; whether it closed the breaker."""
        was_open, self._failures, self._opened = self._opened > 0, 0, 0
        return was_open
