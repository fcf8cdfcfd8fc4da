"""`python -m service.processes.worker`: one process that answers calls, started by the supervisor, ending with it."""

import asyncio
import logging
import os
import signal
import sys
import threading
import time

import uvloop

from service.errors import NoSupervisor
from service.processes.control_channel import WorkerEnd
from service.settings import SECRET, Settings, read_settings, variable
from service.telemetry.drift.drift_index import DriftCounts
from service.telemetry.logs import configure_logging, log_event
from service.telemetry.merging import Family

MARGIN_SECONDS = 3.0
"""How long after the grace the process may take to end when nobody is left to kill it."""
TURN_SECONDS = 2.0
"""An event loop that doesn't come round within this time answers no calls, and the supervisor gets no answer either."""


def main() -> int:
    """Serve until a signal says to stop, or the supervisor is gone; 0 then, 1 where it can't serve."""
    secret = {variable(name): os.environ[variable(name)] for name in SECRET if variable(name) in os.environ}
    settings = read_settings(sys.argv[1:], secret)
    try:
        link = WorkerEnd()
    except NoSupervisor as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    configure_logging(settings.log_level, sys.stderr, worker=link.order.worker)
    try:
        uvloop.run(_live(settings, link))
    except BaseException as error:  # noqa: BLE001 # whatever it is, it goes to the log in JSON
        log_event(logging.CRITICAL, "worker_failed", error, reason=str(error))
        return 1
    return 0


async def _live(settings: Settings, link: WorkerEnd) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    from service.rpc.server import serve
    from service.telemetry.metrics.service_metrics import Metrics

    metrics = Metrics()

    def supervisor_lost() -> None:
        loop.call_soon_threadsafe(stop.set)
        time.sleep(settings.drain_seconds + settings.grace_seconds + MARGIN_SECONDS)
        os._exit(1)

    def told() -> tuple[list[Family], DriftCounts | None] | None:
        turned = threading.Event()
        loop.call_soon_threadsafe(turned.set)
        return (metrics.snapshot(), metrics.drift.take()) if turned.wait(TURN_SECONDS) else None

    threading.Thread(target=link.follow, args=(told, supervisor_lost), daemon=True).start()
    await serve(settings, metrics, time.perf_counter, time.time, stop, link.order.alone, link.serves)
    link.ends(metrics.snapshot(), metrics.drift.take())
    logging.shutdown()
    os._exit(0)  # a model that is still being loaded in a thread would hold the process up


if __name__ == "__main__":
    sys.exit(main())
