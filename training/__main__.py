"""The command line of the job: `python -m training COMMAND`."""

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from model.errors import StoreError
from training.errors import DataError

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
    ("members", "training.commands.members", "fill a Redis store with what is known of members"),
    ("models", "training.commands.models", "list, show, compare, promote and roll back published models"),
)
"""Name, module and purpose of each command; a module has `add_arguments(parser)` and `run(arguments) -> exit code`."""

REFUSED, INTERRUPTED = 2, 130
"""Exit codes beside those of the commands; an error that nobody foresaw is left to Python: its traceback, and 1."""


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""What a disk without room, a quota, a limit of the process and a disk that has become read-only say."""
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
"""What libraries are told unless the environment says else: fits run side by side, so that threads inside one only get
into the others' way; and the same data give the same bytes on any number of processors. LightGBM's threads must not
spin while they wait: on a busy machine that makes a minute's work last ten."""


def main(argv: Sequence[str]) -> int:
    """Run one command; returns its exit code, REFUSED with the problems on stderr where the data is wrong."""
    parser = argparse.ArgumentParser(prog="python -m training", description="Make and publish models of coldstart.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, module, purpose in COMMANDS:
        command = commands.add_parser(name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
        if list(argv[:1]) == [name]:  # the modules of the others stay unread, so that --help is fast
            chosen = import_module(module)
            chosen.add_arguments(command)
            command.set_defaults(run=chosen.run)
    arguments = parser.parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except (DataError, StoreError) as error:
        print(error, file=sys.stderr)
        return REFUSED
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        print(f"nothing more can be written: {error.strerror}; the store of models is as it was", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED


def run(argv: Sequence[str]) -> int:
    """Run one command in a process of its own, whose libraries are told first how many threads to use."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    return main(argv)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
