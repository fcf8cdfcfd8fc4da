"""A retrain that was killed goes on in its work folder, and publishes the version that it would have published."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from training.__main__ import main


def is_there(folder: Path, pattern: str) -> bool:
    """Whether such a file is in the folder, in which other folders may vanish meanwhile."""
    try:
        return any(folder.glob(pattern))
    except FileNotFoundError:
        return False


def ended_by(number: int, command: list[str], folder: Path, pattern: str) -> int:
    """Run a command until such a file is in the folder, end it by a signal, and return its exit code."""
    process = subprocess.Popen(
        [sys.executable, "-m", "training", *command], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, sys.path)), "TMPDIR": str(folder)},
    )  # fmt: skip
    end = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < end and not is_there(folder, pattern):
        time.sleep(0.005)
    process.send_signal(number)
    return process.wait(timeout=60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_retrain_that_is_told_to_end_leaves_no_temporary_folder_and_publishes_nothing(small, light, tmp_path, number):
    folder, models = tmp_path / "temporary", tmp_path / "models"
    folder.mkdir()
    call = ["retrain", "--data", str(small.data), "--models", str(models), *light]
    assert ended_by(number, call, folder, "coldstart-*/*/prior-*.arrays") == 128 + number
    assert not list(folder.iterdir())
    assert not list(models.glob("versions/*"))


@pytest.mark.parametrize("is_damaged", [False, True], ids=["goes on", "begins anew if what it left is damaged"])
def test_a_killed_retrain_publishes_the_same_version(small, light, retrained, tmp_path, capsys, is_damaged):
    plain = retrained(small.data, *light, name="plain")
    capsys.readouterr()
    work = tmp_path / "work"
    call = ["retrain", "--data", str(small.data), "--models", str(tmp_path / "resumed"), "--work", str(work), *light]
    work.mkdir()
    assert ended_by(signal.SIGKILL, call, work, "*/prior-*.arrays") == -signal.SIGKILL
    kept = [path.name for path in work.glob("*/prior-*.arrays")]
    assert kept
    assert not list((tmp_path / "resumed").glob("versions/*"))
    if is_damaged:
        for path in work.glob("*/prior-*.arrays"):
            path.write_bytes(path.read_bytes()[:-1000])
        kept = []
    assert main([*call, "--gate-most-latency-ratio", "100"]) == 0
    steps = capsys.readouterr().err
    assert steps.count(": factors") == 4 - len(kept)
    resumed = tmp_path / "resumed" / "versions"
    assert [path.name for path in resumed.iterdir()] == [plain.current()]
