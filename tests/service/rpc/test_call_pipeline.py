"""The edge around every method: what a caller sees, and what is counted, when a handler goes wrong."""

# ruff: noqa: ARG002, N802 # the methods are those of the contract

import asyncio
import json
import logging
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf.descriptor_pool import Default

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc
from service.models.live_models import live_models
from service.rpc.admission.adaptive_limit import AdaptiveLimit
from service.rpc.admission.admission import Admission
from service.rpc.call_pipeline import CallPipeline
from service.rpc.outcomes import Outcomes
from service.rpc.servicer import EnjoymentServicer
from service.settings import Settings
from service.telemetry.call_sampling import CallSampler
from service.telemetry.logs import JsonLines
from service.telemetry.metrics.service_metrics import Metrics

CANARY = "CANARY-value"


class Panic(BaseException):
    """What polars raises where Rust panics."""


ERRORS = [
    ValueError(CANARY),
    Panic(CANARY),
    SystemExit(CANARY),
    KeyboardInterrupt(CANARY),
    MemoryError(),
    StopIteration(),
]


class Faulty(pb_grpc.EnjoymentServiceServicer):
    """Raises what it is told to."""

    def __init__(self, error=None):
        self.error = error
        self.begun = 0
        self.ended = 0
        self.busy_seconds = 0.0

    async def PredictEnjoyment(self, request, context):
        self.begun += 1
        time.sleep(self.busy_seconds)
        if self.error is not None:
            raise self.error
        await asyncio.sleep(5)
        self.ended += 1

    async def StreamPredictEnjoyment(self, request_iterator, context):
        async for _ in request_iterator:
            yield pb.PredictEnjoymentResponse()
            raise self.error


def run(servicer, ask):
    """Serve in this process and let `ask(stub, address)` call it; the metrics."""
    metrics = Metrics()

    async def serve():
        service = Default().FindServiceByName("coldstart.v1.EnjoymentService")
        admission = Admission(AdaptiveLimit(1, 100), 100, 10, time.perf_counter, random.random, metrics.admission.shed)
        edge = CallPipeline(metrics, time.perf_counter, [service], admission, CallSampler(0, time.perf_counter))
        server = grpc.aio.server()
        pb_grpc.add_EnjoymentServiceServicer_to_server(servicer, edge)
        server.add_generic_rpc_handlers((edge,))
        address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        async with grpc.aio.insecure_channel(address) as channel:
            await ask(pb_grpc.EnjoymentServiceStub(channel), address)
        await asyncio.sleep(0.1)
        await server.stop(None)

    asyncio.run(serve())
    return metrics


def handled(metrics, method):
    """How often each status was counted."""
    counts = {}
    for family in metrics.registry.collect():
        for sample in family.samples:
            if sample.name == "grpc_server_handled_total" and sample.labels["grpc_method"] == method and sample.value:
                counts[sample.labels["grpc_code"]] = sample.value
    return counts


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_whatever_a_handler_raises_the_caller_hears_internal_error_at_once(error, caplog):
    async def ask(stub, address):
        given = [("x-request-id", "a" * 32)]
        with pytest.raises(grpc.aio.AioRpcError) as unary:
            await stub.PredictEnjoyment(pb.PredictEnjoymentRequest(), timeout=10, metadata=given)
        assert (unary.value.code(), unary.value.details()) == (grpc.StatusCode.INTERNAL, "internal error")
        stream = stub.StreamPredictEnjoyment(iter([pb.PredictEnjoymentRequest()]), timeout=10)
        assert await stream.read() == pb.PredictEnjoymentResponse()
        with pytest.raises(grpc.aio.AioRpcError) as streamed:
            await stream.read()
        assert (streamed.value.code(), streamed.value.details()) == (grpc.StatusCode.INTERNAL, "internal error")

    metrics = run(Faulty(error), ask)
    assert handled(metrics, "PredictEnjoyment") == {"INTERNAL": 1}
    assert handled(metrics, "StreamPredictEnjoyment") == {"INTERNAL": 1}
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records if record.levelno >= logging.ERROR]
    assert [line["event"] for line in lines] == ["internal_error", "internal_error"]
    for line, method in zip(lines, ("PredictEnjoyment", "StreamPredictEnjoyment"), strict=True):
        assert line["method"].endswith(method)
        assert any(each["type"].endswith(type(error).__name__) for each in line["errors"])
        assert any(frame.endswith(f"in {method}") for each in line["errors"] for frame in each["stack"])
    assert lines[0]["request_id"] == "a" * 32 != lines[1]["request_id"]
    assert CANARY not in json.dumps(lines)


def test_a_call_is_cancelled_when_its_deadline_passes():
    servicer = Faulty()

    async def ask(stub, address):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub.PredictEnjoyment(pb.PredictEnjoymentRequest(), timeout=0.2)
        assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED

    metrics = run(servicer, ask)
    assert (servicer.begun, servicer.ended) == (1, 0)
    assert handled(metrics, "PredictEnjoyment") == {"DEADLINE_EXCEEDED": 1}


def test_a_call_that_its_caller_gives_up_is_cancelled():
    servicer = Faulty()

    async def ask(stub, address):
        call = stub.PredictEnjoyment(pb.PredictEnjoymentRequest())
        while not servicer.begun:
            await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    metrics = run(servicer, ask)
    assert servicer.ended == 0
    assert handled(metrics, "PredictEnjoyment") == {"CANCELLED": 1}


def test_a_call_whose_deadline_has_passed_is_not_begun():
    servicer = Faulty(ValueError())
    servicer.busy_seconds = 0.05

    def call(address):
        with grpc.insecure_channel(address) as channel:
            grpc.channel_ready_future(channel).result(5)
            stub = pb_grpc.EnjoymentServiceStub(channel)
            calls = [stub.PredictEnjoyment.future(pb.PredictEnjoymentRequest(), timeout=0.2) for _ in range(40)]
            return [call.code() for call in calls]

    async def ask(stub, address):
        codes.extend(await asyncio.to_thread(call, address))

    codes = []
    run(servicer, ask)
    assert codes.count(grpc.StatusCode.DEADLINE_EXCEEDED) >= 34
    assert servicer.begun <= 6, "as many as there is time for"


def test_work_that_waits_for_a_thread_is_dropped_when_its_call_is_cancelled(sample):
    _, models, _ = sample
    metrics, release = Metrics(), threading.Event()

    async def rank(pool):
        live = live_models(Settings(models=str(models)), metrics, time.perf_counter, lambda: None)
        await live.look()
        following = asyncio.create_task(live.follow())
        outcomes = Outcomes(live, None, None, metrics, time.time)
        servicer = EnjoymentServicer(live, None, outcomes, metrics, pool, time.perf_counter)
        pool.submit(release.wait)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(servicer.RankMovies(pb.RankMoviesRequest(), None), 0.1)
        release.set()
        following.cancel()
        await asyncio.wait([following])

    with ThreadPoolExecutor(1) as pool:
        asyncio.run(rank(pool))
    begun = metrics.registry.get_sample_value("coldstart_stage_seconds_count", {"stage": "features"})
    assert begun == 0
