"""Connections: how long they live, how much they carry, and how many calls at a time."""

import threading
import time

import grpc

from coldstart_client.v1 import enjoyment_service_pb2 as pb

REQUEST = pb.PredictEnjoymentRequest(movie_ids=["a"])


def test_a_connection_is_renewed_when_it_is_old_and_no_call_is_lost_by_it(world, start_server):
    server = start_server(world.models, "--workers", "2", "--max-connection-age-seconds", "1")
    states = []
    server.channel.subscribe(states.append, try_to_connect=True)
    end = time.monotonic() + 20
    while states.count(grpc.ChannelConnectivity.READY) < 3:
        assert time.monotonic() < end
        assert server.stub.PredictEnjoyment(REQUEST, timeout=10).predictions


def test_a_message_larger_than_the_setting_is_refused(world, start_server, refused):
    server = start_server(world.models, "--max-message-bytes", "65536")
    large = pb.PredictEnjoymentRequest(movie_ids=["a" * 200] * 400)
    error = refused(lambda: server.stub.PredictEnjoyment(large))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert server.stub.PredictEnjoyment(REQUEST).predictions
    assert len(world.stub.PredictEnjoyment(large).predictions) == 400


def test_a_connection_carries_as_many_calls_at_a_time_as_the_setting_says(world, start_server):
    server = start_server(world.models, "--max-concurrent-streams", "1")
    go_on = threading.Event()

    def requests():
        yield REQUEST
        go_on.wait(20)

    answers = server.stub.StreamPredictEnjoyment(requests())
    next(answers)
    waiting = server.stub.PredictEnjoyment.future(REQUEST, timeout=20)
    time.sleep(0.5)
    assert not waiting.done()
    go_on.set()
    assert not list(answers)
    assert waiting.result().predictions
