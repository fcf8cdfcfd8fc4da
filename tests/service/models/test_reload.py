"""A newly published model takes over while calls go on; a broken one changes nothing."""

import shutil
import threading
import time

import pytest

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from tests.conftest import point_to

FAST = ("--reload-seconds", "0.1")


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not within time"
        time.sleep(0.05)


def version(server):
    return server.stub.GetModel(pb.GetModelRequest()).model_version


def events(server, name):
    return [line for line in server.log() if line["event"] == name]


def damage(models, version):
    """Cut the end off the largest file of a version; what mends it."""
    largest = max((file for file in (models / "versions" / version).rglob("*")), key=lambda file: file.stat().st_size)
    whole = largest.read_bytes()
    largest.write_bytes(whole[:-100])
    return lambda: largest.write_bytes(whole)


@pytest.fixture(scope="module")
def models(sample, tmp_path_factory):
    """The store of the server that the tests share."""
    return shutil.copytree(sample[1], tmp_path_factory.mktemp("store") / "models")


@pytest.fixture(scope="module")
def server(sample, models, start_lasting):
    """A server that began with a damaged version and then was given a sound one."""
    first, second = sample[2]
    mend = damage(models, first)
    server = start_lasting(models, *FAST)
    point_to(models, second)
    wait_until(lambda: server.metric("coldstart_ready") == 1)
    mend()
    return server


@pytest.fixture
def serving(server):
    """The version that serves when the test begins."""
    return version(server)


@pytest.fixture
def other(sample, serving):
    """The version that doesn't."""
    return next(version for version in sample[2] if version != serving)


@pytest.fixture
def news(server):
    """The lines that a test has caused to be logged of one event."""
    before = len(server.log())
    return lambda name: [line for line in server.log()[before:] if line["event"] == name]


def loads(server, result):
    return server.metric("coldstart_model_loads_total", model="current", result=result)


def test_a_server_that_begins_with_a_broken_version_waits_for_a_good_one(server, sample):
    first, second = sample[2]
    assert server.told["model_version"] is None
    assert events(server, "model_not_loaded")[0]["version"] == first
    loaded = events(server, "model_loaded")[0]
    assert (loaded["version"], loaded["previous"]) == (second, None)
    assert server.metric("coldstart_ready") == 1
    assert version(server) in sample[2]


def test_a_new_version_takes_over_without_an_error_and_each_answer_is_of_one_version(
    world, models, publish, server, serving, other
):
    def answered():
        return server.metric("grpc_server_handled_total", grpc_method="PredictEnjoyment", grpc_code="OK")

    before = answered()
    request = pb.PredictEnjoymentRequest(movie_ids=world.movie_ids)
    expected = {serving: list(server.stub.PredictEnjoyment(request).predictions)}
    seen, stop = [], threading.Event()

    def ask():
        while not stop.is_set():
            answer = server.stub.PredictEnjoyment(request)
            seen.append((answer.model_version, list(answer.predictions)))
            time.sleep(0.01)

    callers = [threading.Thread(target=ask) for _ in range(3)]
    for caller in callers:
        caller.start()
    publish(models, other)
    wait_until(lambda: version(server) == other)
    stop.set()
    for caller in callers:
        caller.join()
    expected[other] = list(server.stub.PredictEnjoyment(request).predictions)
    assert expected[serving] != expected[other]
    assert {served for served, _ in seen} == {serving, other}
    assert all(predictions == expected[served] for served, predictions in seen)
    assert answered() - before == len(seen) + 2


def test_the_metrics_tell_of_the_version_that_serves_and_of_no_other(models, publish, server, serving, other):
    assert server.metric("coldstart_model_info", version=serving) == 1
    before = loads(server, "loaded")
    publish(models, other)
    wait_until(lambda: version(server) == other)
    assert server.metric("coldstart_model_info") == 1
    assert server.metric("coldstart_model_info", version=other) == 1
    assert loads(server, "loaded") == before + 1
    trained = server.stub.GetModel(pb.GetModelRequest()).trained_at.ToDatetime().timestamp()
    assert server.metric("coldstart_model_trained_timestamp_seconds") == pytest.approx(trained, abs=86_400)


def test_a_broken_version_keeps_the_old_one_says_so_and_is_tried_again(models, publish, server, serving, other, news):
    before = loads(server, "refused")
    mend = damage(models, other)
    publish(models, other)
    wait_until(lambda: news("model_not_loaded"))
    [event] = news("model_not_loaded")
    assert event["version"] == other
    assert event["serving"] == version(server) == serving
    assert event["reason"]
    assert server.metric("coldstart_ready") == 1
    time.sleep(1.5)
    assert 2 <= loads(server, "refused") - before <= 6, "each time after a longer while"
    mend()
    wait_until(lambda: version(server) == other)


def test_a_store_that_is_away_costs_no_call_and_is_tried_again(
    world, models, publish, server, serving, other, news, tmp_path
):
    def missing():
        return server.metric("coldstart_model_refusals_total", model="current", reason="missing")

    before = missing()
    request = pb.PredictEnjoymentRequest(movie_ids=world.movie_ids[:20])
    response = server.stub.PredictEnjoyment(request)
    assert response.model_version == serving
    moved = []
    for place in (models / "versions" / other, models / "versions"):
        moved.append((place.rename(tmp_path / f"away-{len(moved)}"), place))
        publish(models, other)
        wait_until(lambda before=before: missing() > before)
        assert news("model_not_loaded")
        assert server.stub.PredictEnjoyment(request) == response
        before = missing()
    for away, place in reversed(moved):
        away.rename(place)
    wait_until(lambda: version(server) == other)


@pytest.mark.parametrize("text", ["", "../../elsewhere\n", "not a version\n"])
def test_a_malformed_pointer_keeps_the_old_version(models, publish, server, serving, news, text):
    (models / "current").write_text(text)
    wait_until(lambda: news("model_not_loaded"))
    time.sleep(0.5)
    assert len(news("model_not_loaded")) == 1, "the same reason is logged once"
    assert version(server) == serving
    publish(models, serving)
    wait_until(lambda: server.metric("coldstart_model_behind", model="current") == 0)
