"""Serves `/metrics` for all processes, even while some of them hang or are missing."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.registry import Collector

from service.errors import PortTaken
from service.processes.worker_process import Worker
from service.settings import at_port
from service.telemetry.drift.drift_index import DriftWindow
from service.telemetry.logs import log_event
from service.telemetry.merging import MergedMetrics
from service.telemetry.metrics.supervisor_metrics import SupervisorMetrics

RESPONSE_SECONDS = 0.5
"""For a slower worker, its last report is used."""
ASK_SECONDS = 5.0
"""Workers are asked at least this often, so that hardly a count is lost when one is killed."""


class ServiceCollector(Collector):
    """Collects the metrics of the workers, of workers that have ended, and of the supervisor."""

    def __init__(
        self, workers: Sequence[Worker], own: SupervisorMetrics, merged: MergedMetrics, drift: DriftWindow
    ) -> None:
        """Must be called in the event loop of the workers."""
        self._workers = workers
        self._own = own
        self._merged = merged
        self._drift = drift
        self._loop = asyncio.get_running_loop()
        self._asked = 0
        self._changed = asyncio.Event()
        self._last: list[Metric] = []

    def worker_changed(self) -> None:
        """A worker has started, reported or ended."""
        self._changed.set()
        self._own.set_workers(
            wanted=len(self._workers),
            running=sum(worker.running for worker in self._workers),
            serving=sum(worker.serves for worker in self._workers),
        )

    async def ask_for_ever(self, hang_seconds: float) -> None:
        """Ask the workers periodically, and kill those that have not answered for `hang_seconds`."""
        while True:
            await asyncio.sleep(min(ASK_SECONDS, hang_seconds / 2))
            await self.ask()
            for worker in self._workers:
                worker.end_if_hung(hang_seconds)

    async def ask(self) -> None:
        """Ask all workers for their metrics, and wait up to RESPONSE_SECONDS for the responses."""
        self._asked += 1
        number = self._asked
        asked = [worker for worker in self._workers if worker.ask(number)]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RESPONSE_SECONDS):
                while any(worker.running and worker.answered < number for worker in asked):
                    self._changed.clear()
                    await self._changed.wait()

    def collect(self) -> Iterable[Metric]:
        """All metrics, freshly collected, or the last collected ones if that fails."""
        collecting = self._collect()
        try:
            future = asyncio.run_coroutine_threadsafe(collecting, self._loop)
        except RuntimeError:  # the service has ended, and this process is about to
            collecting.close()
            return self._last
        try:
            self._last = future.result(2 * RESPONSE_SECONDS)
        except Exception as error:  # noqa: BLE001 # whatever it is, Prometheus gets the last metrics
            future.cancel()
            log_event(logging.ERROR, "metrics_not_renewed", error)
        return self._last

    async def _collect(self) -> list[Metric]:
        await self.ask()
        snapshots = [
            self._own.snapshot(),
            self._drift.families(),
            *(worker.metrics for worker in self._workers if worker.running),
        ]
        return self._merged.merge(snapshots, len(self._workers))


def serve_metrics(collector: ServiceCollector, host: str, port: int) -> int:
    """Serve the metrics until the process ends, and return the port; raises PortTaken."""
    registry = CollectorRegistry()
    try:
        registry.register(collector)
        server, _ = start_http_server(port, host, registry)
    except OSError as error:
        where = at_port(host, port)
        raise PortTaken(f"can't serve metrics on {where}: is the port taken? Choose another --metrics-port") from error
    return server.server_port
