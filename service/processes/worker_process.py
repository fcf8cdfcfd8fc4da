"""Keeps one worker process alive: starts it afresh, follows what it tells, and starts another when it has died."""

import asyncio
import logging
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence

from service.processes.control_channel import Order, Report, SupervisorEnd
from service.telemetry.drift.drift_index import DriftCounts
from service.telemetry.logs import log_event
from service.telemetry.merging import Family

STEADY_SECONDS = 1.0
"""A worker that has served so long didn't die of its start, and another one is started at once."""
FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 30.0
LAST_WORDS_SECONDS = 1.0


def delay_seconds(quick_deaths: int) -> float:
    """How long to wait before the next start, after so many deaths in a row soon after the start."""
    doublings = min(quick_deaths - 1, 20)  # more would be no number any more, and are long past the longest
    return 0.0 if quick_deaths == 0 else min(FIRST_DELAY_SECONDS * 2.0**doublings, LONGEST_DELAY_SECONDS)


class Worker:
    """One of the workers, whichever process it is at the moment."""

    def __init__(
        self,
        number: int,
        command: Sequence[str],
        clock: Callable[[], float],
        may_be_alone: Callable[[], bool],
        changed: Callable[[], None],
        ended: Callable[[list[Family]], None],
        restarted: Callable[[], None],
        watched: Callable[[int, DriftCounts], None],
    ) -> None:
        """What `number`, `command` and `clock` say, and who is told.

        Args:
            number: From 0.
            command: Starts the process.
            clock: Seconds, from anywhere.
            may_be_alone: Asked at each start: whether no other worker serves.
            changed: Called when it runs, serves, has told metrics, or runs no more.
            ended: Called with the last metrics of a process that has ended.
            restarted: Called when another process is about to be started.
            watched: Called with its number and what it has counted of requests since it last told.
        """
        self.number = number
        self.running = False
        self.serves = False
        self.model_version: str | None = None
        self.metrics: list[Family] = []
        """The last ones told."""
        self.answered = 0
        """Number of the last asking for metrics that was answered."""
        self.quick_deaths = 0
        """How often in a row it died before it had served for a while."""
        self._command = command
        self._clock = clock
        self._may_be_alone = may_be_alone
        self._changed = changed
        self._ended = ended
        self._restarted = restarted
        self._watched = watched
        self._process: asyncio.subprocess.Process | None = None
        self._end: SupervisorEnd | None = None
        self._stop = asyncio.Event()
        self._unanswered_since: float | None = None

    async def keep(self) -> None:
        """Keep a process running until `stop`, and return when it has ended."""
        while True:
            code, steady = await self._live()
            if self._stop.is_set():
                if code not in (0, -signal.SIGTERM):  # that is how one ends that has not begun to serve
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
        """Ask for metrics; whether there is a process to answer."""
        if self._end is not None:
            self._end.ask(number)
            if self._unanswered_since is None:
                self._unanswered_since = self._clock()
        return self._end is not None

    def end_if_hung(self, seconds: float) -> None:
        """Kill the process if it serves and has left the supervisor without an answer for so long."""
        since = self._unanswered_since
        if self.serves and since is not None and self._clock() - since > seconds:
            log_event(logging.ERROR, "worker_hangs", worker=self.number, hang_seconds=seconds)
            self.kill()

    async def _live(self) -> tuple[int | None, bool]:
        """One process from start to end: its exit code, None where it couldn't be started, and if it was steady."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    process_group=0,  # else Ctrl-C in a terminal would reach it before the supervisor decides
                )
        except OSError as error:
            ours.close()
            log_event(logging.ERROR, "worker_not_started", error, worker=self.number, reason=error.strerror)
            return None, False
        self._unanswered_since = None
        self._end = await SupervisorEnd.of(ours, Order(self.number, self._may_be_alone()))
        self.running = True
        self._changed()
        if self._stop.is_set():
            self._signal(signal.SIGTERM)
        following = asyncio.create_task(self._follow(self._end, process.pid))
        code = await process.wait()
        await asyncio.wait([following], timeout=LAST_WORDS_SECONDS)
        served_since = following.result() if following.done() else None
        following.cancel()
        self._end.close()
        self._end = self._process = None
        self.running = self.serves = False
        self._ended(self.metrics)
        self.metrics = []
        self._changed()
        return code, served_since is not None and self._clock() - served_since >= STEADY_SECONDS

    async def _follow(self, end: SupervisorEnd, pid: int) -> float | None:
        """Take in what the process tells until it is gone; when it began to serve."""
        served_since = None
        while True:
            try:
                report = await end.report()
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
    """Words for the way in which a process ended."""
    if code is None:
        return "it could not be started"
    if code < 0:
        return signal.Signals(-code).name if -code in {each.value for each in signal.Signals} else f"signal {-code}"
    return f"exit code {code}"
