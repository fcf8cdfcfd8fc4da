"""`training sample`: write a synthetic data directory, including the true enjoyment of its never-raters."""

import argparse
import time
from pathlib import Path

from model.exit_codes import ExitCode
from training.commands.terminal import Progress, at_least
from training.data.datasets.sample import FEWEST_MEMBERS, FEWEST_MOVIES, SCHEMA, TABLES, draw_sample
from training.data.writer import refuse_foreign, write_data_directory


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `training sample`."""
    parser.add_argument("--out", type=Path, required=True, help="the data directory to write")
    parser.add_argument(
        "--members", type=at_least(FEWEST_MEMBERS), default=1200, help="how many (%(default)s); a quarter never rate"
    )
    parser.add_argument("--movies", type=at_least(FEWEST_MOVIES), default=300, help="how many (%(default)s)")
    parser.add_argument("--seed", type=at_least(0), default=0, help="the same seed makes the same bytes")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Write the sample. Raises DataError if the folder contains other files."""
    origin = f"sample, seed {arguments.seed}"
    refuse_foreign(arguments.out, origin)
    progress = Progress(time.monotonic, time.time)
    parts = draw_sample(arguments.members, arguments.movies, arguments.seed, progress)
    counts = write_data_directory(arguments.out, parts, origin, SCHEMA)
    listed = ", ".join(f"{name} {counts[name]:,}" for name in TABLES)
    print(f"{arguments.out} holds {listed} rows")
    return ExitCode.DONE
