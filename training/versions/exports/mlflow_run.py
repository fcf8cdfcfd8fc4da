"""Records a retrain as a run of MLflow: settings, data, scores, the gate's verdict, report and model card."""

import importlib.util
import json
from collections.abc import Iterator, Mapping
from typing import Any

from model.files.manifest import read_manifest, read_run
from model.store.store import RECORD, Store
from training.errors import UsageError

EXPERIMENT = "coldstart"
"""Name of the experiment, unless MLflow's own variable names another."""
ARTIFACTS = ("report.html", "report.json", "MODEL_CARD.md")
"""Files of a version that a run keeps; a record of the same name is kept in place of the file."""
LONGEST = 500
"""Maximum length of a parameter's value in MLflow. Longer lists of settings are truncated."""


class Tracker:
    """A server or store of MLflow to record runs in."""

    def __init__(self, address: str, experiment: str) -> None:
        """`address` is the store's, empty for the one that MLflow uses by itself; an experiment is created if need be.

        Raises UsageError if the extra isn't installed.
        """
        if importlib.util.find_spec("mlflow") is None:
            raise UsageError("--mlflow needs the extra mlflow: pip install '.[mlflow]'")
        self._address, self._experiment = address, experiment

    def record(self, store: Store, version: str, gate: Mapping[str, Any], verdict: str, note: str) -> str:
        """Record a published version as a finished run and return the run's id.

        `gate` is the record of the gate's decision, and `verdict` the decision in a word or two.
        """
        from mlflow import MlflowClient  # imported here because it takes seconds, and only this needs it

        client = MlflowClient(self._address or None)
        folder = store.fetch(version)
        manifest, made = read_manifest(folder), read_run(folder)
        known = client.get_experiment_by_name(self._experiment)
        experiment = client.create_experiment(self._experiment) if known is None else known.experiment_id
        tags = {
            "coldstart.version": version, "coldstart.gate": verdict, "coldstart.trained_at": made.trained_at,
            "coldstart.commit": made.commit, "coldstart.compared_with": gate["compared_with"] or "",
        }  # fmt: skip
        run_id = str(client.create_run(experiment, tags=tags, run_name=version).info.run_id)
        if note:
            client.set_tag(run_id, "mlflow.note.content", note)
        parameters = {"seed": manifest.seed, "data_fingerprint": manifest.data_fingerprint, **manifest.data}
        for name, value in [*parameters.items(), *_flat(manifest.settings)]:
            client.log_param(run_id, name, str(value)[:LONGEST])
        for kind, scores in manifest.scores.items():
            for name, score in scores.items():
                client.log_metric(run_id, f"{kind}.{name}", score)
        client.log_metric(run_id, "gate.passed", float(gate["passed"]))
        client.log_metric(run_id, "seconds", made.seconds)
        for name in ARTIFACTS:
            record = store.read_record(version, name) if RECORD.fullmatch(name) else None
            content = record or (folder / name).read_bytes()
            client.log_text(run_id, content.decode(), name)
        client.log_text(run_id, json.dumps(gate, indent=1), "gate.json")
        client.set_terminated(run_id)
        return run_id


def _flat(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each setting with its dotted name."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
