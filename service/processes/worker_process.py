"""Keeps one worker process running: starts it, reads its reports, and replaces it when it has died or hangs."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from service.processes.control_channel import Order, Report, SupervisorEnd
from service.telemetry.drift.drift_index import DriftCounts
from service.telemetry.logs import log_event
from service.telemetry.merging import Family

STEADY_SECONDS = 1.0
"""A worker that has served at least this long did not die at its start, and is replaced at once."""
FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 30.0
LAST_REPORTS_SECONDS = 1.0
"""How long to read a dead worker's last reports."""
START_SECONDS = 60.0
"""A worker that doesn't serve yet may leave requests for metrics unanswered at least this long: it loads libraries."""


def delay_seconds(quick_deaths: int) -> float:
    """Exponential backoff before the next start, after consecutive deaths at the start."""
    doublings = min(quick_deaths - 1, 20)  # more would overflow, and are long past the longest delay
    return 0.0 if quick_deaths == 0 else min(FIRST_DELAY_SECONDS * 2.0**doublings, LONGEST_DELAY_SECONDS)


def _environment() -> dict[str, str]:
    """The environment of a worker, which imports from where this process does, whatever the current folder holds."""
    folders = [str(Path(folder).absolute()) for folder in sys.path]
    return os.environ | {"PYTHONPATH": os.pathsep.join(folders)}


class Worker:
    """One of the workers, whichever process it is at the moment."""

    def __init__(
        self,
        number: int,
        command: Sequence[str],
        settings: dict[str, Any],
        clock: Callable[[], float],
        may_be_alone: Callable[[], bool],
        changed: Callable[[], None],
        ended: Callable[[list[Family]], None],
        restarted: Callable[[], None],
        watched: Callable[[int, DriftCounts], None],
    ) -> None:
        """Nothing is started yet.

        Args:
            number: From 0.
            command: Starts the process.
            settings: Sent to each process in its order.
            clock: Seconds, monotonic.
            may_be_alone: Called at each start: whether no other worker serves.
            changed: Called when the process starts, serves, reports metrics or ends.
            ended: Called with the last metrics of a process that has ended.
            restarted: Called before a replacement is started.
            watched: Called with the worker's number and its drift counts since the last report.
        """
        self.number = number
        self.running = False
        self.serves = False
        self.model_version: str | None = None
        self.metrics: list[Family] = []
        """The process's last report of metrics."""
        self.answered = 0
        """Number of the last answered request for metrics."""
        self.quick_deaths = 0
        """Consecutive deaths before the worker had served for STEADY_SECONDS."""
        self._command = command
        self._settings = settings
        self._clock = clock
        self._may_be_alone = may_be_alone
        self._changed = changed
        self._ended = ended
        self._restarted = restarted
        self._watched = watched
        self._process: asyncio.subprocess.Process | None = None
        self._channel: SupervisorEnd | None = None
        self._stop = asyncio.Event()
        self._unanswered_since: float | None = None

    async def keep(self) -> None:
        """Keep a process running until `stop`, and return when it has ended."""
        while True:
            code, steady = await self._live()
            if self._stop.is_set():
                if code not in (0, -signal.SIGTERM):  # SIGTERM ends a process that has not installed its handler yet
                    log_event(logging.ERROR, "worker_died", worker=self.number, cause=_cause(code))
                return
            self.quick_deaths = 0 if steady else self.quick_deaths + 1
            delay = delay_seconds(self.quick_deaths)
            log_event(logging.ERROR, "worker_died", worker=self.number, cause=_cause(code), restart_seconds=delay)
            self._changed()
            try:
                await asyncio.wait_for(self._stop.wait(), delay)
                return
            except TimeoutError:
                self._restarted()

    def stop(self) -> None:
        """Let the process finish its calls and end, and start no other."""
        self._stop.set()
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process at once."""
        self._signal(signal.SIGKILL)

    def ask(self, number: int) -> bool:
        """Ask the process for metrics; False if none is running."""
        if self._channel is not None:
            self._channel.ask(number)
            if self._unanswered_since is None:
                self._unanswered_since = self._clock()
        return self._channel is not None

    def end_if_hung(self, seconds: float) -> None:
        """Kill the process if it has left requests for metrics unanswered for more than `seconds`.

        Before it serves, at least START_SECONDS are allowed.
        """
        since, allowed = self._unanswered_since, seconds if self.serves else max(seconds, START_SECONDS)
        if since is not None and self._clock() - since > allowed:
            log_event(logging.ERROR, "worker_hangs", worker=self.number, hang_seconds=allowed)
            self.kill()

    async def _live(self) -> tuple[int | None, bool]:
        """Run one process to its end: its exit code, None if it could not be started, and whether it was steady."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    env=_environment(),
                    process_group=0,  # else Ctrl-C in a terminal would reach it before the supervisor decides
                )
        except OSError as error:
            ours.close()
            log_event(logging.ERROR, "worker_not_started", error, worker=self.number, reason=error.strerror)
            return None, False
        self._unanswered_since = None
        order = Order(self.number, self._may_be_alone(), self._settings)
        self._channel = channel = await SupervisorEnd.of(ours, order)
        self.running = True
        self._changed()
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
        """Reset the state of the process that has ended, and pass on its last metrics."""
        self._channel = self._process = None
        self.running = self.serves = False
        self._ended(self.metrics)
        self.metrics = []
        self._changed()

    async def _follow(self, channel: SupervisorEnd, pid: int) -> float | None:
        """Take in reports until the process is gone; the clock's time when it began to serve."""
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
            self._changed()

    def _take(self, report: Report) -> None:
        if report.serves:
            self.serves, self.model_version = True, report.model_version
        if report.metrics is not None:
            self.metrics = report.metrics
        if report.watched is not None:
            self._watched(self.number, report.watched)
        if report.number is not None:
            self.answered = report.number
            self._unanswered_since = None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)


def _cause(code: int | None) -> str:
    """How a process ended, for the log."""
    if code is None:
        return "it could not be started"
    if code < 0:
        return signal.Signals(-code).name if -code in {known.value for known in signal.Signals} else f"signal {-code}"
    return f"exit code {code}"
