"""The gRPC server of one worker: waits for a model, opens the port, serves calls, and stops without dropping calls."""

import asyncio
import gc
import logging
import random
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc
from service.models.live_models import LiveModels, live_models
from service.rpc.admission.adaptive_limit import AdaptiveLimit
from service.rpc.admission.admission import Admission
from service.rpc.call_pipeline import CallPipeline
from service.rpc.health import Health
from service.rpc.methods import ENJOYMENT, SERVICES, SERVICES_WITHOUT_REFLECTION, described
from service.rpc.outcomes import Outcomes
from service.rpc.security.certificates import CertificateFiles
from service.rpc.security.live_certificates import LiveCertificates
from service.rpc.security.tokens import Tokens
from service.rpc.servicer import EnjoymentServicer
from service.settings import Settings, at_port
from service.stores.backends import member_backend
from service.stores.member_source import MemberSource
from service.stores.member_store import MemberStore
from service.stores.outcome_log import OutcomeLog
from service.telemetry.call_sampling import CallSampler, Tracing
from service.telemetry.logs import log_event
from service.telemetry.metrics.service_metrics import Metrics

KEEPALIVE_TIMEOUT_SECONDS = 10.0
"""Maximum time in which a client must acknowledge a keepalive ping."""
LEAST_PING_SECONDS = 30.0
"""Minimum interval between pings of a client. Connections of clients that ping more often are closed."""
CANCELLED_SECONDS = 0.5
"""Maximum time to wait for a cancelled task, such as loading a model, to end when the server stops."""
GC_THRESHOLDS = (10_000, 20, 50)
"""Thresholds of the garbage collector. They are high because calls create no cycles and collections delay calls."""


async def serve(
    settings: Settings,
    metrics: Metrics,
    clock: Callable[[], float],
    now: Callable[[], float],
    stop: asyncio.Event,
    alone: bool,
    serves: Callable[[str | None], None],
) -> None:
    """Wait until a model is loaded, then serve calls until `stop` is set.

    If `alone`, serving starts after the first attempt to load a model, even if no model was loaded.

    Args:
        settings: Settings of the service.
        metrics: Metrics of this worker.
        clock: Returns seconds from an arbitrary origin.
        now: Returns the seconds since 1970 UTC.
        stop: Event that stops the server.
        alone: Whether no other worker is serving.
        serves: Called once the port is open, with the current model version; None if no model is loaded.
    """
    ready = asyncio.Event()
    health = Health(ENJOYMENT, metrics.ready)

    def model_loaded() -> None:
        health.model_loaded()
        ready.set()

    live = live_models(settings, metrics, clock, model_loaded)
    async with AsyncExitStack() as resources:
        _run_until_closed(resources, _follow(live, ready if alone else None))
        await _first(stop, ready)
        if not stop.is_set():
            parts = Parts(settings, metrics, clock, now, live, health, resources)
            await _take_calls(parts)
            serves(live.version)
            await stop.wait()


async def _follow(live: LiveModels, looked: asyncio.Event | None) -> None:
    """Load new versions of the models forever. Set the event `looked` after the first attempt."""
    await live.look()
    if looked is not None:
        looked.set()
    await live.follow()


async def _first(*events: asyncio.Event) -> None:
    """Wait until at least one of the events is set."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()


def _run_until_closed(resources: AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine in a task that is cancelled when the resources are closed."""
    task = asyncio.create_task(work)

    async def cancel() -> None:
        task.cancel()
        await asyncio.wait([task], timeout=CANCELLED_SECONDS)

    resources.push_async_callback(cancel)


class Parts(NamedTuple):
    """Settings and shared objects that the functions of this module pass on to each other."""

    settings: Settings
    metrics: Metrics
    clock: Callable[[], float]
    now: Callable[[], float]
    live: LiveModels
    health: Health
    resources: AsyncExitStack
    """Resources, closed in reverse order of creation.

    First health reports NOT_SERVING and calls drain, then the server stops. After that, outcomes are flushed, traces
    are exported, connections to the member store are closed, and background tasks and threads end.
    """


async def _take_calls(parts: Parts) -> None:
    """Open the port and serve calls. When the resources are closed, the server stops without dropping calls."""
    settings, resources = parts.settings, parts.resources
    background = ThreadPoolExecutor(settings.background_threads, "background")
    resources.callback(background.shutdown, wait=False, cancel_futures=True)
    server = grpc.aio.server(options=_options(settings))
    _open_port(server, parts)
    members = _member_store(parts)
    pipeline = _call_pipeline(parts)
    _add_services(pipeline, _servicer(parts, members, background), parts)
    server.add_generic_rpc_handlers((pipeline,))
    server.add_registered_method_handlers(HEALTH, pipeline.handlers_of(HEALTH))  # gives health checks their own queue
    await server.start()
    resources.push_async_callback(server.stop, settings.grace_seconds)
    resources.push_async_callback(_drain, parts.health, settings.drain_seconds)
    gc.collect()
    gc.freeze()  # exclude objects that live as long as the process from collections
    gc.set_threshold(*GC_THRESHOLDS)


