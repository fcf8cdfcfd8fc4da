"""Looks members up in an external store and writes their ratings there; stops for a while if that fails repeatedly."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from model.errors import BadRecord
from model.facts.live_ratings import LiveRating
from model.facts.member_record import MemberRecord, from_json
from model.facts.stored_member import StoredEntry, StoredMember
from service.stores.circuit_breaker import Breaker
from service.stores.member_source import MemberBackend
from service.telemetry.logs import log_event
from service.telemetry.metrics.service_metrics import Metrics

T = TypeVar("T")

WRITE_SECONDS = 0.5
"""Minimum time that a report of a rating waits for the store, which has to write to disk where it is a file."""


class MemberStore:
    """An external store of members; if it fails, calls go on without it, and say so."""

    def __init__(
        self, backend: MemberBackend, timeout_seconds: float, metrics: Metrics, clock: Callable[[], float]
    ) -> None:
        """Set up the use of a store.

        Args:
            backend: The store.
            timeout_seconds: Maximum time that a request waits for a lookup.
            metrics: Counts lookups and writes by result.
            clock: Returns seconds from an arbitrary origin.
        """
        self._backend = backend
        self._errors: tuple[type[Exception], ...] = (*backend.errors, OSError, TimeoutError)
        self._timeout_seconds = timeout_seconds
        self._reads, self._writes = Breaker(clock), Breaker(clock)
        self._metrics = metrics
        self._late: set[asyncio.Task[Any]] = set()
        self._missed = 0
        self._marking: asyncio.Task[None] | None = None

    async def find(self, member_id: str) -> StoredMember:
        """Return what is stored of a member; nothing, which says so, if the store can't be read in time."""
        if not self._reads.lets_through():
            return self._unread("skipped")
        try:
            entry = await self._within(self._timeout_seconds, self._backend.read(member_id), lambda _: None)
        except BadRecord as error:
            self._reads.succeeded()
            log_event(logging.ERROR, "member_record_unusable", reason=str(error))
            return self._unread("failed")
        except self._errors as error:
            if self._reads.failed():
                log_event(logging.WARNING, "member_store_failing", reason=type(error).__name__)
            return self._unread("failed")
        if self._reads.succeeded():
            log_event(logging.INFO, "member_store_answers_again")
        return self._read(entry)

    async def rate(self, member_id: str, rating: LiveRating, *, only_if_absent: bool) -> bool:
        """Write a member's rating or withdrawal, unless there is a later one, or, with `only_if_absent`, any.

        Returns whether this rating or a later one is known to be in the store.
        """
        if not self._backend.keeps_ratings:
            return False
        result = await self._write(member_id, rating, only_if_absent)
        self._metrics.outcomes.live_rating(result)
        return result in ("written", "older")

    async def close(self) -> None:
        """Note in the store what it lacks, cancel what still runs in the background, and close all connections."""
        self._mark_incomplete()
        if self._marking is not None:
            await asyncio.wait({self._marking}, timeout=WRITE_SECONDS)
        for task in self._late:
            task.cancel()
        await self._backend.close()

    def _read(self, entry: StoredEntry) -> StoredMember:
        """Return what was read; without the record if that is of another format."""
        may_lack = self._missed > 0 or not entry.complete
        self._mark_incomplete()
        record: MemberRecord | None = None
        try:
            record = None if entry.record is None else from_json(entry.record)
        except BadRecord as error:
            log_event(logging.ERROR, "member_record_unusable", reason=str(error))
            self._metrics.answers.count_store_lookup("failed")
            return StoredMember(None, entry.live, may_lack=True)
        self._metrics.answers.count_store_lookup("found" if record or entry.live else "unknown")
        return StoredMember(record, entry.live, may_lack)

    def _unread(self, result: str) -> StoredMember:
        self._metrics.answers.count_store_lookup(result)
        return StoredMember(may_lack=True)

    async def _write(self, member_id: str, rating: LiveRating, only_if_absent: bool) -> str:
        if not self._writes.lets_through():
            self._missed += 1
            return "skipped"
        seconds = max(self._timeout_seconds, WRITE_SECONDS)
        try:
            writing = self._backend.write(member_id, rating, only_if_absent=only_if_absent)
            result = await self._within(seconds, writing, self._count_missed)
        except self._errors as error:
            if self._writes.failed():
                log_event(logging.WARNING, "live_ratings_failing", reason=type(error).__name__)
            return "failed"
        if self._writes.succeeded():
            log_event(logging.INFO, "live_ratings_written_again")
        self._mark_incomplete()
        return result

    def _count_missed(self, error: BaseException | None) -> None:
        """Count a write that failed in the end, so that the store lacks a rating."""
        self._missed += error is not None

    def _mark_incomplete(self) -> None:
        """Note in the store, in the background, that it lacks ratings, if there are any that could not be written."""
        if self._missed and (self._marking is None or self._marking.done()):
            self._marking = asyncio.create_task(self._mark())

    async def _mark(self) -> None:
        missed = self._missed
        try:
            await self._backend.mark_incomplete()
        except self._errors:
            return
        self._missed -= missed
        log_event(logging.WARNING, "live_ratings_incomplete", missed=missed)

    async def _within(
        self, seconds: float, work: Coroutine[Any, Any, T], ended: Callable[[BaseException | None], None]
    ) -> T:
        """Return the result of work on the store. Raises TimeoutError if it takes longer.

        Late work continues in the background, so that its connection remains usable. `ended` is called with its error,
        or None, when it has ended, be it in time or late.
        """
        task = asyncio.create_task(work)

        def end(task: asyncio.Task[T]) -> None:
            self._late.discard(task)
            ended(asyncio.CancelledError() if task.cancelled() else task.exception())

        task.add_done_callback(end)
        self._late.add(task)
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if done:
            return task.result()
        raise TimeoutError
