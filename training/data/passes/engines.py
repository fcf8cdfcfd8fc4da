"""Options of commands that tell where passes run: in threads of this process, or on a Dask cluster."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.data.passes.dask_engine import passes_on_dask
from training.data.passes.passes import Passes, passes_in_threads
from training.errors import UsageError


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add the options `--work` and `--cluster` to a command."""
    parser.add_argument(
        "--work", type=Path, metavar="FOLDER",
        help="keep what is already computed here, so that an interrupted run goes on; else a temporary folder is used",
    )  # fmt: skip
    parser.add_argument(
        "--cluster", metavar="ADDRESS",
        help="work on the Dask cluster of this scheduler, such as tcp://scheduler:8786, or of this scheduler file "
        "(*.json); needs --work, a folder that all workers have at the same path",
    )  # fmt: skip


@contextmanager
def passes_of(arguments: argparse.Namespace, threads: int) -> Iterator[Passes]:
    """Run passes where the options tell; in this process in so many threads.

    Raises UsageError if the options don't go together, and WorkFailed if there is no cluster.
    """
    if arguments.work is not None:
        try:
            arguments.work.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"--work: {arguments.work} can't be made: {error.strerror}") from error
    if arguments.cluster is None:
        with passes_in_threads(threads, arguments.work) as passes:
            yield passes
    elif arguments.work is None:
        raise UsageError("--cluster needs --work, a folder that all workers have at the same path")
    else:
        with passes_on_dask(arguments.cluster, arguments.work.resolve()) as passes:
            yield passes
