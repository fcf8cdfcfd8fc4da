"""`training retrain`: validate, train, evaluate and publish, and let the gate decide whether the version is used."""

import argparse
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from model.artifact.artifact import load_model
from model.cores import usable_cores
from model.errors import ModelError
from model.exit_codes import ExitCode
from model.facts.member_key import MemberKey
from model.store.job_status import write_status
from model.store.open import is_address, open_store
from model.store.store import CURRENT, RECORDS, VERSIONS, Store
from training.challenge.standing import Standing
from training.commands.models import add_keeping, signer, take_note
from training.commands.terminal import Progress, add_member_key, at_least, days, member_key, moved_by, print_warnings
from training.data.dataset import Dataset, make_dataset
from training.data.files.forgotten_list import read_forgotten
from training.data.files.remote_folder import data_place
from training.data.infer_schema import infer_schema
from training.data.passes.engines import add_engine, passes_of
from training.data.passes.passes import Passes
from training.data.reading.recorded_outcomes import latest_outcome, with_outcomes
from training.data.reading.retention import Retention
from training.data.reading.tables import Tables, read_tables
from training.data.writer import refuse_unwritable
from training.errors import DataError, WorkFailed, failing_work
from training.evaluation.evaluate import evaluate
from training.fit.covariate_shift.reweighting import add_reweighting, reweighting_notes
from training.fit.fit_model import Fit, fit_model
from training.gate import gate_report
from training.gate.apply_verdict import PAGE, last_line, settle, status_of
from training.gate.gate import Gate
from training.gate.gate_settings import GateSettings, add_gate_arguments, gate_settings
from training.gate.kept_out import Split, keep_key, key_of_store, split
from training.report.markdown import markdown, section_markdown
from training.report.section import Section
from training.report.summary import summary
from training.settings import FitSettings, read_fit_settings, to_dict
from training.versions.exports.mlflow_run import EXPERIMENT, Tracker
from training.versions.member_files import WHO, Publication
from training.versions.provenance import commit, fingerprint
from training.versions.publish import Origin, publish
from training.versions.serving import serving_version


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `training retrain`."""
    parser.add_argument("--data", type=data_place, required=True, help="the data directory to learn from")
    parser.add_argument("--outcomes", type=Path, help="learn also from what the service recorded in this folder")
    add_member_key(parser)
    parser.add_argument(
        "--forget-after-days", type=days, metavar="DAYS",
        help="leave out ratings, plays and outcomes that are older than this at the latest time in the data",
    )  # fmt: skip
    parser.add_argument(
        "--untimed", choices=["keep", "drop"], default="keep",
        help="whether --forget-after-days leaves out rows without a time too (default keep)",
    )  # fmt: skip
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
    parser.add_argument(
        "--exit-zero-if-held-back", action="store_true",
        help="end with exit code 0, not 3, if the gate holds the version back: for schedulers that call 3 a failure",
    )  # fmt: skip
    parser.add_argument("--sign", type=Path, metavar="FILE", help="sign the version by this ed25519 private key in PEM")
    parser.add_argument(
        "--publish", choices=list(WHO), default="all",
        help="whose facts the version holds, so that callers can ask by id (default all)",
    )  # fmt: skip
    add_engine(parser)
    parser.add_argument("--note", default="", metavar="TEXT", help="a note on the version, for `models list`")
    parser.add_argument(
        "--mlflow", nargs="?", const="", metavar="ADDRESS",
        help="record a run of MLflow, at this address or at MLflow's own default (else if $MLFLOW_TRACKING_URI is set)",
    )  # fmt: skip
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--quiet", action="store_true", help="print the outcome and warnings only")
    shown.add_argument("--verbose", action="store_true", help="print the whole report")
    add_keeping(parser)
    add_reweighting(parser)
    add_gate_arguments(parser)


@dataclass(frozen=True)
class Plan:
    """The parsed options of the command, checked before training."""

    store: Store
    """Store to publish in."""
    gate: GateSettings
    """Limits of the gate."""
    fit: FitSettings
    """Settings of the fit."""
    sign: Callable[[Store, str], None] | None
    """Function that signs a version, or None if versions aren't signed."""
    challenge: Standing | None
    """Challenge to take part in, if any."""
    tracker: Tracker | None
    """Where to record a run of MLflow, if anywhere."""
    member_key: MemberKey
    """Key of the hashes of published ids."""


