"""`training import movielens`: write a data directory from MovieLens 100K, 1M or a later CSV release."""

import argparse
from pathlib import Path

from model.exit_codes import ExitCode
from training.data.datasets.movielens import read_release
from training.data.writer import refuse_foreign, write_data_directory

ORIGIN = "import movielens"
"""Where the data come from, as schema.toml states it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `training import`."""
    parser.add_argument("format", choices=["movielens"], help="the data set's format")
    parser.add_argument("source", type=Path, metavar="SOURCE", help="the folder of the unpacked release")
    parser.add_argument("--out", type=Path, required=True, help="the data directory to write")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Write the data directory. Raises DataError if SOURCE isn't a release or --out contains other files."""
    refuse_foreign(arguments.out, ORIGIN)
    name, tables, lowest = read_release(arguments.source)
    schema = f"[ratings]\nscale = [{lowest}, 5.0]\nenjoyed_from = 4.0\n"
    write_data_directory(arguments.out, [tables], f"{ORIGIN}, {name}", schema)
    counts = ", ".join(f"{table} {len(rows):,}" for table, rows in tables.items())
    print(f"{arguments.out} holds {counts} rows of {name}; zip codes were left out")
    return ExitCode.DONE
