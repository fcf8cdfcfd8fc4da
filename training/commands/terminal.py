"""Option types, progress output and warnings shared by the commands."""

import argparse
import sys
from collections.abc import Callable, Iterable
from typing import TextIO

from training.errors import Problem

LARGEST = 2**63 - 1
"""Largest integer option value, because readers of manifests store seeds as 64-bit integers."""


def at_least(lowest: int) -> Callable[[str], int]:
    """Return the argparse `type` of an option that takes an integer from `lowest` to LARGEST.

    The type raises ArgumentTypeError for any other text.
    """

    def whole_number(text: str) -> int:
        try:
            value = int(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"must be a whole number, {lowest} or more") from error
        if not lowest <= value <= LARGEST:
            bound = f"{lowest} or more" if value < lowest else f"{LARGEST} at most"
            raise argparse.ArgumentTypeError(f"must be {bound}")
        return value

    return whole_number


def print_warnings(warnings: Iterable[Problem]) -> None:
    """Print each warning about the data as one line to stderr."""
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)


class Progress:
    """Prints the name of each step of a command and the seconds since its start, if the output is a terminal."""

    def __init__(self, clock: Callable[[], float], out: TextIO | None = None) -> None:
        self._clock, self._out, self._start = clock, out or sys.stderr, clock()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    def __call__(self, step: str) -> None:
        """Print the name of a step that is about to begin."""
        if self._out.isatty():
            print(f"{self.seconds:6.0f} s  {step}", file=self._out, flush=True)
