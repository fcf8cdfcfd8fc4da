"""A circuit breaker: what fails again and again is left alone for a while, then tried with one call."""

from collections.abc import Callable

FAILURES = 5
"""So many in a row open it."""
FIRST_SECONDS, LONGEST_SECONDS = 0.5, 10.0
"""How long it stays open at first, and at most: the time doubles with every try that fails."""


class Breaker:
    """Counts failures in a row."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._opened = 0
        self._shut_until = 0.0

    def lets_through(self) -> bool:
        """Whether a call may be tried; while it is open, one each time that its waiting is over."""
        if not self._opened:
            return True
        if self._clock() < self._shut_until:
            return False
        self._shut_until = self._clock() + FIRST_SECONDS  # the others wait for what this one finds
        return True

    def failed(self) -> bool:
        """A call failed; whether this opened the breaker."""
        self._failures += 1
        if not self._opened and self._failures < FAILURES:
            return False
        self._opened += 1
        doubled = FIRST_SECONDS * 2.0 ** min(self._opened - 1, 20)
        self._shut_until = self._clock() + min(doubled, LONGEST_SECONDS)
        return self._opened == 1

    def succeeded(self) -> bool:
        """A call was answered; whether this closed the breaker."""
        was_open, self._failures, self._opened = self._opened > 0, 0, 0
        return was_open
