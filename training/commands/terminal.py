"""Option types, progress output, warnings and the mark in the log of labels, shared by the commands."""

import argparse
import getpass
import os
import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from model.facts.member_key import MemberKey
from model.store.label_log import Reason
from training.errors import Problem

MEMBER_KEY = "COLDSTART_MEMBER_KEY"
"""Environment variable with the path of the member key."""
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


def days(text: str) -> float:
    """Return the value of an option that takes a number of days above 0. Raises ArgumentTypeError for other text."""
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("must be a number of days") from error
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("must be a number of days above 0")
    return value


def add_member_key(parser: argparse.ArgumentParser) -> None:
    """Add the option with the file of the member key, which `member_key` reads."""
    parser.add_argument(
        "--member-key", type=Path, metavar="FILE", default=os.environ.get(MEMBER_KEY),
        help=f"the key of the hashes of members' ids, 16 to 64 random bytes (else that of ${MEMBER_KEY}, if it is set)",
    )  # fmt: skip


def member_key(arguments: argparse.Namespace) -> MemberKey:
    """Return the key of the hashes of members' ids; plain hashes without one. Raises WrongKey if it can't be used."""
    return MemberKey.read(Path(arguments.member_key) if arguments.member_key else None)


def print_warnings(warnings: Iterable[Problem], *, always_examples: bool = False) -> None:
    """Print each warning about the data as one line to stderr.

    Examples are values of the data, so they are printed only if stderr is a terminal or with `always_examples`.
    """
    with_examples = always_examples or sys.stderr.isatty()
    for warning in warnings:
        print(f"warning: {warning if with_examples else warning.note}", file=sys.stderr)


def moved_by(why: str) -> Reason:
    """Return the reason with which this process moves labels: its user and machine, the time, and why."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        user = f"user {os.getuid()}"
    return Reason(f"{user}@{socket.gethostname()}", datetime.now(UTC).isoformat(timespec="seconds"), why)


LEAST_SECONDS = 60
"""Least estimate of the time left that is printed, in seconds."""


class Progress:
    """Prints a line with the seconds since the start and the name of each step of a command.

    Unless the output is a terminal, lines begin with the time in UTC, as in a log.
    """

    def __init__(
        self, clock: Callable[[], float], now: Callable[[], float], out: TextIO | None = None, *, quiet: bool = False
    ) -> None:
        """`clock` returns monotonic seconds, `now` seconds since 1970; the output is stderr by default.

        If `quiet` is set, nothing is printed.
        """
        self._clock, self._now, self._out, self._start = clock, now, out or sys.stderr, clock()
        self._quiet = quiet
        self._measured_from: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    def __call__(self, step: str, share: float | None = None) -> None:
        """Print the name of a step that is about to begin. Output that can't be written doesn't end the work.

        `share`, 0 to 1, is how much of the longest part of the work is done, from which the time left is estimated.
        """
        if self._quiet:
            return
        seconds = self.seconds
        line = f"{seconds:6.0f} s  {step}"
        if share is not None:
            self._measured_from = seconds if self._measured_from is None else self._measured_from
            left = (seconds - self._measured_from) * (1 - share) / share if share else 0.0
            line += f"; about {left / 60:.0f} min left" if left >= LEAST_SECONDS else ""
        if not self._out.isatty():
            line = f"{datetime.fromtimestamp(self._now(), UTC):%Y-%m-%dT%H:%M:%SZ} {line}"
        with suppress(OSError):
            print(f"{line}\n", end="", file=self._out, flush=True)  # one write, as fits run in threads
