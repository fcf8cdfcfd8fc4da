"""`training tune`: search for better settings for a data directory, within a budget of trials or minutes."""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from model.cores import usable_cores
from model.exit_codes import ExitCode
from model.files.atomic_write import write_atomically
from training.commands.terminal import Progress, add_member_key, at_least, member_key
from training.data.dataset import read_dataset
from training.data.files.remote_folder import data_place
from training.data.writer import refuse_unwritable
from training.errors import UsageError, WorkFailed
from training.settings import FitSettings, read_fit_settings, to_dict, to_toml
from training.versions.provenance import fingerprint

EXTRA = "tune needs Optuna, which isn't installed: pip install 'optuna>=5', or install the project's extra `tune`"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `training tune`."""
    parser.add_argument("--data", type=data_place, required=True, help="data directory to train on")
    add_member_key(parser)
    parser.add_argument(
        "--out", type=Path, default=Path("settings.toml"),
        help="settings file to write, for retrain --settings and evaluate --settings (default %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--study", type=Path, metavar="FILE",
        help="SQLite file that keeps all trials; the same command goes on after them (default: --out, ending in .db)",
    )  # fmt: skip
    parser.add_argument("--trials", type=at_least(1), help="maximum number of trials (default 30 without --minutes)")
    parser.add_argument("--minutes", type=_minutes, help="start no further trial after this many minutes")
    parser.add_argument("--settings", type=Path, help="settings of the first trial (default: the built-in settings)")
    parser.add_argument("--seed", type=at_least(0), default=0, help="seed of all random numbers (default 0)")
    parser.add_argument("--min-holders", type=at_least(1), default=20, help="as for retrain (default 20)")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Search for better settings, and write the best ones to a file and all trials to a CSV file beside it.

    Raises DataError before the search if an option or the data is invalid, and WorkFailed if Optuna isn't installed.
    """
    try:
        from training.evaluation.search import StudyFile, tune  # imported here because other commands don't need Optuna
    except ImportError as error:
        if error.name != "optuna":
            raise
        raise WorkFailed(EXTRA) from error

    begin = read_fit_settings(arguments.settings) if arguments.settings else FitSettings()
    refuse_unwritable("--out", arguments.out.absolute().parent)
    if arguments.out.is_dir():
        raise UsageError("--out is a folder")
    progress = Progress(time.monotonic, time.time)
    study, table = arguments.study or arguments.out.with_suffix(".db"), arguments.out.with_suffix(".csv")
    seconds = None if arguments.minutes is None else 60 * arguments.minutes
    trials = 30 if arguments.trials is None and seconds is None else arguments.trials
    with TemporaryDirectory(prefix="coldstart-") as work:
        tables, data, _ = read_dataset(arguments.data, arguments.min_holders, Path(work), member_key(arguments))
        identity = {
            "data": fingerprint(tables), "seed": arguments.seed, "min_holders": arguments.min_holders,
            "settings": to_dict(begin),
        }  # fmt: skip
        arguments.out.absolute().parent.mkdir(parents=True, exist_ok=True)
        best = tune(
            data, begin, trials, seconds, arguments.seed, usable_cores(), progress, StudyFile(study, identity),
            lambda rows: write_atomically(table, pl.DataFrame(rows).write_csv().encode()),
        )  # fmt: skip
    comment = f"Written by coldstart: tune, {best.trials} trials, seed {arguments.seed}"
    write_atomically(arguments.out, to_toml(best.settings, comment).encode())
    gain = 100 * (1 - best.error / best.first_error) if best.first_error else 0.0
    print(
        f"{best.trials} settings tried: RMSE on held-out raters, in the mean of all evidence, {best.error:.4f}; "
        f"the first settings had {best.first_error:.4f} ({gain:+.2f} % better)\n"
        f"written to {arguments.out}; use it with retrain --settings {arguments.out}\n"
        f"all trials are in {table}; with more --trials, the search goes on with those of {study}"
    )
    return ExitCode.DONE


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("must be a number of minutes") from error
    if not 0 < minutes < 1e6:
        raise argparse.ArgumentTypeError("must be more than 0")
    return minutes
