"""The supervisor: reserves the port, keeps the workers running, serves their metrics, and stops them on a signal.

This process loads neither gRPC nor the model, so it stays small and no request can crash it.
"""

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Callable
from typing import Any, TextIO

from model.cores import usable_cores
from service.errors import NoWorker
from service.processes.metrics_endpoint import serve_metrics
from service.processes.ports import EVERYWHERE, reserved_port
from service.processes.service_collector import ServiceCollector
from service.processes.worker_process import Worker
from service.rpc.security.certificates import CertificateFiles
from service.rpc.security.tokens import read, read_entries
from service.settings import Settings
from service.telemetry.logs import log_event

WORKER_COMMAND = (sys.executable, "-P", "-m", "service.processes.worker")
MARGIN_SECONDS = 5.0
"""Extra time after the grace period for a worker to exit before it is killed."""
TRIES = 3
"""Number of times in a row that a worker may die at startup before the service gives up, if no worker is serving."""


async def supervise(settings: Settings, clock: Callable[[], float], announce: TextIO) -> None:
    """Keep the workers running until SIGTERM or SIGINT.

    Writes a line of JSON with the ports to `announce` once all workers accept calls. Raises PortTaken if a port can't
    be opened, NoWorker if a worker keeps dying at startup, CertificateError if the certificate can't be used, and
    TokensError if the token file can't be used.
    """
    if settings.tokens is not None:
        read_entries(read(settings.tokens))
    files = CertificateFiles.of(settings)
    if files is not None:
        files.check(files.read())
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with reserved_port(settings.host, settings.port) as port:
        if settings.host in EVERYWHERE and settings.tls_cert is None:
            log_event(logging.WARNING, "open_to_every_network_without_tls", host=settings.host, port=port)
        await _serve(settings.model_copy(update={"port": port}), clock, announce, stop)


async def _serve(settings: Settings, clock: Callable[[], float], announce: TextIO, stop: asyncio.Event) -> None:
    collector, values = ServiceCollector(clock), settings.model_dump()
    numbers = range(settings.workers or usable_cores())
    workers = [Worker(number, WORKER_COMMAND, values, clock, collector) for number in numbers]
    collector.observe(workers)
    metrics_port = serve_metrics(collector, settings.metrics_host, settings.metrics_port)
    asking = asyncio.create_task(collector.ask_for_ever(settings.hang_seconds))
    keeping = [asyncio.create_task(worker.keep()) for worker in workers]
    for task in keeping:
        task.add_done_callback(lambda _: stop.set())  # if `keep` fails, stop rather than miss a worker for good
    stopped = asyncio.create_task(stop.wait())
    try:
        if await _all_serve(workers, collector, stopped):
            await collector.ask()
            ports = {"port": settings.port, "metrics_port": metrics_port}
            _announce({**ports, "model_version": workers[0].model_version}, settings.host, len(workers), announce)
        await stopped
        collector.stop()
        log_event(logging.INFO, "stopping", drain_seconds=settings.drain_seconds, grace_seconds=settings.grace_seconds)
    finally:
        await _end(workers, keeping, settings.drain_seconds + settings.grace_seconds + MARGIN_SECONDS)
        asking.cancel()
        stopped.cancel()
    log_event(logging.INFO, "stopped")


def _announce(facts: dict[str, Any], host: str, workers: int, announce: TextIO) -> None:
    print(json.dumps({"event": "serving", **facts}), file=announce, flush=True)
    log_event(logging.INFO, "serving", workers=workers, host=host, **facts)


async def _all_serve(workers: list[Worker], collector: ServiceCollector, stopped: "asyncio.Task[bool]") -> bool:
    """Wait until all workers accept calls, and return True. Returns False if the service is stopped before.

    Raises NoWorker if a worker has died TRIES times in a row at startup and no worker is serving.
    """
    while not all(worker.serves for worker in workers):
        if any(worker.quick_deaths >= TRIES for worker in workers) and not collector.any_serves():
            raise NoWorker(f"a worker ended {TRIES} times before it could serve: the log says why")
        awaited: list[asyncio.Future[Any]] = [collector.changed, stopped]
        await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
        if stopped.done():
            return False
    return True


async def _end(workers: list[Worker], keeping: "list[asyncio.Task[None]]", seconds: float) -> None:
    """Stop all workers, and kill those that have not exited after `seconds`."""
    for worker in workers:
        worker.stop()
    _, running = await asyncio.wait(keeping, timeout=seconds)
    if running:
        log_event(logging.ERROR, "workers_killed", workers=len(running))
        for worker in workers:
            worker.kill()
    await asyncio.gather(*keeping)
