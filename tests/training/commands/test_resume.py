"""A retrain that was killed goes on in its work folder, and publishes the version that it would have published."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.conftest import ROOT
from training.__main__ import main


def killed_after_a_prior(command: list[str], work: Path) -> None:
    """Run a command until it has fitted a prior, and kill it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "training", *command], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, sys.path))},
    )  # fmt: skip
    end = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < end and not list(work.glob("*/prior-*.npz")):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_a_killed_retrain_goes_on_and_publishes_the_same_version(small, light, retrained, tmp_path, capsys):
    plain = retrained(small.data, *light, name="plain")
    capsys.readouterr()
    work = tmp_path / "work"
    call = ["retrain", "--data", str(small.data), "--models", str(tmp_path / "resumed"), "--work", str(work), *light]
    killed_after_a_prior(call, work)
    kept = [path.name for path in work.glob("*/prior-*.npz")]
    assert kept
    assert not list((tmp_path / "resumed").glob("versions/*"))
    assert main([*call, "--gate-most-latency-ratio", "100"]) == 0
    steps = capsys.readouterr().err
    assert steps.count(": factors") == 4 - len(kept)
    resumed = tmp_path / "resumed" / "versions"
    assert [path.name for path in resumed.iterdir()] == [plain.current()]
