"""`python -m service.processes.worker`: a process that answers calls until its supervisor stops it or is gone."""

import asyncio
import logging
import os
import signal
import sys
import threading
import time

import uvloop

from model.exit_codes import ExitCode
from service.errors import NoSupervisor
from service.processes.control_channel import WorkerEnd
from service.settings import Settings
from service.telemetry.drift.drift_index import DriftCounts
from service.telemetry.logs import configure_logging, log_event
from service.telemetry.merging import Family

MARGIN_SECONDS = 3.0
"""Extra time after the grace period before the process forces its own exit, if the supervisor is gone."""
TURN_SECONDS = 2.0
"""If the event loop is blocked for longer, requests for metrics stay unanswered, so the supervisor sees the hang."""


def main() -> int:
    """Serve until a signal arrives or the supervisor is gone, and return the exit code."""
    try:
        channel = WorkerEnd()
    except NoSupervisor as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.FAILED
    order = channel.order
    configure_logging(order.settings["log_level"], sys.stderr, worker=order.worker)
    try:
        uvloop.run(_live(Settings.model_validate(order.settings), channel))
    except BaseException as error:  # noqa: BLE001 # log any failure as JSON
        log_event(logging.CRITICAL, "worker_failed", error, reason=str(error))
        return ExitCode.FAILED
    return ExitCode.DONE


async def _live(settings: Settings, channel: WorkerEnd) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    from service.rpc.server import serve
    from service.telemetry.metrics.service_metrics import Metrics

    metrics = Metrics()

    def supervisor_lost() -> None:
        loop.call_soon_threadsafe(stop.set)
        time.sleep(settings.drain_seconds + settings.grace_seconds + MARGIN_SECONDS)
        os._exit(ExitCode.FAILED)

    def snapshot() -> tuple[list[Family], DriftCounts | None] | None:
        turned = threading.Event()
        loop.call_soon_threadsafe(turned.set)
        return (metrics.snapshot(), metrics.drift.take()) if turned.wait(TURN_SECONDS) else None

    threading.Thread(target=channel.follow, args=(snapshot, supervisor_lost), daemon=True).start()
    await serve(settings, metrics, time.perf_counter, time.time, stop, channel.order.alone, channel.serves)
    channel.ends(metrics.snapshot(), metrics.drift.take())
    logging.shutdown()
    os._exit(ExitCode.DONE)  # don't wait for a thread that is still loading a model


if __name__ == "__main__":
    sys.exit(main())
