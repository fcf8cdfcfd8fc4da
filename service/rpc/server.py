"""The server's life in one worker: load a model, open the port, serve, and stop without losing a call."""

import asyncio
import gc
import logging
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc
from service.models.live_models import LiveModels, live_models
from service.rpc.admission.adaptive_limit import AdaptiveLimit
from service.rpc.admission.admission import Admission
from service.rpc.answering import Answering
from service.rpc.call_pipeline import Edge
from service.rpc.health import Health
from service.rpc.methods import ENJOYMENT, SERVICES, SERVICES_WITHOUT_REFLECTION, described
from service.rpc.outcomes import Outcomes
from service.rpc.security.certificates import CertificateFiles
from service.rpc.security.live_certificates import LiveCertificates
from service.rpc.security.tokens import Tokens
from service.rpc.servicer import EnjoymentServicer, MemberSource
from service.settings import Settings, at_port
from service.stores.outcome_log import OutcomeLog
from service.telemetry.call_sampling import CallSampler, SampledCall, Tracing
from service.telemetry.logs import log_event
from service.telemetry.metrics.service_metrics import Metrics

SIGN_OF_LIFE_SECONDS = 10.0
"""How long a client may take to answer when it is asked for a sign of life."""
PING_SECONDS = 30.0
"""Clients that ask for one more often are sent away."""
CANCELLED_SECONDS = 0.5
"""How long the load of a model may take to end when the server stops."""
GARBAGE = (10_000, 20, 50)
"""New objects before those are looked through for garbage, and how often that is done before older ones are, too:
calls leave none behind, and looking costs each of them."""


async def serve(
    settings: Settings,
    metrics: Metrics,
    clock: Callable[[], float],
    now: Callable[[], float],
    stop: asyncio.Event,
    alone: bool,
    serves: Callable[[str | None], None],
) -> None:
    """Serve from when a model is loaded, or from the first look for one if `alone`, until `stop` is set.

    `clock` measures, `now` tells the seconds since 1970 UTC. `serves` is called with the version when calls are taken.
    """
    loaded = asyncio.Event()
    health = Health(ENJOYMENT, metrics.ready)

    def model_loaded() -> None:
        health.model_loaded()
        loaded.set()

    live = live_models(settings, metrics, clock, model_loaded)
    following = asyncio.create_task(_follow(live, loaded if alone else None))
    await _first(stop, loaded)
    if not stop.is_set():
        await _take_calls(settings, metrics, clock, now, stop, health, live, serves)
    following.cancel()
    await asyncio.wait([following], timeout=CANCELLED_SECONDS)


async def _follow(live: LiveModels, looked: asyncio.Event | None) -> None:
    """Look for models for ever; after the first look say so, if anybody wants to know."""
    await live.look()
    if looked is not None:
        looked.set()
    await live.follow()