async def _drain(health: Health, seconds: float) -> None:
    """Report NOT_SERVING, but accept calls for some seconds, until clients have stopped sending them.

    Otherwise gRPC would cancel calls that have arrived but have not reached a handler.
    """
    health.stop()
    log_event(logging.DEBUG, "draining")
    await asyncio.sleep(seconds)
    health.end()


def _open_port(server: grpc.aio.Server, parts: Parts) -> None:
    settings = parts.settings
    address, files = at_port(settings.host, settings.port), CertificateFiles.of(settings)
    if files is None:
        server.add_insecure_port(address)
        return
    certificates = LiveCertificates(files, parts.metrics.files)
    server.add_secure_port(address, certificates.credentials())
    _run_until_closed(parts.resources, certificates.follow(settings.reload_seconds))


def _call_pipeline(parts: Parts) -> CallPipeline:
    """Create the pipeline of token checks, admission control, metrics and traces that every call passes through."""
    settings, metrics, clock, resources = parts.settings, parts.metrics, parts.clock, parts.resources
    limit = AdaptiveLimit(settings.least_in_flight, settings.most_in_flight)
    admission = Admission(
        limit, settings.queue_calls, settings.queue_seconds, clock, random.random, metrics.admission.shed
    )
    metrics.admission.follow(admission)
    tokens = None
    if settings.tokens:
        tokens = Tokens(settings.tokens, metrics.files.tokens_loaded)
        _run_until_closed(resources, tokens.follow(settings.reload_seconds))
    tracing = None
    if settings.traces:
        from service.telemetry.traces import Traces  # late import: its libraries are only loaded if needed

        traces = Traces(settings.traces, parts.now)
        resources.push_async_callback(asyncio.to_thread, traces.close)
        tracing = Tracing(settings.trace_sample, traces.export)
    calls = CallSampler(settings.log_sample, clock, tracing)
    return CallPipeline(metrics, clock, described(_services(settings)), admission, calls, tokens)


def _member_store(parts: Parts) -> MemberSource | None:
    settings = parts.settings
    if settings.members is None:
        return None
    backend = member_backend(settings, settings.members, parts.now)
    members = MemberStore(backend, settings.members_timeout_seconds, parts.metrics, parts.clock)
    parts.resources.push_async_callback(members.close)
    return members


def _servicer(parts: Parts, members: MemberSource | None, background: Executor) -> EnjoymentServicer:
    live, metrics, clock, now = parts.live, parts.metrics, parts.clock, parts.now
    log = None
    if parts.settings.outcomes:
        log = OutcomeLog(parts.settings.outcomes, clock, now, metrics.outcomes.commit)
        parts.resources.push_async_callback(log.close)
    return EnjoymentServicer(live, members, Outcomes(live, members, log, metrics, now), metrics, background, clock)


def _services(settings: Settings) -> tuple[str, ...]:
    """Return the full names of the gRPC services that this server has."""
    return SERVICES if settings.reflection == "on" else SERVICES_WITHOUT_REFLECTION


def _add_services(pipeline: CallPipeline, servicer: EnjoymentServicer, parts: Parts) -> None:
    pb_grpc.add_EnjoymentServiceServicer_to_server(servicer, pipeline)  # type: ignore[no-untyped-call] # generated
    health_pb2_grpc.add_HealthServicer_to_server(parts.health, pipeline)  # type: ignore[arg-type] # used as a server
    if parts.settings.reflection == "on":
        answers = reflection.aio.ReflectionServicer(_services(parts.settings))
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(answers, pipeline)  # type: ignore[no-untyped-call]


def _options(settings: Settings) -> list[tuple[str, int]]:
    """Return the channel arguments of the gRPC server.

    gRPC adds 10 % jitter to the maximum age of connections, so that not all connections end at once.
    """
    return [
        ("grpc.so_reuseport", 1),  # the supervisor ensures that no other server uses the port
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        ("grpc.server.max_pending_requests", settings.pending_calls),  # gRPC itself refuses calls above this number
        ("grpc.server.max_pending_requests_hard_limit", settings.pending_calls),
        ("grpc.max_concurrent_streams", settings.max_concurrent_streams),
        ("grpc.max_connection_age_ms", round(settings.max_connection_age_seconds * 1000)),
        ("grpc.keepalive_time_ms", round(settings.keepalive_seconds * 1000)),
        ("grpc.keepalive_timeout_ms", round(KEEPALIVE_TIMEOUT_SECONDS * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", round(LEAST_PING_SECONDS * 1000)),
    ]
