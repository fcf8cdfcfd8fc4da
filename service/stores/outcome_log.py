"""Outcomes on disk: each worker appends to files of its own, many outcomes by one write, and none is told before."""

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

MOST_WAITING = 512
"""Outcomes of one worker that may wait for the disk; further ones are refused, so that a slow disk holds up nothing
else."""
RETRY_SECONDS = 1.0
CLOSE_SECONDS = 2.0
FILE_BYTES, FILE_SECONDS = 64 << 20, 3600.0
"""A file gets no more than that, and takes outcomes no longer."""


class OutcomeLog:
    """Appends outcomes. Belongs to one event loop; a thread of its own writes."""

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], float],
        now: Callable[[], float],
        committed: Callable[[float], None],
    ) -> None:
        """`clock` measures, `now` tells the seconds since 1970 UTC; `committed` is told how long a durable write took.

        A folder that is away is no reason not to begin: predictions don't need it, and it may come back.
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
        self._fails = False
        try:
            self._known = KnownRequests(folder)
        except OSError as error:
            self._tell(error)

    async def append(self, outcome: Outcome) -> bool:
        """Returns once the outcome is on disk; True where one of its request id was before.

        Raises NotKept, and Overloaded where too many wait.
        """
        request_id = outcome.request_id
        before = self._under_way.get(request_id)
        if before is not None:
            await asyncio.shield(before)
            return True
        if self._known is not None and self._known.has(request_id):
            return True
        if len(self._under_way) >= MOST_WAITING:
            raise Overloaded(RETRY_SECONDS)
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        kept.add_done_callback(_heard)
        self._under_way[request_id] = kept
        self._waiting[request_id] = to_line(outcome), kept
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        await asyncio.shield(kept)  # a caller that gives up leaves those that ask for the same one
        return False

    async def close(self) -> None:
        """Write what waits, and end; a disk that hangs isn't waited for."""
        if self._writing is not None:
            _, hangs = await asyncio.wait([self._writing], timeout=CLOSE_SECONDS)
            if hangs:
                return
        self._thread.shutdown()
        self._let_go()

    async def _write_all(self) -> None:
        """Write what waits, then what has come meanwhile, until nothing waits."""
        while self._waiting:
            batch, self._waiting = self._waiting, {}
            try:
                await asyncio.get_running_loop().run_in_executor(
                    self._thread, self._write, list(batch), b"".join(line for line, _ in batch.values())
                )
            except OSError as error:
                self._tell(error)
                self._end(batch, NotKept(RETRY_SECONDS))
            except BaseException:
                self._end(batch, NotKept(RETRY_SECONDS))
                raise
            else:
                self._tell(None)
                self._end(batch, None)

    def _end(self, batch: dict[str, tuple[bytes, "asyncio.Future[None]"]], error: NotKept | None) -> None:
        for request_id, (_, kept) in batch.items():
            del self._under_way[request_id]
            if error is None:
                kept.set_result(None)
            else:
                kept.set_exception(error)

    def _write(self, request_ids: list[str], lines: bytes) -> None:
        """Append to the file and wait for the disk; raises OSError, after which a new file is begun.

        So only the last line of a file may be cut off.
        """
        began = self._clock()
        try:
            if self._known is None:
                self._known = KnownRequests(self._folder)
            file = self._fit_file(len(lines))
            rest = memoryview(lines)
            while rest:
                rest = rest[os.write(file, rest) :]
            os.fsync(file)
        except OSError:
            self._let_go()
            raise
        self._size += len(lines)
        self._known.add(request_ids)
        self._committed(self._clock() - began)

    def _fit_file(self, size: int) -> int:
        """The file to append to; another one when it is full or old."""
        now = self._now()
        old = now - self._opened_at > FILE_SECONDS or self._size + size > FILE_BYTES
        if self._file is not None and self._size and old:
            self._let_go()
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

    def _let_go(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _tell(self, error: OSError | None) -> None:
        """Log the first failure of several, and the first success after them."""
        if error is not None and not self._fails:
            log_event(logging.ERROR, "outcomes_not_kept", error, reason=error.strerror)
        if error is None and self._fails:
            log_event(logging.INFO, "outcomes_kept_again")
        self._fails = error is not None


def _heard(kept: "asyncio.Future[None]") -> None:
    """Takes note of an error that no caller waits for any more."""
    if not kept.cancelled():
        kept.exception()