async def _first(*events: asyncio.Event) -> None:
    """Wait until one of the events is set."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()


async def _take_calls(
    settings: Settings,
    metrics: Metrics,
    clock: Callable[[], float],
    now: Callable[[], float],
    stop: asyncio.Event,
    health: Health,
    live: LiveModels,
    serves: Callable[[str | None], None],
) -> None:
    services = SERVICES if settings.reflection == "on" else SERVICES_WITHOUT_REFLECTION
    background = ThreadPoolExecutor(settings.background_threads, "background")
    limit = AdaptiveLimit(settings.least_in_flight, settings.most_in_flight)
    admission = Admission(limit, settings.queue_calls, settings.queue_seconds, clock, random.random, metrics.shed)
    metrics.follow_load(admission)
    tokens = Tokens(settings.tokens, metrics.tokens_loaded) if settings.tokens else None
    traces = _traces(settings, now)
    calls = CallSampler(settings.log_sample, clock, Tracing(settings.trace_sample, traces.export) if traces else None)
    edge = Edge(metrics, clock, described(services), admission, calls, tokens)
    members = _member_store(settings, metrics, clock)
    log = OutcomeLog(settings.outcomes, clock, now, metrics.outcomes.commit) if settings.outcomes else None
    outcomes = Outcomes(live, members, log, metrics, now)
    servicer = EnjoymentServicer(Answering(live, metrics, background, clock), members, outcomes)
    pb_grpc.add_EnjoymentServiceServicer_to_server(servicer, edge)  # type: ignore[no-untyped-call] # generated
    health_pb2_grpc.add_HealthServicer_to_server(health, edge)  # type: ignore[arg-type] # it stands for a server
    if settings.reflection == "on":
        answers = reflection.aio.ReflectionServicer(services)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(answers, edge)  # type: ignore[no-untyped-call]
    server = grpc.aio.server(options=_options(settings))
    server.add_generic_rpc_handlers((edge,))
    server.add_registered_method_handlers(HEALTH, edge.handlers_of(HEALTH))  # so that they wait in no queue of others
    address, files = at_port(settings.host, settings.port), CertificateFiles.of(settings)
    if files is None:
        server.add_insecure_port(address)
    else:
        certificates = LiveCertificates(files, metrics.certificates_loaded)
        server.add_secure_port(address, certificates.credentials())
        looking = asyncio.create_task(_look_for_certificates(certificates, settings.reload_seconds))
    following = asyncio.create_task(tokens.follow(settings.reload_seconds)) if tokens else None
    await server.start()
    gc.collect()
    gc.freeze()  # what lives as long as the process needn't be looked through again and again
    gc.set_threshold(*GARBAGE)
    serves(live.version)
    await stop.wait()
    health.stop()
    log_event(logging.DEBUG, "draining")
    await asyncio.sleep(settings.drain_seconds)  # gRPC cancels calls that have arrived and that no handler has yet
    health.end()
    await server.stop(settings.grace_seconds)
    if log is not None:
        await log.close()
    if traces is not None:
        await asyncio.to_thread(traces.close)
    if members is not None:
        await members.close()
    if files is not None:
        looking.cancel()
    if following is not None:
        following.cancel()
    background.shutdown(wait=False, cancel_futures=True)


class TraceSink(Protocol):
    """Something that takes traced calls."""

    def export(self, call: SampledCall, code: grpc.StatusCode, seconds: float) -> None:
        """A call has ended after so many seconds."""

    def close(self) -> None:
        """Pass on what is left."""


def _traces(settings: Settings, now: Callable[[], float]) -> TraceSink | None:
    """What the settings name; its libraries are loaded only where there is one."""
    if settings.traces is None:
        return None
    from service.telemetry.traces import Traces

    return Traces(settings.traces, now)


def _member_store(settings: Settings, metrics: Metrics, clock: Callable[[], float]) -> MemberSource | None:
    """The store that the settings name; its client is loaded only where there is one."""
    if settings.members is None:
        return None
    from service.stores.member_store import MemberStore

    return MemberStore(settings.members, settings.members_timeout_seconds, metrics, clock)


async def _look_for_certificates(certificates: LiveCertificates, seconds: float) -> None:
    """Tell of changed files even where no client connects, for ever."""
    while True:
        await asyncio.sleep(seconds)
        await asyncio.to_thread(certificates.look)


def _options(settings: Settings) -> list[tuple[str, int]]:
    """What gRPC is told; it spreads the age of connections by a tenth itself, so that not all end at once."""
    return [
        ("grpc.so_reuseport", 1),  # the supervisor has made sure that no other server has the port
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        ("grpc.server.max_pending_requests", settings.pending_calls),  # beyond, gRPC ends calls itself
        ("grpc.server.max_pending_requests_hard_limit", settings.pending_calls),
        ("grpc.max_concurrent_streams", settings.max_concurrent_streams),
        ("grpc.max_connection_age_ms", round(settings.max_connection_age_seconds * 1000)),
        ("grpc.keepalive_time_ms", round(settings.keepalive_seconds * 1000)),
        ("grpc.keepalive_timeout_ms", round(SIGN_OF_LIFE_SECONDS * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", round(PING_SECONDS * 1000)),
    ]
