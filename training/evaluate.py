"""`training evaluate`: the never-rater evaluation alone."""

import argparse
import time
from dataclasses import replace
from pathlib import Path

from training.evaluation import evaluate
from training.fitting import FitSettings, fit_model
from training.folders import refuse_unwritable
from training.options import at_least
from training.preparation import cores, prepare
from training.previous import against, read_report
from training.progress import Progress
from training.report import markdown
from training.report_files import report_files
from training.reweighting import add_reweighting, reweighting_notes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `training evaluate`."""
    parser.add_argument("--data", type=Path, required=True, help="the data directory to learn from")
    parser.add_argument("--folds", type=at_least(2), default=5, help="member folds, at least 2 (default 5)")
    parser.add_argument("--seed", type=at_least(0), default=0, help="seed of all random numbers (default 0)")
    parser.add_argument("--min-holders", type=at_least(1), default=20, help="as for retrain (default 20)")
    add_reweighting(parser)
    parser.add_argument("--before", type=Path, help="the report.json of an earlier evaluation, for report.html")
    parser.add_argument("--out", type=Path, help="folder for report.json, report.md and report.html; made if missing")


def run(arguments: argparse.Namespace) -> int:
    """Show the report, and write it where asked."""
    if arguments.out:
        refuse_unwritable("--out", arguments.out)
    before = read_report(arguments.before) if arguments.before else None
    progress = Progress(time.monotonic)
    _, data, merged = prepare(arguments.data, arguments.min_holders)
    settings = replace(FitSettings(), folds=arguments.folds, reweight=arguments.reweight)
    fit = fit_model(data, arguments.seed, settings, cores(), progress)
    evaluation = evaluate(fit, arguments.seed, progress)
    notes = [*(str(one) for one in merged), *reweighting_notes(arguments.reweight, fit.reweighting)]
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        first = [against(evaluation, before, "an earlier evaluation")] if before else []
        for name, content in report_files(evaluation, notes, first).items():
            (arguments.out / name).write_bytes(content)
    print(markdown(evaluation, notes))
    return 0
