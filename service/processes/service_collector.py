"""Collects the metrics and the health of the supervisor and all workers, even if some of them hang or are missing."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from prometheus_client import Metric
from prometheus_client.registry import Collector

from service.processes.worker_process import Worker
from service.telemetry.drift.drift_index import DriftCounts, DriftWindow
from service.telemetry.logs import log_event
from service.telemetry.merging import Family, MergedMetrics
from service.telemetry.metric_definitions import READY
from service.telemetry.metrics.supervisor_metrics import SupervisorMetrics

Result = TypeVar("Result")
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
        self._stopping = False
        self.changed: asyncio.Future[None] = self._loop.create_future()
        """Future that completes at the next change of any worker."""

    def observe(self, workers: Sequence[Worker]) -> None:
        """Collect the metrics of these workers from now on, and be told when one changes."""
        self._workers = workers
        self.worker_changed()

    def stop(self) -> None:
        """Report that the service isn't ready from now on, since it is about to stop."""
        self._stopping = True

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

    def healthy(self) -> bool:
        """Return whether the supervisor's event loop responds. May be called from any thread."""
        return self._in_loop(self._responds(), False, "health_not_checked")

    def ready(self) -> bool:
        """Return whether health is SERVING in any worker, as gRPC would answer. May be called from any thread."""
        return self._in_loop(self._any_ready(), False, "readiness_not_checked")

    def collect(self) -> Iterable[Metric]:
        """Collect and return all metrics. If that fails, return the metrics of the previous collection."""
        self._last = self._in_loop(self._collect(), self._last, "metrics_not_renewed")
        return self._last

    def _in_loop(self, work: Coroutine[Any, Any, Result], otherwise: Result, event: str) -> Result:
        """Run a coroutine in the supervisor's event loop, from another thread, and return its result.

        Returns `otherwise` if it fails, takes too long, or if the loop is closed because the process is about to exit.
        `event` is the name in the log of a failure.
        """
        try:
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:
            work.close()
            return otherwise
        try:
            return future.result(2 * RESPONSE_SECONDS)
        except Exception as error:  # noqa: BLE001 # after any error, there is the value to fall back on
            future.cancel()
            log_event(logging.ERROR, event, error)
        return otherwise

    async def _responds(self) -> bool:
        return True

    async def _any_ready(self) -> bool:
        await self.ask()
        reports = (worker.metrics for worker in self._workers if worker.running and worker.serves)
        return not self._stopping and any(_is_ready(report) for report in reports)

    async def _collect(self) -> list[Metric]:
        await self.ask()
        snapshots = [
            self._own.snapshot(),
            self._drift.families(),
            *(worker.metrics for worker in self._workers if worker.running),
        ]
        return self._merged.merge(snapshots, len(self._workers))


def _is_ready(report: list[Family]) -> bool:
    """Return whether the health service of the worker that sent these metrics reports SERVING."""
    return any(value == 1 for family in report if family.name == READY.name for _, _, value in family.series)
