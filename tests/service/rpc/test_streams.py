"""StreamPredictEnjoyment: order, backpressure and errors in the midst of a stream."""

import threading
import time

import grpc

from coldstart_client.v1 import enjoyment_service_pb2 as pb


def test_answers_come_in_the_order_of_the_requests(world):
    requests = [pb.PredictEnjoymentRequest(movie_ids=[f"movie {number}"] * (number % 3 + 1)) for number in range(300)]
    answers = list(world.stub.StreamPredictEnjoyment(iter(requests)))
    assert [[each.movie_id for each in answer.predictions] for answer in answers] == [
        list(request.movie_ids) for request in requests
    ]


def test_a_malformed_request_ends_the_stream_after_the_answers_before_it(world, malformed):
    good = pb.PredictEnjoymentRequest(movie_ids=["a"])
    answers = []
    stream = world.stub.StreamPredictEnjoyment(iter([good, good, pb.PredictEnjoymentRequest(), good]))
    assert malformed(lambda: answers.extend(iter(stream))) == ["movie_ids"]
    assert len(answers) == 2


def test_requests_are_read_only_as_fast_as_their_answers_are_taken(world):
    read = 0
    enough = threading.Event()

    def requests():
        nonlocal read
        while not enough.is_set():
            read += 1
            yield pb.PredictEnjoymentRequest(movie_ids=[f"a movie with a long name {read}" * 5] * 1000)

    stream = world.stub.StreamPredictEnjoyment(requests())
    next(stream)
    before, deadline = 0, time.monotonic() + 20
    while read != before and time.monotonic() < deadline:
        before = read
        time.sleep(0.7)
    enough.set()
    stream.cancel()
    assert read == before, "nobody takes answers, so in the end nothing more is read"


def test_a_cancelled_stream_leaves_the_server_well(world):
    stream = world.stub.StreamPredictEnjoyment(iter([pb.PredictEnjoymentRequest(movie_ids=["a"])] * 1000), timeout=30)
    next(stream)
    stream.cancel()
    assert stream.code() == grpc.StatusCode.CANCELLED
    assert world.predict(None, "a").predictions
