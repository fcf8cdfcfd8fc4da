"""The server's life: open the ports, load a model, serve, and stop without losing a call."""

import asyncio
import json
import logging
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TextIO

import grpc
from google.protobuf.descriptor_pool import Default
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_reflection.v1alpha.reflection import SERVICE_NAME as REFLECTION
from grpc_reflection.v1alpha.reflection import enable_server_reflection
from prometheus_client import start_http_server

from model.store import Store
from protos.coldstart.v1 import enjoyment_service_pb2 as pb
from protos.coldstart.v1 import enjoyment_service_pb2_grpc as pb_grpc
from service.answering import Answering
from service.health import Health
from service.interceptor import Edge
from service.limits import MESSAGE_BYTES
from service.live import LiveModel
from service.logs import tell
from service.metrics import Metrics
from service.servicer import EnjoymentServicer
from service.settings import Settings

ENJOYMENT_SERVICE = pb.DESCRIPTOR.services_by_name["EnjoymentService"].full_name
SERVICES = (ENJOYMENT_SERVICE, HEALTH, REFLECTION)
OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),  # else a second server on the port would start and take half of the calls
)


class PortTaken(Exception):
    """A port can't be opened; the text says which."""


async def serve(settings: Settings, clock: Callable[[], float], announce: TextIO) -> None:
    """Serve until SIGTERM or SIGINT; writes a line of JSON with the ports when the first look for a model is done.

    Raises PortTaken.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    metrics = Metrics()
    health = Health(frozenset({ENJOYMENT_SERVICE}), metrics.ready)
    live = LiveModel(Store(settings.models), settings.reload_seconds, metrics, clock, health.model_loaded)
    background = ThreadPoolExecutor(settings.background_threads, "background")
    edge = Edge(metrics, clock, map(Default().FindServiceByName, SERVICES))
    servicer = EnjoymentServicer(Answering(live, metrics, background, clock))
    server = grpc.aio.server(interceptors=[edge], options=OPTIONS)
    pb_grpc.add_EnjoymentServiceServicer_to_server(servicer, server)  # type: ignore[no-untyped-call] # generated
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    enable_server_reflection(SERVICES, server)
    port = _open_port(server, settings)
    metrics_port = _open_metrics(metrics, settings)
    await server.start()
    await live.look()
    following = asyncio.create_task(live.follow())
    ready = {"event": "serving", "port": port, "metrics_port": metrics_port, "model_version": live.version}
    print(json.dumps(ready), file=announce, flush=True)
    await stop.wait()
    tell(logging.INFO, "stopping", drain_seconds=settings.drain_seconds, grace_seconds=settings.grace_seconds)
    health.stop()
    following.cancel()
    await asyncio.sleep(settings.drain_seconds)  # gRPC cancels calls that have arrived and that no handler has yet
    health.end()
    await server.stop(settings.grace_seconds)
    background.shutdown(wait=False, cancel_futures=True)
    tell(logging.INFO, "stopped")


def _open_port(server: grpc.aio.Server, settings: Settings) -> int:
    """The port that was opened; raises PortTaken."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        return server.add_insecure_port(f"{host}:{settings.port}")
    except RuntimeError as error:
        raise PortTaken(f"can't serve on {host}:{settings.port}: is the port taken? Choose another --port") from error


def _open_metrics(metrics: Metrics, settings: Settings) -> int:
    """The port of the metrics, which are served until the process ends; raises PortTaken."""
    host, port = settings.metrics_host, settings.metrics_port
    try:
        server, _ = start_http_server(port, host, metrics.registry)
    except OSError as error:
        raise PortTaken(
            f"can't serve metrics on {host}:{port}: is the port taken? Choose another --metrics-port"
        ) from error
    return server.server_port
