"""Keeps one worker process running: starts it, reads its reports, and replaces it if it dies or hangs."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from service.processes.control_channel import Order, Report, SupervisorEnd
from service.telemetry.drift.drift_index import DriftCounts
from service.telemetry.logs import log_event
from service.telemetry.merging import Family

STEADY_SECONDS = 1.0
"""A worker that has served for at least this long did not die at startup, so it is replaced without delay."""
FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 30.0
LAST_REPORTS_SECONDS = 1.0
"""Maximum time to read the last reports of a worker that has died."""
START_SECONDS = 60.0
"""Minimum time before a worker that is still starting is considered hung, since it loads libraries first."""


def delay_seconds(quick_deaths: int) -> float:
    """Return the delay before a worker is started again, in seconds, doubled with each death at startup in a row."""
    doublings = min(quick_deaths - 1, 20)  # more would overflow; the longest delay is reached much earlier
    return 0.0 if quick_deaths == 0 else min(FIRST_DELAY_SECONDS * 2.0**doublings, LONGEST_DELAY_SECONDS)


def _environment() -> dict[str, str]:
    """Return the environment of a worker, which makes it import from the same folders as this process."""
    folders = [str(Path(folder).absolute()) for folder in sys.path]
    return os.environ | {"PYTHONPATH": os.pathsep.join(folders)}


class WorkerObserver(Protocol):
    """What a worker calls when its process starts, reports, ends or is replaced."""

    def any_serves(self) -> bool:
        """Return whether any worker accepts calls."""

    def worker_changed(self) -> None:
        """Called after a process has started, begun to serve, reported metrics, or ended."""

    def worker_ended(self, metrics: list[Family]) -> None:
        """Called after a process has ended, with the metrics in its last report."""

    def worker_restarted(self) -> None:
        """Called before a process is started to replace one that has died."""

    def drift_reported(self, worker: int, counts: DriftCounts) -> None:
        """Called with a worker's number and what it has counted for drift detection since its previous report."""


class Worker:
    """One of the service's workers. Its process is replaced if it dies or hangs."""

    def __init__(
        self,
        number: int,
        command: Sequence[str],
        settings: dict[str, Any],
        clock: Callable[[], float],
        observer: WorkerObserver,
    ) -> None:
        """Set up the worker without starting a process.

        Args:
            number: Number of the worker, starting from 0.
            command: Command that starts the process.
            settings: Settings of the service, sent to each process in its order.
            clock: Returns monotonic seconds.
            observer: Called for each event of the worker.
        """
        self.number = number
        self.running = False
        self.serves = False
        self.model_version: str | None = None
        self.metrics: list[Family] = []
        """The current process's last report of metrics."""
        self.answered = 0
        """Number of the last request for metrics that was answered."""
        self.quick_deaths = 0
        """Consecutive deaths of processes that had not served for STEADY_SECONDS."""
        self._command = command
        self._settings = settings
        self._clock = clock
        self._observer = observer
        self._process: asyncio.subprocess.Process | None = None
        self._channel: SupervisorEnd | None = None
        self._stop = asyncio.Event()
        self._unanswered_since: float | None = None

    async def keep(self) -> None:
        """Keep a process running until `stop` is called, and return once the last process has exited."""
        while True:
            code, steady = await self._live()
            if self._stop.is_set():
                if code not in (0, -signal.SIGTERM):  # SIGTERM kills a process that has no handler yet
                    log_event(logging.ERROR, "worker_died", worker=self.number, cause=_cause(code))
                return
            self.quick_deaths = 0 if steady else self.quick_deaths + 1
            delay = delay_seconds(self.quick_deaths)
            log_event(logging.ERROR, "worker_died", worker=self.number, cause=_cause(code), restart_seconds=delay)
            self._observer.worker_changed()
            try:
                await asyncio.wait_for(self._stop.wait(), delay)
                return
            except TimeoutError:
                self._observer.worker_restarted()

    def stop(self) -> None:
        """Tell the process to finish its calls and exit, and don't start another."""
        self._stop.set()
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process immediately."""
        self._signal(signal.SIGKILL)

    def ask(self, number: int) -> bool:
        """Request metrics from the process. Returns False if no process is running."""
        if self._channel is not None:
            self._channel.ask(number)
            if self._unanswered_since is None:
                self._unanswered_since = self._clock()
        return self._channel is not None

    def end_if_hung(self, seconds: float) -> None:
        """Kill the process if a request for metrics has been unanswered for more than `seconds`.

        A process that isn't serving yet may take at least START_SECONDS to answer.
        """
        since, allowed = self._unanswered_since, seconds if self.serves else max(seconds, START_SECONDS)
        if since is not None and self._clock() - since > allowed:
            log_event(logging.ERROR, "worker_hangs", worker=self.number, hang_seconds=allowed)
            self.kill()

    async def _live(self) -> tuple[int | None, bool]:
        """Run one process until it exits.

        Returns its exit code (None if it could not be started) and whether it had served for STEADY_SECONDS.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    env=_environment(),
                    process_group=0,  # otherwise, Ctrl-C in a terminal would reach the worker directly
                )
        except OSError as error:
            ours.close()
            log_event(logging.ERROR, "worker_not_started", error, worker=self.number, reason=error.strerror)
            return None, False
        self._unanswered_since = None
        order = Order(self.number, not self._observer.any_serves(), self._settings)
        self._channel = channel = await SupervisorEnd.of(ours, order)
        self.running = True
        self._observer.worker_changed()
        if self._stop.is_set():
            self._signal(signal.SIGTERM)
        following = asyncio.create_task(self._follow(channel, process.pid))
        code = await process.wait()
        await asyncio.wait([following], timeout=LAST_REPORTS_SECONDS)
        served_since = following.result() if following.done() else None
        following.cancel()
        channel.close()
        self._forget()
        return code, served_since is not None and self._clock() - served_since >= STEADY_SECONDS

    def _forget(self) -> None:
        """Reset what is known of the worker's process after it has exited, and pass on its last metrics."""
        self._channel = self._process = None
        self.running = self.serves = False
        self._observer.worker_ended(self.metrics)
        self.metrics = []
        self._observer.worker_changed()

    async def _follow(self, channel: SupervisorEnd, pid: int) -> float | None:
        """Take in the messages of a worker process until it is gone.

        Returns the time when the process began to serve; None if it never did.
        """
        served_since = None
        while True:
            try:
                report = await channel.report()
            except ValueError as error:
                log_event(logging.ERROR, "worker_not_understood", error, worker=self.number)
                continue
            if report is None:
                return served_since
            if report.serves:
                served_since = self._clock()
                log_event(logging.INFO, "worker_serves", worker=self.number, pid=pid)
            self._take(report)
            self._observer.worker_changed()

    def _take(self, report: Report) -> None:
        if report.serves:
            self.serves, self.model_version = True, report.model_version
        if report.metrics is not None:
            self.metrics = report.metrics
        if report.drift is not None:
            self._observer.drift_reported(self.number, report.drift)
        if report.number is not None:
            self.answered = report.number
            self._unanswered_since = None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)


def _cause(code: int | None) -> str:
    """Describe how a process ended, for the log."""
    if code is None:
        return "it could not be started"
    if code < 0:
        return signal.Signals(-code).name if -code in {known.value for known in signal.Signals} else f"signal {-code}"
    return f"exit code {code}"
