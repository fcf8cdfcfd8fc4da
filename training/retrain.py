"""`training retrain`: validate, train, evaluate, publish."""

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from model.store import VERSIONS, Store
from training.evaluation import evaluate
from training.fitting import FitSettings, fit_model
from training.folders import refuse_unwritable
from training.options import at_least
from training.preparation import cores, prepare
from training.progress import Progress
from training.publishing import Origin, fingerprint, publish
from training.report import markdown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `training retrain`."""
    parser.add_argument("--data", type=Path, required=True, help="the data directory to learn from")
    parser.add_argument("--models", type=Path, required=True, help="the folder of published models")
    parser.add_argument("--seed", type=at_least(0), default=0, help="seed of all random numbers (default 0)")
    parser.add_argument(
        "--min-holders", type=at_least(1), default=20,
        help='a text value that fewer raters hold counts as "other" (default 20)',
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Publish a model of the data and show how good it is; raises DataError before any work where it can't be done."""
    store = Store(arguments.models)
    for folder in (store.root, store.root / VERSIONS):
        refuse_unwritable("--models", folder)
    progress = Progress(time.monotonic)
    progress("reading and checking")
    tables, data, merged = prepare(arguments.data, arguments.min_holders)
    fit = fit_model(data, arguments.seed, FitSettings(), cores(), progress)
    evaluation = evaluate(fit, arguments.seed, progress)
    progress("publishing")
    notes = [str(one) for one in merged]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    version = publish(
        store, data, fit.core, Origin(arguments.seed, fingerprint(tables)), evaluation, notes,
        {"trained_at": now, "seconds": round(progress.seconds, 1)},
    )  # fmt: skip
    store.promote(version)
    print(markdown(evaluation, notes))
    print(f"version {version} is published and serves; {progress.seconds:.0f} s", file=sys.stdout)
    return 0
