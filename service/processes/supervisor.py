"""The supervisor: reserves the port, keeps the workers running, serves their metrics, and stops them on a signal.

This process loads neither gRPC nor the model, so that it stays small and nothing a caller sends can bring it down.
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
from service.processes.metrics_endpoint import ServiceCollector, serve_metrics
from service.processes.ports import EVERYWHERE, reserved_port
from service.processes.worker_process import Worker
from service.rpc.security.certificates import CertificateFiles
from service.rpc.security.tokens import read, read_entries
from service.settings import Settings
from service.telemetry.drift.drift_index import DriftWindow
from service.telemetry.logs import log_event
from service.telemetry.merging import MergedMetrics
from service.telemetry.metrics.supervisor_metrics import SupervisorMetrics

WORKER_COMMAND = (sys.executable, "-P", "-m", "service.processes.worker")
MARGIN_SECONDS = 5.0
"""How long after the grace period a worker may take to end before it is killed."""
TRIES = 3
"""Consecutive deaths of a worker at its start that end the service, as long as no worker has served."""


async def supervise(settings: Settings, clock: Callable[[], float], announce: TextIO) -> None:
    """Serve until SIGTERM or SIGINT; writes a line of JSON with the ports when all workers serve.

    Raises PortTaken, NoWorker, and CertificateError or TokensError if the certificate or the file of tokens can't be
    used at the start.
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
    changed = asyncio.Event()
    merged, own, drift = MergedMetrics(), SupervisorMetrics(), DriftWindow(clock)
    workers: list[Worker] = []
    collector = ServiceCollector(workers, own, merged, drift)

    def worker_changed() -> None:
        collector.worker_changed()
        changed.set()

    workers += [
        Worker(
            number,
            WORKER_COMMAND,
            settings.model_dump(mode="json"),
            clock,
            may_be_alone=lambda: not any(worker.serves for worker in workers),
            changed=worker_changed,
            ended=merged.add_ended,
            restarted=own.restarted,
            watched=drift.add,
        )
        for number in range(settings.workers or usable_cores())
    ]
    collector.worker_changed()
    metrics_port = serve_metrics(collector, settings.metrics_host, settings.metrics_port)
    asking = asyncio.create_task(collector.ask_for_ever(settings.hang_seconds))
    keeping = [asyncio.create_task(worker.keep()) for worker in workers]
    for task in keeping:
        task.add_done_callback(lambda _: stop.set())  # after a defect there, no worker must stay missing for good
    stopped = asyncio.create_task(stop.wait())
    try:
        if await _all_serve(workers, changed, stopped):
            await collector.ask()
            ports = {"port": settings.port, "metrics_port": metrics_port}
            _announce({**ports, "model_version": workers[0].model_version}, settings.host, len(workers), announce)
        await stopped
        log_event(logging.INFO, "stopping", drain_seconds=settings.drain_seconds, grace_seconds=settings.grace_seconds)
    finally:
        await _end(workers, keeping, settings.drain_seconds + settings.grace_seconds + MARGIN_SECONDS)
        asking.cancel()
        stopped.cancel()
    log_event(logging.INFO, "stopped")


def _announce(facts: dict[str, Any], host: str, workers: int, announce: TextIO) -> None:
    print(json.dumps({"event": "serving", **facts}), file=announce, flush=True)
    log_event(logging.INFO, "serving", workers=workers, host=host, **facts)


async def _all_serve(workers: list[Worker], changed: asyncio.Event, stopped: "asyncio.Task[bool]") -> bool:
    """Wait until all workers serve; False if the service is stopped before. Raises NoWorker."""
    while not all(worker.serves for worker in workers):
        if any(worker.quick_deaths >= TRIES for worker in workers) and not any(worker.serves for worker in workers):
            raise NoWorker(f"a worker ended {TRIES} times before it could serve: the log says why")
        waiting = asyncio.create_task(changed.wait())
        await asyncio.wait([waiting, stopped], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        changed.clear()
        if stopped.done():
            return False
    return True


async def _end(workers: list[Worker], keeping: "list[asyncio.Task[None]]", seconds: float) -> None:
    """Stop all workers, and kill those that take longer than `seconds`."""
    for worker in workers:
        worker.stop()
    _, running = await asyncio.wait(keeping, timeout=seconds)
    if running:
        log_event(logging.ERROR, "workers_killed", workers=len(running))
        for worker in workers:
            worker.kill()
    await asyncio.gather(*keeping)
