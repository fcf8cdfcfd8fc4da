"""What the documentation for operations shows exists: commands, options, settings, metrics and log lines."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from service.settings import Settings, flag, variable
from service.telemetry.drift.drift_index import FEWEST_REQUESTS
from service.telemetry.metric_definitions import DEFINITIONS
from training.fit.fit_drift_reference import MOST_ATTRIBUTES

ROOT = Path(__file__).parents[1]
TEXT = "".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("operations.md", "outcomes.md"))
COMMANDS = sorted(set(re.findall(r"python -m ([a-z.]+(?: (?!--)[a-z]+)*)((?: --[a-z-]+(?: [A-Za-z0-9/:.]+)?)*)", TEXT)))


@pytest.mark.parametrize(("command", "options"), COMMANDS, ids=str)
def test_every_command_and_its_options_exist(command, options):
    called = [sys.executable, "-m", *command.split(), "--help"]
    done = subprocess.run(called, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for option in re.findall(r"--[a-z-]+", options):
        assert option in done.stdout


def test_options_and_variables_are_settings_or_options_of_a_shown_command():
    known = {name for field in Settings.model_fields for name in (flag(field), variable(field))}
    known |= {option for _, options in COMMANDS for option in re.findall(r"--[a-z-]+", options)} | {"--outcomes"}
    named = set(re.findall(r"`(--[a-z-]+)|\b(COLDSTART_[A-Z_]+)", TEXT))
    assert {option or variable for option, variable in named} <= known


def test_metrics_are_real_ones():
    own = {metric.name for metric in DEFINITIONS} | {"process_cpu_seconds_total"}
    named = set(re.findall(r"\b(?:coldstart_[a-z_]+|grpc_server_[a-z_]+|process_[a-z_]+)\b", TEXT))
    assert named
    assert named <= own


def test_the_shown_log_line_has_the_fields_of_a_real_one(world_call):
    [shown] = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert set(json.loads(shown)) == set(world_call)


@pytest.fixture
def world_call(small, tmp_path):
    """The line that a call is logged with."""
    from benchmarks.served import serving
    from coldstart_client.v1 import enjoyment_service_pb2 as pb

    with serving(small.models, tmp_path / "log", "--workers", "1", "--log-sample", "1") as served:
        served.stub.PredictEnjoyment(pb.PredictEnjoymentRequest(movie_ids=["movie-001"]))
    [line] = [line for line in served.events("call") if line["method"].endswith("PredictEnjoyment")]
    return line


def test_its_numbers_are_those_of_the_code():
    assert f"needs {FEWEST_REQUESTS} requests" in TEXT
    assert f"At most {MOST_ATTRIBUTES} attributes" in TEXT
