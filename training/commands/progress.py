"""Tells a person at a terminal how far the work is."""

import sys
from collections.abc import Callable
from typing import TextIO


class Progress:
    """One line a step with the seconds since the start; silent where nobody watches."""

    def __init__(self, clock: Callable[[], float], out: TextIO | None = None) -> None:
        self._clock, self._out, self._start = clock, out or sys.stderr, clock()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    def __call__(self, step: str) -> None:
        """Tell that a step begins."""
        if self._out.isatty():
            print(f"{self.seconds:6.0f} s  {step}", file=self._out, flush=True)
