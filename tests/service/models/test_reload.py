"""A newly published model takes over while calls go on; a broken one changes nothing."""

import threading
import time

import pytest

from coldstart_client.v1 import enjoyment_service_pb2 as pb

FAST = ("--reload-seconds", "0.1")


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not within time"
        time.sleep(0.02)


def version(server):
    return server.stub.GetModel(pb.GetModelRequest()).model_version


def events(server, name):
    return [line for line in server.log() if line["event"] == name]


def test_a_new_version_takes_over_without_an_error_and_each_answer_is_of_one_version(
    world, own_store, publish, start_server
):
    first, second = world.versions
    request = pb.PredictEnjoymentRequest(movie_ids=world.movie_ids)
    servers = {first: start_server(own_store, *FAST)}
    expected = {first: list(servers[first].stub.PredictEnjoyment(request).predictions)}
    server = servers[first]
    seen, stop = [], threading.Event()

    def ask():
        while not stop.is_set():
            answer = server.stub.PredictEnjoyment(request)
            seen.append((answer.model_version, list(answer.predictions)))
            time.sleep(0.005)

    callers = [threading.Thread(target=ask) for _ in range(3)]
    for caller in callers:
        caller.start()
    for wanted in (second, first, second):
        publish(own_store, wanted)
        wait_until(lambda wanted=wanted: version(server) == wanted)
    stop.set()
    for caller in callers:
        caller.join()
    expected[second] = list(server.stub.PredictEnjoyment(request).predictions)
    assert expected[first] != expected[second]
    assert {served for served, _ in seen} == {first, second}
    assert all(predictions == expected[served] for served, predictions in seen)
    assert server.metric("grpc_server_handled_total", grpc_method="PredictEnjoyment", grpc_code="OK") == len(seen) + 2


def test_the_metrics_tell_of_the_version_that_serves_and_of_no_other(world, own_store, publish, start_server):
    server = start_server(own_store, *FAST)
    first, second = world.versions
    assert server.metric("coldstart_model_info", version=first) == 1
    publish(own_store, second)
    wait_until(lambda: version(server) == second)
    assert server.metric("coldstart_model_info") == 1
    assert server.metric("coldstart_model_info", version=second) == 1
    assert server.metric("coldstart_model_loads_total", model="current", result="loaded") == 2
    trained = server.stub.GetModel(pb.GetModelRequest()).trained_at.ToDatetime().timestamp()
    assert server.metric("coldstart_model_trained_timestamp_seconds") == pytest.approx(trained, abs=86_400)


def damage(models, version):
    """Cut the end off the largest file of a version; what mends it."""
    largest = max((file for file in (models / "versions" / version).rglob("*")), key=lambda file: file.stat().st_size)
    whole = largest.read_bytes()
    largest.write_bytes(whole[:-100])
    return lambda: largest.write_bytes(whole)


def test_a_broken_version_keeps_the_old_one_says_so_and_is_tried_again(world, own_store, publish, start_server):
    first, second = world.versions
    server = start_server(own_store, *FAST)
    mend = damage(own_store, second)
    publish(own_store, second)
    wait_until(lambda: events(server, "model_not_loaded"))
    [event] = events(server, "model_not_loaded")
    assert event["version"] == second
    assert event["serving"] == version(server) == first
    assert event["reason"]
    assert server.metric("coldstart_ready") == 1
    time.sleep(1.5)
    assert 2 <= server.metric("coldstart_model_loads_total", model="current", result="refused") <= 6, (
        "each time after a longer while"
    )
    mend()
    wait_until(lambda: version(server) == second)


@pytest.mark.parametrize("folder", ["versions/new", "versions"])
def test_a_store_that_is_away_costs_no_call_and_is_tried_again(
    world, own_store, publish, start_server, tmp_path, folder
):
    first, second = world.versions
    place = own_store / folder.replace("new", second)
    request = pb.PredictEnjoymentRequest(movie_ids=world.movie_ids[:20])
    server = start_server(own_store, *FAST)
    response = server.stub.PredictEnjoyment(request)
    away = place.rename(tmp_path / "away")
    publish(own_store, second)
    wait_until(lambda: events(server, "model_not_loaded"))
    assert server.stub.PredictEnjoyment(request) == response
    assert response.model_version == first
    assert server.metric("coldstart_model_refusals_total", model="current", reason="missing") >= 1
    away.rename(place)
    wait_until(lambda: version(server) == second)


@pytest.mark.parametrize("text", ["", "../../elsewhere\n", "not a version\n"])
def test_a_malformed_pointer_keeps_the_old_version(world, own_store, start_server, text):
    server = start_server(own_store, *FAST)
    (own_store / "current").write_text(text)
    wait_until(lambda: events(server, "model_not_loaded"))
    time.sleep(0.5)
    assert len(events(server, "model_not_loaded")) == 1, "the same reason is logged once"
    assert version(server) == world.versions[0]


def test_a_server_that_begins_with_a_broken_version_waits_for_a_good_one(world, own_store, publish, start_server):
    first, second = world.versions
    damage(own_store, first)
    server = start_server(own_store, *FAST)
    assert server.told["model_version"] is None
    publish(own_store, second)
    wait_until(lambda: server.metric("coldstart_ready") == 1)
    assert version(server) == second
