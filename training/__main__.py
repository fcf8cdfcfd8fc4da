"""Command line of the training job: `python -m training COMMAND`."""

import argparse
import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

from model.exit_codes import ExitCode, ending_quietly
from training.errors import expected_error

COMMANDS = (
    ("import", "training.commands.import_movielens", "make a data directory of a published data set"),
    ("sample", "training.commands.sample", "make a synthetic data directory with known truth"),
    ("validate", "training.commands.validate", "check a data directory and say what its columns are taken for"),
    (
        "retrain",
        "training.commands.retrain",
        "validate, train, evaluate and publish a model, if the gate lets it serve",
    ),
    ("evaluate", "training.commands.evaluate", "predict members as if they never rated, beside simpler predictions"),
    ("tune", "training.commands.tune", "search better settings for a data directory (extra `tune`)"),
    ("predict", "training.commands.predict", "score members and movies offline with the published model"),
    ("challenge", "training.commands.challenge", "make a challenge of a data directory, answer one, score answers"),
    (
        "members",
        "training.commands.members",
        "fill a store with members, show what is kept of a member, forget members",
    ),
    ("models", "training.commands.models", "list, show, compare, promote and roll back published models"),
)
"""Name, module and help text of each command; modules have `add_arguments(parser)` and `run(arguments) -> exit
code`."""

ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
"""Defaults for environment variables of the numerical libraries. Fits run in parallel threads, so linear algebra within
a fit uses one thread. The results are then byte-identical on any number of processors. OpenMP threads must not spin
while they wait: on a busy machine, spinning can make a fit ten times slower."""


M_ARENA_MAX = -8
"""Number of the option of glibc's `mallopt` for the maximum number of arenas, from which threads take memory."""


def main(argv: Sequence[str], program: str = "python -m training") -> int:
    """Run one command and return its exit code; print the message of an expected error to stderr.

    Values of the data are printed only if stderr is a terminal, since it may be a log otherwise.
    Unexpected errors propagate, so that Python prints a traceback and exits with ExitCode.FAILED.
    """
    parser = argparse.ArgumentParser(prog=program, description="Make and publish models of coldstart.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, module, purpose in COMMANDS:
        command = commands.add_parser(name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
        if list(argv[:1]) == [name]:  # other commands' modules aren't imported, which keeps --help fast
            chosen = import_module(module)
            chosen.add_arguments(command)
            command.set_defaults(run=chosen.run)
    arguments = parser.parse_args(argv)
    signal.siginterrupt(signal.SIGINT, True)  # else polars' handler lets a thread that waits go on
    try:
        return int(arguments.run(arguments))
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except Exception as error:
        expected = expected_error(error)
        if expected is None:
            raise
        print(expected, file=sys.stderr)
        return expected.exit_code


def run(argv: Sequence[str], program: str = "python -m training") -> int:
    """Set the variables in ENVIRONMENT that aren't set yet, then run one command. Call this in a separate process."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    _share_arena()
    return main(argv, program)


def _share_arena() -> None:
    """Let all threads take memory from one arena, so that what one frees serves the others; only glibc has arenas."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)


def _end(_number: int, _frame: object) -> None:
    raise SystemExit(128 + signal.SIGTERM)  # so that temporary folders are removed


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    sys.exit(ending_quietly(lambda: run(sys.argv[1:])))
