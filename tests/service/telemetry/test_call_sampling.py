"""Sampled calls are logged with their result and without anything personal."""

import json
import re
import time
import uuid
from pathlib import Path

import pytest

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from service.telemetry.call_sampling import CallSampler, EvenSampler, request_id_of

ROOT = Path(__file__).parents[3]
PREDICT = "/coldstart.v1.EnjoymentService/PredictEnjoyment"
REQUEST = pb.PredictEnjoymentRequest(movie_ids=["movie-001"])


@pytest.fixture(scope="module")
def server(world, start_lasting):
    return start_lasting(world.models, "--log-sample", "1")


def calls(server, count):
    """The log lines of all calls so far, once there are `count`."""
    end = time.monotonic() + 20
    while len(lines := [line for line in server.log() if line["event"] == "call"]) < count:
        assert time.monotonic() < end, lines
        time.sleep(0.02)
    return lines


def test_a_line_has_the_status_the_evidence_and_the_version(server, world):
    before = len(calls(server, 0))
    given = str(uuid.uuid4())
    server.stub.PredictEnjoyment(REQUEST, metadata=[("x-request-id", given)])
    line = calls(server, before + 1)[-1]
    assert line["request_id"] == given
    assert line["method"] == PREDICT
    assert line["code"] == "OK"
    assert 0 < line["seconds"] < 10
    assert (line["evidence"], line["version"], line["answers"]) == (["nothing"], world.versions[0], 1)
    assert set(line) == {
        "time", "level", "worker", "event", "request_id", "method", "code", "seconds", "evidence", "version", "answers",
    }  # fmt: skip
    [shown] = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "operations.md").read_text("utf-8"), re.DOTALL)
    assert set(json.loads(shown)) == set(line), "the documentation shows such a line"


def test_a_stream_has_one_line(server, world):
    before = len(calls(server, 0))
    member = world.facts(world.some_members(1)[0])
    requests = [REQUEST, pb.PredictEnjoymentRequest(member=member, movie_ids=["movie-001"]), REQUEST]
    assert len(list(server.stub.StreamPredictEnjoyment(iter(requests)))) == 3
    line = calls(server, before + 1)[-1]
    assert line["answers"] == 3
    assert line["evidence"] == ["attributes_and_ratings", "nothing"]


def test_failing_calls_have_their_code_and_no_answer(server, refused):
    before = len(calls(server, 0))
    refused(lambda: server.stub.PredictEnjoyment(pb.PredictEnjoymentRequest()))
    refused(lambda: server.channel.unary_unary("/no.such.Service/CANARY")(b""))
    wrong, unknown = calls(server, before + 2)[-2:]
    assert (wrong["code"], "answers" in wrong) == ("INVALID_ARGUMENT", False)
    assert (unknown["code"], unknown["method"]) == ("UNIMPLEMENTED", "unknown")


def test_an_id_that_is_not_a_random_one_is_replaced(server):
    before = len(calls(server, 0))
    for given in ("member-0001", "CANARY", "x" * 500):
        server.stub.PredictEnjoyment(REQUEST, metadata=[("x-request-id", given)])
    for line in calls(server, before + 3)[-3:]:
        assert uuid.UUID(line["request_id"])
    ulid = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    assert request_id_of([("x-request-id", ulid)]) == ulid
    assert request_id_of([("x-request-id", b"a" * 32)]) != "a" * 32


def test_only_the_share_asked_for_is_logged_and_none_without(world):
    sampler = EvenSampler(0.25)
    assert sum(sampler.picks() for _ in range(20)) == 5
    world.stub.PredictEnjoyment(REQUEST)
    assert [line for line in world.server.log() if line["event"] == "call"] == []


def test_without_a_share_metrics_are_left_as_they_are():
    counted = object()
    assert CallSampler(0, time.perf_counter).wrap(counted) is counted
