"""The exit codes of all commands, and how a command ends that is interrupted or whose reader goes away."""

import os
import sys
from collections.abc import Callable
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit code of any coldstart command."""

    DONE = 0
    """The command succeeded."""
    FAILED = 1
    """The command failed."""
    REFUSED = 2
    """The arguments or the input data are invalid or unreadable; nothing was changed."""
    HELD_BACK = 3
    """A version was trained and evaluated, but the gate, its comparison with the current version, refused to let it
    serve."""
    INTERRUPTED = 130
    """The user interrupted the command; 128 plus the number of SIGINT, as in shells."""


def ending_quietly(command: Callable[[], int]) -> int:
    """Run a command and return its exit code, without a traceback if the user interrupts it or its reader goes away.

    The exit code is FAILED if the output can't be written, because it goes to a closed pipe (`| head`).
    """
    try:
        try:
            return command()
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or else a second flush at exit would fail
        return ExitCode.FAILED
