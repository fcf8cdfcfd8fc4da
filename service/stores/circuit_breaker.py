"""A circuit breaker: after repeated failures it blocks calls for a while, then lets one trial call through."""

from collections.abc import Callable

FAILURES = 5
"""Number of consecutive failures that opens the breaker."""
FIRST_SECONDS, LONGEST_SECONDS = 0.5, 10.0
"""Initial and maximum delay before a trial call, in seconds. The delay doubles with each failed trial."""


class Breaker:
    """Says whether a call may be tried: not for a while after `FAILURES` failures in a row, until a trial succeeds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._opened = 0
        self._shut_until = 0.0
        self._trying = False

    def lets_through(self) -> bool:
        """Return whether a call may be tried. After repeated failures, one trial call is allowed per delay."""
        if not self._opened:
            return True
        if self._clock() < self._shut_until:
            return False
        self._shut_until = self._clock() + FIRST_SECONDS  # block other calls during the trial
        self._trying = True
        return True

    def failed(self) -> bool:
        """Count a failed call. Return whether calls are blocked from now on and were not before."""
        self._failures += 1
        late = self._opened > 0 and not self._trying  # it began before calls were blocked
        if late or (not self._opened and self._failures < FAILURES):
            return False
        self._trying = False
        self._opened += 1
        doubled = FIRST_SECONDS * 2.0 ** min(self._opened - 1, 20)
        self._shut_until = self._clock() + min(doubled, LONGEST_SECONDS)
        return self._opened == 1

    def succeeded(self) -> bool:
        """Reset the count of failures after a successful call. Return whether calls were blocked until now."""
        was_open, self._failures, self._opened = self._opened > 0, 0, 0
        return was_open
