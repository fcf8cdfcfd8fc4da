"""Load for the drills: concurrent callers with the shipped retry policy, counted by status code."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks.served import Served
from coldstart_client.connection import channel_options
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc

SERVICE = pb.DESCRIPTOR.services_by_name["EnjoymentService"].full_name
DEADLINE_SECONDS = 30
STREAM_PAUSE_SECONDS = 0.1
STREAM_REQUESTS = 10
PLAYS, MOVIES = 30, 20


def connect(served: Served, number: int, health_checks: bool = True) -> grpc.aio.Channel:
    """A channel as the shipped client has it, with a connection of its own, which may lead to any of the workers."""
    options = [*channel_options(None), ("grpc.use_local_subchannel_pool", 1), ("coldstart.number", number)]
    options.append(("grpc.inhibit_health_checking", int(not health_checks)))
    return grpc.aio.insecure_channel(f"127.0.0.1:{served.port}", options=options)


def a_request(served: Served) -> pb.PredictEnjoymentRequest:
    """A member of 30 plays and 20 movies, or as many as the catalogue has."""
    ranked = served.stub.RankMovies(pb.RankMoviesRequest(page_size=PLAYS + MOVIES))
    movie_ids = [prediction.movie_id for prediction in ranked.predictions]
    member = pb.Member(plays=[pb.Play(movie_id=movie_id) for movie_id in movie_ids[:PLAYS]])
    return pb.PredictEnjoymentRequest(member=member, movie_ids=movie_ids[-MOVIES:])


class Load:
    """Calls under way, and how those before have ended."""

    def __init__(self, served: Served, pause_seconds: float = 0.0, health_checks: bool = True) -> None:
        """`pause_seconds` is how long each caller waits between two calls; `health_checks` is for its channels."""
        self._served = served
        self._pause_seconds = pause_seconds
        self._health_checks = health_checks
        self._request = a_request(served)
        self.codes: Counter[str] = Counter()
        """Ended calls by status."""
        self._stopping = False
        self._callers: list[asyncio.Task[None]] = []
        self._channels: list[grpc.aio.Channel] = []

    def start(self, unary: int, streams: int, channels: int) -> None:
        """Start callers over `channels` connections."""
        self._channels = [connect(self._served, number, self._health_checks) for number in range(channels)]
        calls = [self._predict] * unary + [self._stream] * streams
        for number, call in enumerate(calls):
            stub = pb_grpc.EnjoymentServiceStub(self._channels[number % channels])
            self._callers.append(asyncio.create_task(self._call_on(call, stub)))

    def stop(self) -> None:
        """Begin no more calls."""
        self._stopping = True

    async def ended(self) -> None:
        """Wait after `stop` until no call is under way."""
        await asyncio.gather(*self._callers)
        for channel in self._channels:
            await channel.close()

    @property
    def lost(self) -> int:
        """Calls that ended with anything else than OK."""
        return sum(self.codes.values()) - self.codes["OK"]

    async def _call_on(
        self, call: Callable[[pb_grpc.EnjoymentServiceStub], Awaitable[None]], stub: pb_grpc.EnjoymentServiceStub
    ) -> None:
        while not self._stopping:
            try:
                await call(stub)
                self.codes["OK"] += 1
            except grpc.aio.AioRpcError as error:
                self.codes[error.code().name] += 1
            if self._pause_seconds:
                await asyncio.sleep(self._pause_seconds)

    async def _predict(self, stub: pb_grpc.EnjoymentServiceStub) -> None:
        await stub.PredictEnjoyment(self._request, timeout=DEADLINE_SECONDS)

    async def _stream(self, stub: pb_grpc.EnjoymentServiceStub) -> None:
        """A call of about a second."""
        call = stub.StreamPredictEnjoyment(timeout=DEADLINE_SECONDS)
        for _ in range(STREAM_REQUESTS):
            await call.write(self._request)
            await call.read()
            await asyncio.sleep(random.uniform(0, 2) * STREAM_PAUSE_SECONDS)  # noqa: S311
        await call.done_writing()
        while await call.read() is not grpc.aio.EOF:
            pass


async def watch(channel: grpc.aio.Channel, serving: Callable[[], None], stopping: Callable[[], None]) -> float:
    """Follow a health watch until it ends and call back on each status; the time of NOT_SERVING, 0 if there was none.

    Raises AioRpcError unless the server ends the stream well.
    """
    stopping_at = 0.0
    stream = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=SERVICE))
    async for response in stream:
        if response.status == health_pb2.HealthCheckResponse.SERVING:
            serving()
        else:
            stopping_at = time.perf_counter()
            stopping()
    return stopping_at
