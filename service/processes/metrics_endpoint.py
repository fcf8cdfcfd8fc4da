"""Serves `/metrics` for the supervisor and all workers, even if some of them hang or are missing."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence

from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.registry import Collector

from service.errors import PortTaken
from service.processes.worker_process import Worker
from service.settings import at_port
from service.telemetry.drift.drift_index import DriftCounts, DriftWindow
from service.telemetry.logs import log_event
from service.telemetry.merging import Family, MergedMetrics
from service.telemetry.metrics.supervisor_metrics import SupervisorMetrics

RESPONSE_SECONDS = 0.5
"""Maximum time to wait for the workers' metrics. If a worker is slower, its previous report is used."""
ASK_SECONDS = 5.0
"""Maximum interval between requests to the workers, so that few counts are lost if a worker is killed."""


class ServiceCollector(Collector):
    """Collects the metrics of the supervisor and of all workers, whether running or ended."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Create the collector. Must be called in the workers' event loop; `clock` returns monotonic seconds."""
        self._workers: Sequence[Worker] = ()
        self._own = SupervisorMetrics()
        self._merged = MergedMetrics()
        self._drift = DriftWindow(clock)
        self._loop = asyncio.get_running_loop()
        self._asked = 0
        self._last: list[Metric] = []
        self.changed: asyncio.Future[None] = self._loop.create_future()
        """Future that completes at the next change of any worker."""

    def observe(self, workers: Sequence[Worker]) -> None:
        """Collect the metrics of these workers from now on, and be told when one changes."""
        self._workers = workers
        self.worker_changed()

    def any_serves(self) -> bool:
        """Return whether any worker accepts calls."""
        return any(worker.serves for worker in self._workers)

    def worker_changed(self) -> None:
        """Update the worker counts after a worker has started, reported or ended, and complete `changed`."""
        self.changed.set_result(None)
        self.changed = self._loop.create_future()
        self._own.set_workers(
            wanted=len(self._workers),
            running=sum(worker.running for worker in self._workers),
            serving=sum(worker.serves for worker in self._workers),
        )

    def worker_ended(self, metrics: list[Family]) -> None:
        """Keep the last reported metrics of a worker's process that has ended, so that counters don't decrease."""
        self._merged.add_ended(metrics)

    def worker_restarted(self) -> None:
        """Count a restart: a process is about to replace one that has died."""
        self._own.restarted()

    def drift_reported(self, worker: int, counts: DriftCounts) -> None:
        """Add what a worker has counted for drift detection since its previous report."""
        self._drift.add(worker, counts)

    async def ask_for_ever(self, hang_seconds: float) -> None:
        """Request metrics from the workers periodically, and kill workers that hang for more than `hang_seconds`."""
        while True:
            await asyncio.sleep(min(ASK_SECONDS, hang_seconds / 2))
            await self.ask()
            for worker in self._workers:
                worker.end_if_hung(hang_seconds)

    async def ask(self) -> None:
        """Request metrics from all workers, and wait up to RESPONSE_SECONDS for the responses."""
        self._asked += 1
        number = self._asked
        asked = [worker for worker in self._workers if worker.ask(number)]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RESPONSE_SECONDS):
                while any(worker.running and worker.answered < number for worker in asked):
                    await asyncio.shield(self.changed)

    def collect(self) -> Iterable[Metric]:
        """Collect and return all metrics. If that fails, return the metrics of the previous collection."""
        collecting = self._collect()
        try:
            future = asyncio.run_coroutine_threadsafe(collecting, self._loop)
        except RuntimeError:  # the event loop is closed, and this process is about to exit
            collecting.close()
            return self._last
        try:
            self._last = future.result(2 * RESPONSE_SECONDS)
        except Exception as error:  # noqa: BLE001 # after any error, Prometheus gets the previous metrics
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
    """Serve the metrics in a thread until the process exits, and return the port.

    Raises PortTaken if the port can't be opened.
    """
    registry = CollectorRegistry()
    try:
        registry.register(collector)
        server, _ = start_http_server(port, host, registry)
    except OSError as error:
        where = at_port(host, port)
        raise PortTaken(f"can't serve metrics on {where}: is the port taken? Choose another --metrics-port") from error
    return server.server_port
