"""`training retrain`: validate, train, evaluate, publish, and let the gate say whether it serves."""

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path

from model.artifact.artifact import load_model
from model.cores import usable_cores
from model.exit_codes import ExitCode
from model.store.open import is_address, open_store
from model.store.store import CURRENT, VERSIONS
from training.challenge.standing import Standing
from training.commands.models import add_keeping, key_in
from training.commands.terminal import Progress, at_least
from training.data.dataset import make_dataset
from training.data.infer_schema import infer_schema
from training.data.reading.recorded_outcomes import with_outcomes
from training.data.reading.tables import read_tables
from training.data.writer import refuse_unwritable
from training.errors import UsageError
from training.evaluation.evaluate import evaluate
from training.fit.fit_model import fit_model
from training.fit.reweighting import add_reweighting, reweighting_notes
from training.gate import report as gate_report
from training.gate.gate import Gate
from training.gate.gate_settings import add_gate_arguments, gate_settings
from training.gate.kept_out import divide, keep_key, key_of_store
from training.gate.verdict import last_line, serving, settle
from training.report.markdown import markdown
from training.settings import FitSettings, read_fit_settings, to_dict
from training.versions.provenance import commit, fingerprint
from training.versions.publish import Origin, publish


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `training retrain`."""
    parser.add_argument("--data", type=Path, required=True, help="the data directory to learn from")
    parser.add_argument("--outcomes", type=Path, help="learn also from what the service recorded in this folder")
    parser.add_argument("--models", required=True, help="the folder, or address, of published models")
    parser.add_argument("--seed", type=at_least(0), default=0, help="seed of all random numbers (default 0)")
    parser.add_argument(
        "--min-holders", type=at_least(1), default=20,
        help='a text value that fewer raters hold counts as "other" (default 20)',
    )  # fmt: skip
    parser.add_argument(
        "--settings", type=Path, help="a settings file, as `training tune` writes one; else the defaults"
    )
    parser.add_argument("--challenge", type=Path, help="tell where the version stands in the challenge of this folder")
    parser.add_argument(
        "--candidate", action="store_true", help="offer a version that passes as candidate beside the one that serves"
    )
    parser.add_argument("--sign", type=Path, metavar="FILE", help="sign the version by this ed25519 private key in PEM")
    add_keeping(parser)
    add_reweighting(parser)
    add_gate_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Publish a model of the data and show how good it is; raises DataError before any work where it can't be done."""
    try:
        settings = gate_settings(arguments)
    except ValueError as error:
        raise UsageError(str(error)) from error
    signs = key_in(arguments.sign) if arguments.sign else None
    store = open_store(arguments.models)
    if not is_address(arguments.models):  # at an address only trying to write tells
        for folder in (store.root, store.root / VERSIONS):
            refuse_unwritable("--models", folder)
    fitting = read_fit_settings(arguments.settings) if arguments.settings else FitSettings()
    fitting = fitting.model_copy(update={"reweight": arguments.reweight})
    progress = Progress(time.monotonic)
    progress("reading and checking")
    standing = Standing.of(arguments.challenge) if arguments.challenge else None
    tables = read_tables(arguments.data)
    recorded = with_outcomes(tables, arguments.outcomes) if arguments.outcomes else None
    tables = recorded.tables if recorded else tables
    key = key_of_store(store, settings.key)
    divided = divide(tables, key, settings.share)
    schema, merged = infer_schema(divided.learned, arguments.min_holders)
    data, everyone = make_dataset(divided.learned, schema), make_dataset(tables, schema)
    gate = Gate(store, divided, key, settings, time.perf_counter, arguments.seed)
    fit = fit_model(data, arguments.seed, fitting, usable_cores(), progress)
    evaluation = evaluate(fit, arguments.seed, progress) | {"kept_out": gate.kept_out()}
    progress("publishing")
    notes = [*(str(one) for one in merged), *reweighting_notes(arguments.reweight, fit.reweighting)]
    notes += [recorded.note()] if recorded else []
    now = datetime.now(UTC).isoformat(timespec="seconds")
    origin = Origin(arguments.seed, fingerprint(tables), to_dict(fitting))
    made = {"trained_at": now, "seconds": round(progress.seconds, 1), "commit": commit()}
    version = publish(
        store, data, everyone, fit.core, origin, evaluation, notes, made | {"parent": store.labels().get(CURRENT, "")},
    )  # fmt: skip
    if signs is not None:
        signs(store, version)
    keep_key(store, key)
    progress("the gate")
    found = gate.judge(version, evaluation)
    further = []
    if standing is not None:
        told = standing.take_part(load_model(store.fetch(version)), tables, origin.fingerprint, now)
        further.append(standing.html(told))
    serves = settle(store, found, arguments.force, (evaluation, notes, further), arguments.candidate)
    store.prune(arguments.keep, arguments.keep_days, time.time())
    print(markdown(evaluation, notes))
    print(gate_report.markdown(found))
    if standing is not None:
        print(standing.markdown(told))
    print(f"{last_line(found, serving(store))}; {progress.seconds:.0f} s")
    return ExitCode.DONE if serves else ExitCode.HELD_BACK
