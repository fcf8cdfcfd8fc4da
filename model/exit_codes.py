"""The exit codes of every command."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    """The work is done."""
    FAILED = 1
    """The work failed."""
    REFUSED = 2
    """The call or the data is wrong, or what the caller gave can't be read; nothing was done."""
    HELD_BACK = 3
    """A version was trained and evaluated, and the gate held it back."""
    INTERRUPTED = 130
    """The user interrupted the work (128 and SIGINT's number, as shells count)."""