@dataclass(frozen=True)
class Inputs:
    """The tables, and the datasets for training and publishing."""

    tables: Tables
    """All tables, including recorded outcomes if there are any."""
    key: str
    """Key that determines which raters are kept out of training."""
    split: Split
    """The tables split into training and kept-out raters."""
    training: Dataset
    """Dataset to train on, without the kept-out raters."""
    publication: Publication
    """The members to publish, with the same schema as the training dataset."""
    data_notes: list[str]
    """Sentences about unusual values and about columns with merged values, for the report."""
    outcome_notes: list[str]
    """A sentence about recorded outcomes for the report, or an empty list."""


def run(arguments: argparse.Namespace) -> ExitCode:
    """Train and publish a model, and print its evaluation. Raises before training if an option or table is invalid."""
    plan = _plan(arguments)
    progress = Progress(time.monotonic, time.time, quiet=arguments.quiet)
    with passes_of(arguments, usable_cores()) as passes:
        progress("reading and checking")
        inputs = _read(passes, arguments, plan)
        return _train(passes, arguments, plan, inputs, progress)


@failing_work()
def _train(passes: Passes, arguments: argparse.Namespace, plan: Plan, inputs: Inputs, progress: Progress) -> ExitCode:
    """Train, evaluate and publish a model, let the gate decide whether it serves, and print the evaluation."""
    gate = Gate(plan.store, inputs.split, inputs.key, plan.gate, time.perf_counter, arguments.seed, plan.member_key)
    fit = fit_model(passes, inputs.training, arguments.seed, plan.fit, progress)
    evaluation = evaluate(passes, fit, arguments.seed, progress) | {"kept_out": gate.kept_out(), "known": gate.known}
    progress("publishing")
    notes = _notes(arguments, inputs, fit)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    origin = Origin(arguments.seed, fingerprint(inputs.tables), to_dict(plan.fit))
    version = _publish(plan, inputs, fit, origin, evaluation, notes, _made(plan, now, progress.seconds))
    _refuse_forgotten(arguments, inputs, plan.store, version)
    progress("the gate")
    record = gate.decide(version, evaluation)
    challenge = _take_part(plan, inputs, version, origin.fingerprint, now)
    take_note(plan.store, version, arguments.note)
    serves = settle(
        plan.store, record, evaluation, notes, challenge,
        force=arguments.force, offer=arguments.candidate, reason=moved_by("retrain"),
    )  # fmt: skip
    _track(plan, version, record, arguments.note)
    write_status(plan.store, status_of(record, evaluation, progress.seconds, time.time()))
    sections = [*gate_report.sections(record), *challenge]
    if arguments.verbose:
        print(markdown(evaluation, notes))
        print(*map(section_markdown, sections), sep="\n\n", end="\n\n")
    elif not arguments.quiet:
        further = [section_markdown(section) for section in sections[1:] if not section.passed]
        print(summary(evaluation, sections[0], notes), *further, sep="\n\n", end="\n\n")
        print(f"{inputs.publication}\nreport {arguments.models}/{RECORDS}/{version}/{PAGE}")
    print(f"{last_line(record, serving_version(plan.store))}; {progress.seconds:.0f} s")
    _prune(plan.store, arguments)
    return ExitCode.DONE if serves or arguments.exit_zero_if_held_back else ExitCode.HELD_BACK


def _plan(arguments: argparse.Namespace) -> Plan:
    """Check the options. Raises TrainingError or ModelError if an option is invalid."""
    gate = gate_settings(arguments)
    sign = signer(arguments.sign) if arguments.sign else None
    key = member_key(arguments)
    store = open_store(arguments.models)
    if not is_address(arguments.models):  # an address can only be tested by writing to it
        for folder in (store.root, store.root / VERSIONS):
            refuse_unwritable("--models", folder)
    store.labels()  # raises before training if this user can't read the store
    fit = read_fit_settings(arguments.settings) if arguments.settings else FitSettings()
    challenge = Standing.of(arguments.challenge) if arguments.challenge else None
    place = os.environ.get("MLFLOW_TRACKING_URI") if arguments.mlflow is None else arguments.mlflow
    tracker = None if place is None else Tracker(place, os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT)
    return Plan(store, gate, fit.model_copy(update={"reweight": arguments.reweight}), sign, challenge, tracker, key)


