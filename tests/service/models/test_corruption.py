"""A wrong version, however it came to be wrong, is refused or does no harm, and a service goes on answering."""

import shutil
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from benchmarks.drills.corruption import Processes, digest
from benchmarks.drills.corruptions import Case, cases, make
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.artifact.artifact import load_model

CASES = cases()
SERVED = {
    "prior.npz with bit 0 flipped": "damaged",
    "members/keys.npy is a pipe": "unsafe",
    "left_child 2147483647 in a tree, every hash right": "trial",
    "prior.npz, movies infinite": "content",
    "leaves that are off by a rating point": "trial",
}
"""Cases that a running service is shown, one for each layer that refuses it."""


@pytest.fixture(scope="module")
def processes():
    return Processes()


@pytest.fixture(scope="module")
def versions(sample, tmp_path_factory):
    """A folder of versions, of which the sound one is given by name, and what it predicts."""
    _, models, (version, _) = sample
    folder = tmp_path_factory.mktemp("wrong") / "versions"
    shutil.copytree(models / "versions" / version, folder / version)
    return folder, version, digest(load_model(folder / version))


def test_there_are_enough_ways_to_be_wrong():
    names = Counter(case.name for case in CASES)
    assert len(names) >= 230
    assert names.keys() >= SERVED.keys()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_wrong_version_is_refused_or_predicts_the_same(case: Case, processes, versions):
    """LightGBM doesn't need all of its text, such as the names of features: what changes no number does no harm."""
    folder, version, sound = versions
    wrong = folder / make(case, folder / version, folder, CASES.index(case))
    try:
        fate = processes.fate(wrong)
    finally:
        shutil.rmtree(wrong)
    assert fate.startswith("refused: ") or fate == sound


def test_a_service_refuses_what_each_layer_refuses_and_answers_as_before(world, own_store, start_server, publish):
    server = start_server(own_store, "--reload-seconds", "0.05")
    sound = own_store / "versions" / world.versions[0]
    request = pb.PredictEnjoymentRequest(movie_ids=world.movie_ids)
    before = server.stub.PredictEnjoyment(request)
    for number, (case, reason) in enumerate((case, SERVED[case.name]) for case in CASES if case.name in SERVED):
        refusals = partial(server.metric, "coldstart_model_refusals_total", model="current", reason=reason)
        known = refusals()
        publish(own_store, make(case, sound, own_store / "versions", number))
        wait_until(lambda refusals=refusals, known=known: refusals() > known)
        assert server.stub.PredictEnjoyment(request) == before
        publish(own_store, sound.name)
        wait_until(lambda: server.metric("coldstart_model_behind", model="current") == 0)
    assert server.process.poll() is None


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not within time"
        time.sleep(0.02)
