"""`training predict`: predict ratings offline, with the same code as the service."""

import argparse
from pathlib import Path

import polars as pl

from model.exit_codes import ExitCode
from training.commands.terminal import add_member_key, at_least, member_key, print_warnings
from training.data.files.remote_folder import data_place
from training.data.reading.events import read_pairs
from training.data.reading.sources import open_file
from training.data.reading.tables import Tables, temporary_tables
from training.data.writer import refuse_unwritable_table, write_table
from training.errors import Findings, Problem
from training.versions.offline import RANKING_COLUMNS, in_parts, predictions_of, rankings_of
from training.versions.serving import open_serving

NO_NEVER_RATER = Problem(
    "members", "there is no never-rater to predict: everybody has ratings",
    remedy="name the pairs to predict with --pairs", is_warning=True,
)  # fmt: skip
"""Warning about data in which every member rated."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `training predict`."""
    parser.add_argument("--data", type=data_place, required=True, help="the data directory whose members are predicted")
    add_member_key(parser)
    parser.add_argument("--models", required=True, help="the folder, or address, of published models")
    parser.add_argument("--out", type=Path, required=True, help="a file to write: .parquet or .csv")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--pairs", type=Path, help="a table of member_id and movie_id to predict; else all never-raters by all movies"
    )
    chosen.add_argument(
        "--top", type=at_least(1), metavar="N", help="the best N movies of the catalogue for each never-rater, ranked"
    )


def run(arguments: argparse.Namespace) -> ExitCode:
    """Write a table with member_id, movie_id and all values of each prediction, or of each member's best movies."""
    refuse_unwritable_table("--out", arguments.out)
    with temporary_tables(arguments.data, member_key(arguments)) as tables:
        return _predict(arguments, tables)


def _predict(arguments: argparse.Namespace, tables: Tables) -> ExitCode:
    model = open_serving(arguments.models)
    pairs = _pairs(arguments.pairs) if arguments.pairs else None
    if pairs is None and (tables.play_table.ratings > 0).all():
        print_warnings([NO_NEVER_RATER])
    if arguments.top:
        parts = in_parts(rankings_of(model, tables, arguments.top), columns=RANKING_COLUMNS)
    else:
        parts = in_parts(predictions_of(model, tables, pairs))
    count = write_table(arguments.out, parts)
    print(f"{count:,} predictions by version {model.version}")
    return ExitCode.DONE


def _pairs(path: Path) -> pl.DataFrame:
    """Return the pairs of a table, with ids as text. Raises DataError if it can't be read, or an id is missing."""
    pairs, problems = read_pairs(open_file("pairs", path))
    findings = Findings()
    findings.add(problems)
    findings.refuse()
    print_warnings(findings.warnings)
    return pairs
