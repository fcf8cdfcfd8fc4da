"""Writes outcomes, the ratings and completions that callers report, durably to log files.

Each worker appends to its own files, and one fsync commits all waiting outcomes.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from model.facts.outcome_record import Outcome, to_line
from service.errors import NotKept, Overloaded
from service.stores.recent_request_ids import KnownRequests
from service.telemetry.logs import log_event

MAX_WAITING = 512
"""Maximum number of reported outcomes of one worker that wait for the disk; further ones are refused."""
RETRY_SECONDS = 1.0
CLOSE_SECONDS = 2.0
FILE_BYTES, FILE_SECONDS = 64 << 20, 3600.0
"""Maximum size and age of a log file; after that, a new file is started."""


class OutcomeLog:
    """Appends outcomes (reported ratings and completions) to log files, durably.

    Must be used from a single event loop; a separate thread writes to the disk.
    """

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], float],
        now: Callable[[], float],
        committed: Callable[[float], None],
    ) -> None:
        """Open the log. An unusable folder is logged but not an error, since predictions can be served without it.

        Args:
            folder: Folder of the log files.
            clock: Returns seconds from an arbitrary origin.
            now: Returns the seconds since 1970 UTC.
            committed: Called with the duration of each durable write, in seconds.
        """
        self._folder = folder
        self._clock = clock
        self._now = now
        self._committed = committed
        self._known: KnownRequests | None = None
        self._thread = ThreadPoolExecutor(1, "outcomes")
        self._waiting: dict[str, tuple[bytes, asyncio.Future[None]]] = {}
        self._under_way: dict[str, asyncio.Future[None]] = {}
        self._writing: asyncio.Task[None] | None = None
        self._file: int | None = None
        self._size = 0
        self._opened_at = 0.0
        self._failing = False
        try:
            self._known = KnownRequests(folder)
        except OSError as error:
            self._log_state(error)

    async def append(self, outcome: Outcome) -> bool:
        """Write an outcome (a reported rating or completion) to disk.

        Returns True if one with the same request id was already recorded. Raises NotKept if the outcome can't be
        written, and Overloaded if too many outcomes are waiting.
        """
        request_id = outcome.request_id
        before = self._under_way.get(request_id)
        if before is not None:
            await asyncio.shield(before)
            return True
        if self._known is not None and self._known.has(request_id):
            return True
        if len(self._under_way) >= MAX_WAITING:
            raise Overloaded(RETRY_SECONDS)
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        kept.add_done_callback(_retrieve_error)
        self._under_way[request_id] = kept
        self._waiting[request_id] = to_line(outcome), kept
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        await asyncio.shield(kept)  # a cancelled caller must not cancel duplicates of its outcome
        return False

    async def close(self) -> None:
        """Write all waiting outcomes (reported ratings and completions) and close the log file.

        Gives up after `CLOSE_SECONDS` if the disk hangs.
        """
        if self._writing is not None:
            _, hangs = await asyncio.wait([self._writing], timeout=CLOSE_SECONDS)
            if hangs:
                return
        self._thread.shutdown()
        self._close_file()

    async def _write_all(self) -> None:
        """Write the waiting outcomes (reported ratings and completions) in batches until no more are waiting."""
        while self._waiting:
            batch, self._waiting = self._waiting, {}
            try:
                await asyncio.get_running_loop().run_in_executor(
                    self._thread, self._write, list(batch), b"".join(line for line, _ in batch.values())
                )
            except OSError as error:
                self._log_state(error)
                self._end(batch, NotKept(RETRY_SECONDS))
            except BaseException:
                self._end(batch, NotKept(RETRY_SECONDS))
                raise
            else:
                self._log_state(None)
                self._end(batch, None)

    def _end(self, batch: dict[str, tuple[bytes, "asyncio.Future[None]"]], error: NotKept | None) -> None:
        for request_id, (_, kept) in batch.items():
            del self._under_way[request_id]
            if error is None:
                kept.set_result(None)
            else:
                kept.set_exception(error)

    def _write(self, request_ids: list[str], lines: bytes) -> None:
        """Append encoded outcomes to the current log file and fsync it. Raises OSError if that fails.

        The next write after an error starts a new file, so that only the last line of a file can be truncated.
        """
        began = self._clock()
        try:
            if self._known is None:
                self._known = KnownRequests(self._folder)
            file = self._current_file(len(lines))
            rest = memoryview(lines)
            while rest:
                rest = rest[os.write(file, rest) :]
            os.fsync(file)
        except OSError:
            self._close_file()
            raise
        self._size += len(lines)
        self._known.add(request_ids)
        self._committed(self._clock() - began)

    def _current_file(self, size: int) -> int:
        """Return the descriptor of the log file to append `size` bytes to.

        A new file is started if the current file is too old or would become too large.
        """
        now = self._now()
        old = now - self._opened_at > FILE_SECONDS or self._size + size > FILE_BYTES
        if self._file is not None and self._size and old:
            self._close_file()
        if self._file is None:
            path = self._folder / f"{round(now * 1e6):017d}-{os.getpid()}.jsonl"
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._size, self._opened_at = 0, now
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        return self._file

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _log_state(self, error: OSError | None) -> None:
        """Log the first of consecutive failures to write, and the first success after a failure."""
        if error is not None and not self._failing:
            log_event(logging.ERROR, "outcomes_not_kept", error, reason=error.strerror)
        if error is None and self._failing:
            log_event(logging.INFO, "outcomes_kept_again")
        self._failing = error is not None


def _retrieve_error(kept: "asyncio.Future[None]") -> None:
    """Retrieve the error of a failed write, so that asyncio doesn't log it as unhandled if no caller waits for it."""
    if not kept.cancelled():
        kept.exception()
