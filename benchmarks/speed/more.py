"""What only the service can do: rankings and streams."""

import time
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np

from benchmarks.speed.contenders import WrongAnswer
from benchmarks.speed.question import member_of
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.prediction.model import Model
from service.requests.decode import Decoder

RANKINGS = 100
PAGE = 20
MEMBERS = 50
MOVIES_A_REQUEST = 1000
"""As many as the contract allows."""
STREAM = "/coldstart.v1.EnjoymentService/StreamPredictEnjoyment"


def ranking_latencies(model: Model, stub: Any, member: pb.Member) -> np.ndarray:
    """(N,) milliseconds of a ranking of the whole catalogue; raises WrongAnswer where it isn't the true one."""
    request = pb.RankMoviesRequest(member=member, page_size=PAGE)
    rows, everything = model.rank(Decoder(model).ranking(request).member)
    expected = [(model.catalogue.movie_ids[row], everything.rating[place]) for place, row in enumerate(rows[:PAGE])]
    milliseconds = []
    for _ in range(RANKINGS):
        began = time.perf_counter()
        answer = stub.RankMovies(request)
        milliseconds.append((time.perf_counter() - began) * 1000)
        if [(prediction.movie_id, prediction.rating) for prediction in answer.predictions] != expected:
            raise WrongAnswer("the ranking isn't what scoring everything gives")
    return np.array(milliseconds)


def predictions_a_second(model: Model, port: int, seconds: float) -> float:
    """Predictions that one stream brings in a second, of many members with up to 1,000 movies a request.

    Responses aren't parsed here while the clock runs: the caller's work is not the server's.
    """
    random = np.random.default_rng(1)
    messages, movies = [], []
    for _ in range(MEMBERS):
        member, others = member_of(model, random)
        request = pb.PredictEnjoymentRequest(member=member, movie_ids=others[:MOVIES_A_REQUEST])
        messages.append(request.SerializeToString())
        movies.append(len(request.movie_ids))
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stream = channel.stream_stream(STREAM)
        ends = time.perf_counter() + 3600

        def requests() -> Iterator[bytes]:
            number = 0
            while time.perf_counter() < ends:
                yield messages[number % MEMBERS]
                number += 1

        answers = stream(requests())
        first = pb.PredictEnjoymentResponse.FromString(next(answers))
        if len(first.predictions) != movies[0]:
            raise WrongAnswer("the stream brings another number of predictions")
        began = time.perf_counter()
        ends = began + seconds
        count = sum(movies[(number + 1) % MEMBERS] for number, _ in enumerate(answers))
        return count / (time.perf_counter() - began)
