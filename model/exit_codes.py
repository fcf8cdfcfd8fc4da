"""The exit codes of all commands."""

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
