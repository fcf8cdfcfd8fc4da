"""What the documentation for operations shows exists: commands, options, settings, metrics and log lines."""

import os
import re
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from service.settings import Settings, flag, variable
from service.telemetry.drift.drift_index import FEWEST_REQUESTS
from service.telemetry.metric_definitions import DEFINITIONS
from training.fit.calibration.fit_drift_reference import MOST_ATTRIBUTES

ROOT = Path(__file__).parents[1]
TEXT = "".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("operations.md", "outcomes.md"))
COMMANDS = sorted(set(re.findall(r"python -m ([a-z.]+(?: (?!--)[a-z]+)*)((?: --[a-z-]+(?: [A-Za-z0-9/:.]+)?)*)", TEXT)))


@pytest.mark.parametrize(("command", "options"), COMMANDS, ids=str)
def test_every_command_and_its_options_exist(command, options, monkeypatch, capsys):
    module, *arguments = command.split()
    monkeypatch.setattr(sys, "argv", [module, *arguments, "--help"])
    monkeypatch.setattr(os, "environ", dict(os.environ))
    spec = find_spec(module)
    assert spec is not None
    loaded = module if spec.submodule_search_locations is None else f"{module}.__main__"
    monkeypatch.delitem(sys.modules, loaded, raising=False)  # so that it runs afresh
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    shown = capsys.readouterr()
    assert not ended.value.code, shown.err
    for option in re.findall(r"--[a-z-]+", options):
        assert option in shown.out


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


def test_its_numbers_are_those_of_the_code():
    assert f"needs {FEWEST_REQUESTS} requests" in TEXT
    assert f"At most {MOST_ATTRIBUTES} attributes" in TEXT
