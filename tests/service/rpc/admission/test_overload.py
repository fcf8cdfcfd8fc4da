"""Overload of a real server: which calls are refused, how fast, and with which details."""

import json
import time

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks import overload
from coldstart_client.v1 import enjoyment_service_pb2 as pb

OK, EXHAUSTED = grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.fixture(scope="module")
def narrow(world, start_lasting):
    """A server that computes one call at a time and lets two wait."""
    bounds = ("--least-in-flight", "1", "--most-in-flight", "1", "--queue-calls", "2", "--queue-seconds", "30")
    return start_lasting(world.models, *bounds, "--background-threads", "1", "--pending-calls", "1000")


def test_rankings_beyond_the_queue_are_refused_with_all_that_a_client_needs_to_come_again(narrow, details):
    grpc.channel_ready_future(narrow.channel).result(10)
    health = health_pb2_grpc.HealthStub(narrow.channel)

    def counted():
        return (
            narrow.metric("coldstart_shed_calls_total", **{"class": "interactive", "reason": "full"}),
            narrow.metric("grpc_server_handled_total", grpc_method="RankMovies", grpc_code="RESOURCE_EXHAUSTED"),
        )

    before = counted()
    calls, alive = [], []
    for _ in range(50):
        calls.append(narrow.stub.RankMovies.future(pb.RankMoviesRequest(page_size=1000)))
        alive.append(health.Check.future(health_pb2.HealthCheckRequest(), timeout=30))
    assert {call.code() for call in calls} == {OK, EXHAUSTED}
    assert {call.code() for call in alive} == {OK}, "health is never refused"
    refused = next(call for call in calls if call.code() == EXHAUSTED)
    assert [info.reason for info in details(refused, error_details_pb2.ErrorInfo)] == ["OVERLOADED"]
    [retry] = details(refused, error_details_pb2.RetryInfo)
    seconds = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    assert 0.05 <= seconds <= 2
    [pushback] = [value for name, value in refused.trailing_metadata() if name == "grpc-retry-pushback-ms"]
    assert int(pushback) == round(seconds * 1000)
    shed = sum(call.code() == EXHAUSTED for call in calls)
    assert counted() == (before[0] + shed, before[1] + shed)
    assert narrow.metric("coldstart_in_flight") == 0
    assert narrow.metric("coldstart_queued_calls", **{"class": "interactive"}) == 0
    assert narrow.stub.RankMovies(pb.RankMoviesRequest()).predictions


def test_bulk_scoring_gives_way_to_calls_that_somebody_waits_for(narrow, world):
    request = pb.PredictEnjoymentRequest(movie_ids=world.movie_ids * 10)
    streams = [narrow.stub.StreamPredictEnjoyment(iter([request] * 8)) for _ in range(2)]
    firsts = [next(stream) for stream in streams]
    answered = [narrow.stub.RankMovies(pb.RankMoviesRequest(), timeout=30) for _ in range(5)]
    assert all(answer.predictions for answer in answered)
    assert all(len(list(stream)) == 7 for stream in streams), "and is done all the same"
    assert firsts[0] == firsts[1]


def test_calls_that_the_busy_process_can_not_take_are_ended_at_once_by_grpc_itself(world, start_server):
    server = start_server(world.models, "--pending-calls", "2")
    grpc.channel_ready_future(server.channel).result(10)
    request = pb.PredictEnjoymentRequest(movie_ids=(world.movie_ids * 3)[:200])
    calls = [server.stub.PredictEnjoyment.future(request) for _ in range(150)]
    alive = health_pb2_grpc.HealthStub(server.channel).Check.future(health_pb2.HealthCheckRequest())
    codes = [call.code() for call in calls]
    assert set(codes) == {OK, grpc.StatusCode.CANCELLED}
    assert alive.code() == OK, "health has a bound of its own"
    assert server.stub.PredictEnjoyment(request).predictions


def test_a_call_that_waits_is_not_computed_when_its_deadline_passes(narrow):
    grpc.channel_ready_future(narrow.channel).result(10)
    before = narrow.metric("coldstart_stage_seconds_count", stage="decode")
    held = narrow.stub.RankMovies.future(pb.RankMoviesRequest(page_size=1000))
    hurried = [narrow.stub.RankMovies.future(pb.RankMoviesRequest(), timeout=0.0005) for _ in range(50)]
    assert held.result().predictions
    codes = [call.code() for call in hurried]
    assert set(codes) <= {grpc.StatusCode.DEADLINE_EXCEEDED, EXHAUSTED, OK}
    time.sleep(0.2)
    computed = narrow.metric("coldstart_stage_seconds_count", stage="decode") - before
    assert computed <= 1 + 25, "most of them passed before their turn"


def test_the_drill_of_an_overload_runs_and_health_always_answers(world, capsys):
    few = ("--method", "RankMovies", "--rounds", "1", "--seconds", "0.3")
    assert overload.main(["--models", str(world.models), *few]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["health_ok_share"] == 1
    assert report["peak_per_second"] > 0
    assert report["goodput_per_second"] > 0
    [overloaded] = report["overloads"]
    assert overloaded["never_ended"] == 0
    assert sum(overloaded["codes"].values()) == overloaded["sent"]
    assert set(overloaded["codes"]) <= {"OK", "RESOURCE_EXHAUSTED", "CANCELLED", "DEADLINE_EXCEEDED"}