def _read(passes: Passes, arguments: argparse.Namespace, plan: Plan) -> Inputs:
    """Read and check the tables, and split off the kept-out raters. Raises DataError if the data are invalid."""
    tables = read_tables(arguments.data, passes.folder, member_key(arguments), _retention(arguments))
    print_warnings(tables.warnings)
    recorded = with_outcomes(tables, arguments.outcomes, passes.folder) if arguments.outcomes else None
    tables = recorded.tables if recorded else tables
    key = key_of_store(plan.store, plan.gate.key)
    parts = split(tables, key, plan.gate.share)
    schema, merged = infer_schema(parts.training, arguments.min_holders)
    return Inputs(
        tables,
        key,
        parts,
        make_dataset(parts.training, schema),
        Publication.of(tables, schema, arguments.publish, plan.member_key),
        [*(warning.note for warning in tables.warnings), *map(str, merged)],
        [recorded.note()] if recorded else [],
    )


def _retention(arguments: argparse.Namespace) -> Retention | None:
    """Return how long ratings, plays and outcomes are kept; None if they are kept for ever."""
    if arguments.forget_after_days is None:
        return None
    latest = latest_outcome(arguments.outcomes) if arguments.outcomes else -math.inf
    return Retention(arguments.forget_after_days, arguments.untimed == "drop", latest)


def _notes(arguments: argparse.Namespace, inputs: Inputs, fit: Fit) -> list[str]:
    """Return sentences about the data, for the report."""
    return [*inputs.data_notes, *reweighting_notes(arguments.reweight, fit.reweighting), *inputs.outcome_notes]


def _made(plan: Plan, now: str, seconds: float) -> dict[str, Any]:
    """Return the contents of `run.json`: time, duration in seconds, commit of the code, and current version."""
    parent = plan.store.labels().get(CURRENT, "")
    return {"trained_at": now, "seconds": round(seconds, 1), "commit": commit(), "parent": parent}


def _publish(
    plan: Plan,
    inputs: Inputs,
    fit: Fit,
    origin: Origin,
    evaluation: dict[str, Any],
    notes: list[str],
    made: dict[str, Any],
) -> str:
    """Publish the version without a label, sign it if requested, and store the gate key. Return the version."""
    version = publish(plan.store, inputs.training, inputs.publication, fit.core, origin, evaluation, notes, made)
    if plan.sign is not None:
        plan.sign(plan.store, version)
    keep_key(plan.store, inputs.key)
    return version


def _refuse_forgotten(arguments: argparse.Namespace, inputs: Inputs, store: Store, version: str) -> None:
    """Remove a new version, and raise WorkFailed, if members in it were forgotten since the tables were read."""
    try:
        listed = read_forgotten(arguments.data, member_key(arguments)).since.keys()
        is_same = listed <= inputs.tables.forgotten.since.keys()
    except DataError:
        is_same = False
    if not is_same:
        store.remove(version)
        raise WorkFailed("members were forgotten while this ran, so that the new version is removed: run it again")


def _track(plan: Plan, version: str, record: dict[str, Any], note: str) -> None:
    """Record a run of MLflow, or print why that fails, which doesn't change the decision on the new version."""
    if plan.tracker is None:
        return
    try:
        plan.tracker.record(plan.store, version, record, gate_report.verdict(record), note)
    except Exception as error:  # noqa: BLE001 # MLflow and its stores have errors of their own
        print(f"the run isn't recorded in MLflow: {type(error).__name__}", file=sys.stderr)


def _prune(store: Store, arguments: argparse.Namespace) -> None:
    """Remove old versions, or print why that fails, which doesn't change the decision on the new version."""
    try:
        store.prune(arguments.keep, arguments.keep_days, time.time())
    except (ModelError, OSError) as error:
        print(f"old versions aren't removed: {error}", file=sys.stderr)


def _take_part(plan: Plan, inputs: Inputs, version: str, data_fingerprint: str, now: str) -> list[Section]:
    """Enter the version in the challenge and return a report section about it, or [] without a challenge."""
    if plan.challenge is None:
        return []
    model = load_model(plan.store.fetch(version), key=None)
    return [plan.challenge.take_part(model, inputs.tables, data_fingerprint, now)]
