"""Connections: how long they live, how much they carry, and how many calls at a time."""

import threading
import time

import grpc
import pytest

from coldstart_client.v1 import enjoyment_service_pb2 as pb

REQUEST = pb.PredictEnjoymentRequest(movie_ids=["a"])


def test_a_connection_is_renewed_when_it_is_old_and_no_call_is_lost_by_it(world, start_server):
    server = start_server(world.models, "--max-connection-age-seconds", "1")
    states = []
    server.channel.subscribe(states.append, try_to_connect=True)
    end = time.monotonic() + 20
    while states.count(grpc.ChannelConnectivity.READY) < 3:
        assert time.monotonic() < end
        assert server.stub.PredictEnjoyment(REQUEST, timeout=10).predictions
        time.sleep(0.01)


@pytest.fixture(scope="module")
def narrow(world, start_lasting):
    """A server whose connections carry small messages and one call at a time."""
    return start_lasting(world.models, "--max-message-bytes", "65536", "--max-concurrent-streams", "1")


def test_a_message_larger_than_the_setting_is_refused(world, narrow, refused):
    large = pb.PredictEnjoymentRequest(movie_ids=["a" * 200] * 400)
    error = refused(lambda: narrow.stub.PredictEnjoyment(large))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert narrow.stub.PredictEnjoyment(REQUEST).predictions
    assert len(world.stub.PredictEnjoyment(large).predictions) == 400


def test_a_connection_carries_as_many_calls_at_a_time_as_the_setting_says(narrow):
    go_on = threading.Event()

    def requests():
        yield REQUEST
        go_on.wait(20)

    answers = narrow.stub.StreamPredictEnjoyment(requests())
    next(answers)
    waiting = narrow.stub.PredictEnjoyment.future(REQUEST, timeout=20)
    time.sleep(0.5)
    assert not waiting.done()
    go_on.set()
    assert not list(answers)
    assert waiting.result().predictions
