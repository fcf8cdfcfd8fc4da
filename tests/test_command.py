"""The command `coldstart`: every command runs from any folder, and ends quietly when it is interrupted or cut off."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import coldstart
from coldstart.__main__ import SERVICE_AND_CLIENT
from model.exit_codes import ExitCode
from training.__main__ import COMMANDS

NAMES = [*SERVICE_AND_CLIENT, *(name for name, _, _ in COMMANDS)]
SHADOWED = ("coldstart", "features", "model", "service", "training")


def command(*arguments):
    return [sys.executable, "-P", "-m", "coldstart", *arguments]


def run(folder, *arguments):
    return subprocess.run(command(*arguments), cwd=folder, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def elsewhere(tmp_path):
    """A folder whose own packages are named like ours and end whatever imports them."""
    for name in SHADOWED:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('a foreign package was imported')")
    return tmp_path


HELP = """
import sys
from coldstart.__main__ import run
for name in sys.argv[1:]:
    print("command", name, flush=True)
    try:
        code = run([name, "--help"])
    except SystemExit as ended:
        code = ended.code
    print("code", code, flush=True)
"""


def test_every_command_shows_its_options_in_any_folder(elsewhere):
    """All of them in one process, which is imported once."""
    ended = subprocess.run(
        [sys.executable, "-P", "-c", HELP, *NAMES],
        cwd=elsewhere, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    told = re.findall(r"^command (.*)\n(usage: )(?:.*\n)*?code (.*)$", ended.stdout, re.MULTILINE)
    assert told == [(name, "usage: ", "0") for name in NAMES]


def test_help_lists_every_command_and_the_version_is_that_of_the_package(tmp_path):
    listed = run(tmp_path, "--help")
    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines() if line.startswith("  ")] == NAMES
    assert run(tmp_path, "--version").stdout == f"{coldstart.__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["--nothing"]])
def test_an_unknown_command_is_refused_with_the_usage(tmp_path, arguments):
    ended = run(tmp_path, *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("usage: coldstart COMMAND")


def test_exit_codes_are_those_of_the_command(tmp_path):
    assert run(tmp_path, "validate", "--data", "nowhere").returncode == 2
    assert run(tmp_path, "ask", "model", "--address", "127.0.0.1:1").returncode == 4
    assert run(tmp_path, "probe", "--address", "127.0.0.1:1").returncode == 1


def test_a_served_model_answers_whatever_the_current_folder_holds(small, elsewhere):
    serving = subprocess.Popen(
        command("serve", "--models", str(small.models), "--port", "0", "--metrics-port", "0", "--workers", "1"),
        cwd=elsewhere, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    port = serving.stdout.readline().partition('"port": ')[2].partition(",")[0]
    asked = run(elsewhere, "ask", "rank", "--page-size", "2", "--address", f"127.0.0.1:{port}")
    serving.send_signal(signal.SIGINT)
    _, log = serving.communicate(timeout=60)
    assert asked.stdout.startswith("movie "), log
    assert serving.returncode == 0


def test_a_reader_that_goes_away_ends_a_command_quietly(small, tmp_path):
    for arguments in (["--help"], ["validate", "--data", str(small.data)]):
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "w") as closed:
            ended = subprocess.run(
                command(*arguments), cwd=tmp_path, stdout=closed, stderr=subprocess.PIPE, text=True, check=False
            )
        assert (ended.returncode, ended.stderr) == (1, "")


def test_an_interrupt_ends_a_command_quietly(tmp_path):
    sampling = subprocess.Popen(
        command("sample", "--out", "data", "--members", "200000", "--movies", "2000"),
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    end = time.monotonic() + 30
    while "polars" not in Path(f"/proc/{sampling.pid}/maps").read_text():  # it works, and no longer only starts
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(0.5)
    sampling.send_signal(signal.SIGINT)
    _, errors = sampling.communicate(timeout=60)
    # CPython ends by the signal itself if that came while `exec` ran, as in the making of a dataclass: 130 in a shell
    assert sampling.returncode in (ExitCode.INTERRUPTED, -signal.SIGINT)
    assert all(re.match(r"20\d\d-\S+Z +\d+ s  ", line) for line in errors.splitlines()), errors
    assert list(tmp_path.iterdir()) == []
