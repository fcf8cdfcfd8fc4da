"""A retrain is a run of MLflow, in a real store: settings, data, scores, the gate's verdict, report and card."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mlflow")
pytest.importorskip("sqlalchemy")

from model.artifact.artifact import load_model
from model.store.store import Store

ROOT = Path(__file__).parents[3]
pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # MLflow's own
    pytest.mark.skipif("CI" not in os.environ, reason="MLflow takes ten seconds to make a store"),
]


def retrain(small, folder, *options, environment=None) -> tuple[int, str, Store]:
    """A retrain in a process and a folder of its own, since MLflow keeps state and writes beside it."""
    command = [
        sys.executable,
        "-m",
        "training",
        "retrain",
        "--data",
        str(small.data),
        "--models",
        str(folder / "models"),
    ]
    variables = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'client'}"} | (environment or {})
    done = subprocess.run([*command, *options], cwd=folder, env=variables, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr, Store(folder / "models")


@pytest.fixture(scope="module")
def tracked(small, light, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracked")
    address = f"sqlite:///{folder / 'runs.db'}"
    code, told, store = retrain(small, folder, "--mlflow", address, "--note", "first try", "--quiet", *light)
    assert code == 0, told
    return folder, address, store


def run_of(address: str):
    from mlflow import MlflowClient

    client = MlflowClient(address)
    [run] = client.search_runs([client.get_experiment_by_name("coldstart").experiment_id])
    return client, run


def test_a_run_has_settings_data_scores_and_the_verdict(tracked):
    _, address, store = tracked
    version = store.current()
    manifest = load_model(store.folder(version)).manifest
    _, run = run_of(address)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == version
    assert run.data.tags["coldstart.version"] == version
    assert run.data.tags["coldstart.gate"] == "passed"
    assert run.data.tags["mlflow.note.content"] == "first try"
    assert run.data.params["data_fingerprint"] == manifest.data_fingerprint
    assert run.data.params["ratings"] == str(manifest.data["ratings"])
    assert run.data.params["prior.rank"] == "4"
    for kind, scores in manifest.scores.items():
        for name, score in scores.items():
            assert run.data.metrics[f"{kind}.{name}"] == score
    assert run.data.metrics["gate.passed"] == 1


def test_report_card_and_gate_are_artifacts(tracked, tmp_path):
    folder, address, store = tracked
    client, run = run_of(address)
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {
        "report.html", "report.json", "MODEL_CARD.md", "gate.json",
    }  # fmt: skip
    place = Path(run.info.artifact_uri)
    place = place if place.is_absolute() else folder / place
    assert f"version {store.current()}" in (place / "report.html").read_text()
    assert json.loads((place / "gate.json").read_text())["version"] == store.current()


def test_the_variable_of_mlflow_is_enough_and_a_store_that_fails_changes_no_verdict(small, light, tmp_path):
    address = f"sqlite:///{tmp_path / 'runs.db'}"
    code, told, _ = retrain(small, tmp_path, *light, environment={"MLFLOW_TRACKING_URI": address})
    assert code == 0, told
    assert run_of(address)[1].data.tags["coldstart.gate"] == "passed"
    (tmp_path / "file").touch()
    address = f"sqlite:///{tmp_path / 'file' / 'runs.db'}"
    code, told, store = retrain(small, tmp_path, "--seed", "1", "--mlflow", address, *light)
    assert "the run isn't recorded in MLflow: " in told
    assert f"version {store.current()} is published and serves" in told
    assert code == 0
