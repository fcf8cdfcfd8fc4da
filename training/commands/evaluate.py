"""`training evaluate`: evaluate predictions for never-raters without publishing a model."""

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path

from model.cores import usable_cores
from model.exit_codes import ExitCode
from model.files.atomic_write import write_atomically
from training.commands.terminal import Progress, add_member_key, at_least, member_key, print_warnings
from training.data.dataset import read_dataset
from training.data.files.remote_folder import data_place
from training.data.passes.engines import add_engine, passes_of
from training.data.writer import refuse_unwritable
from training.evaluation.by_time import SplitPoint, evaluate_by_time, split_point, split_time
from training.evaluation.evaluate import evaluate
from training.fit.covariate_shift.reweighting import add_reweighting, reweighting_notes
from training.fit.fit_model import fit_model
from training.report.about import about_data
from training.report.comparison import against, read_report
from training.report.markdown import markdown
from training.report.page import report_files
from training.settings import FitSettings, read_fit_settings
from training.versions.provenance import fingerprint


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `training evaluate`."""
    parser.add_argument("--data", type=data_place, required=True, help="data directory to train on")
    add_member_key(parser)
    parser.add_argument(
        "--settings", type=Path, help="settings file, such as from `training tune` (default: the built-in settings)"
    )
    parser.add_argument("--folds", type=at_least(2), help="member folds, at least 2 (default: the settings', 5)")
    parser.add_argument("--seed", type=at_least(0), default=0, help="seed of all random numbers (default 0)")
    parser.add_argument("--min-holders", type=at_least(1), default=20, help="as for retrain (default 20)")
    add_reweighting(parser)
    parser.add_argument("--before", type=Path, help="report.json of an earlier evaluation to compare with")
    parser.add_argument(
        "--by-time", action="store_true",
        help="also train on the ratings before a time and predict the ratings after it",
    )  # fmt: skip
    parser.add_argument(
        "--at", type=split_point, default=SplitPoint(share=0.8),
        help="time of the split for --by-time, or the share of ratings before the split (default 0.8)",
    )  # fmt: skip
    add_engine(parser)
    parser.add_argument(
        "--out", type=Path, default=Path("evaluation"),
        help="folder for report.json, report.md and report.html, created if missing (default %(default)s)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> ExitCode:
    """Fit a model, evaluate it, print the report and write the report files.

    Raises DataError before the fit if an option or the data is invalid.
    """
    refuse_unwritable("--out", arguments.out)
    before = read_report(arguments.before) if arguments.before else None
    settings = read_fit_settings(arguments.settings) if arguments.settings else FitSettings()
    options = {"folds": arguments.folds or settings.folds, "reweight": arguments.reweight}
    settings = settings.model_copy(update=options)
    progress = Progress(time.monotonic, time.time)
    with passes_of(arguments, usable_cores()) as passes:
        tables, data, merged = read_dataset(arguments.data, arguments.min_holders, passes.folder, member_key(arguments))
        print_warnings(tables.warnings)
        moment = split_time(data.play_table, arguments.at) if arguments.by_time else None
        fit = fit_model(passes, data, arguments.seed, settings, progress)
        evaluation = evaluate(passes, fit, arguments.seed, progress)
        of_data = [*(warning.note for warning in tables.warnings), *map(str, merged)]
        notes = [*of_data, *reweighting_notes(arguments.reweight, fit.reweighting)]
        del fit  # frees memory for the fit by time
        if moment is not None:
            evaluation["by_time"] = evaluate_by_time(passes, data, moment, arguments.seed, settings, progress)
    arguments.out.mkdir(parents=True, exist_ok=True)
    first = against(evaluation, before, "an earlier evaluation") if before else []
    counts = {"ratings": int(data.play_table.ratings.sum()), "movies": len(data.movie_ids), "raters": len(data.raters)}
    day = datetime.now(UTC).strftime("evaluated %Y-%m-%d %H:%M UTC")
    about = [day, *about_data(counts, fingerprint(tables), arguments.seed)]
    for name, content in report_files(evaluation, notes, first, about).items():
        write_atomically(arguments.out / name, content)
    print(markdown(evaluation, notes, first))
    print(f"written to {arguments.out / 'report.md'}, with the same results in report.html and report.json")
    return ExitCode.DONE
