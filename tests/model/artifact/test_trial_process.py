"""A version is tried by a process that may die, hang or run out of memory; whoever asked goes on."""

import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest

from model.artifact.trial_process import Limits, Trials
from model.errors import ArtifactError


@pytest.fixture
def trials():
    made = []

    def make(**limits):
        made.append(Trials(Limits(**limits)))
        return made[-1]

    yield make
    for trials in made:
        trials.close()


@pytest.fixture
def folder(small, tmp_path) -> Path:
    return shutil.copytree(small.folder, tmp_path / small.version)


def refusal(trials, folder):
    with pytest.raises(ArtifactError) as raised:
        trials.try_version(folder)
    return raised.value


def children():
    """Processes that this one has started and that live."""
    return Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()


def test_a_sound_version_passes_each_time_in_a_process_of_its_own(trials, folder):
    before = children()
    tries = trials()
    tries.prepare()
    [waiting] = set(children()) - set(before)
    tries.try_version(folder)
    assert waiting not in children()
    tries.try_version(folder)
    assert set(children()) == set(before)


def test_a_refusal_by_the_process_has_its_reason(trials, folder):
    (folder / "prior.npz").write_bytes(b"")
    error = refusal(trials(), folder)
    assert error.reason == "damaged"
    assert "prior.npz" in str(error)


def test_a_process_that_dies_is_a_refusal_and_the_next_is_another(trials, folder):
    tries = trials()
    tries.prepare()
    process = tries._waiting
    process.send_signal(signal.SIGSTOP)
    threading.Timer(0.5, process.kill).start()
    error = refusal(tries, folder)
    assert error.reason == "trial"
    assert "-9" in str(error)
    tries.try_version(folder)


def test_a_process_that_somebody_ended_while_it_waited_is_replaced(trials, folder):
    tries = trials()
    tries.prepare()
    tries._waiting.kill()
    tries._waiting.wait()
    tries.try_version(folder)


def test_a_process_that_hangs_is_ended(trials, folder):
    tries = trials(seconds=0.5)
    tries.prepare()
    tries._waiting.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    error = refusal(tries, folder)
    assert error.reason == "trial"
    assert "more than 0.5 seconds" in str(error)
    assert time.monotonic() - began < 20


def test_a_version_that_needs_too_much_memory_is_refused(trials, folder):
    error = refusal(trials(memory_bytes=1 << 20), folder)
    assert error.reason == "trial"


def test_closing_ends_what_waits_and_what_runs(trials, folder):
    before = children()
    tries = trials()
    tries.prepare()
    process = tries._waiting
    process.send_signal(signal.SIGSTOP)
    refusals = []
    thread = threading.Thread(target=lambda: refusals.append(refusal(tries, folder)))
    thread.start()
    while tries._waiting is not None:
        time.sleep(0.01)
    tries.prepare()
    tries.close()
    thread.join(20)
    assert [error.reason for error in refusals] == ["trial"]
    assert set(children()) == set(before)
