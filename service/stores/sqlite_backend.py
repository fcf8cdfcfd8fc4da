"""Members in a SQLite file, used in threads of its own: one reads, another commits the waiting ratings together."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from model.facts.live_ratings import LiveRating, ratings_key
from model.facts.member_key import MemberKey
from model.facts.member_record import record_key
from model.facts.stored_member import StoredEntry
from model.member_stores.sqlite_members import SqliteMembers, Write

T = TypeVar("T")

MOST_WRITES = 500
"""Maximum number of ratings that are committed together."""
TIDY_SECONDS = 60.0
"""Interval in which outdated ratings are deleted while nobody rates, in seconds."""


class SqliteThread:
    """A thread with a connection of its own, which is opened on demand and again after an error."""

    def __init__(self, path: Path, name: str) -> None:
        """Set up a thread for a file."""
        self._path = path
        self._thread = ThreadPoolExecutor(1, name)
        self._members: SqliteMembers | None = None

    async def run(self, work: Callable[[SqliteMembers], T]) -> T:
        """Return the result of work on the file. May raise sqlite3.Error."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)

    def close(self) -> None:
        """End the thread and close its connection, without waiting."""
        self._thread.submit(self._close)
        self._thread.shutdown(wait=False)

    def _run(self, work: Callable[[SqliteMembers], T]) -> T:
        if self._members is None:
            self._members = SqliteMembers(self._path)
        try:
            return work(self._members)
        except sqlite3.Error:
            self._close()
            raise

    def _close(self) -> None:
        if self._members is not None:
            self._members.close()
            self._members = None


class SqliteBackend:
    """Members in a SQLite file that was prepared before the workers started."""

    errors: tuple[type[Exception], ...] = (sqlite3.Error,)
    keeps_ratings = True

    def __init__(
        self, path: Path, record_secret: MemberKey, key: MemberKey, keep_seconds: float, now: Callable[[], float]
    ) -> None:
        """Set up the use of a file.

        Args:
            path: The file.
            record_secret: Key of the hashes under which records lie.
            key: Key of the hashes under which live ratings lie.
            keep_seconds: How long a live rating is kept.
            now: Returns the seconds since 1970 UTC.
        """
        self._record_key, self._key = record_secret, key
        self._keep_seconds = keep_seconds
        self._now = now
        self._reader, self._writer = SqliteThread(path, "members"), SqliteThread(path, "ratings")
        self._waiting: list[tuple[Write, asyncio.Future[str]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._tidied_at = now()

    async def read(self, member_id: str) -> StoredEntry:
        """Return a member's record and live ratings."""
        keys = record_key(member_id, self._record_key), ratings_key(member_id, self._key)
        oldest = self._oldest()
        entry = await self._reader.run(lambda members: members.read(*keys, oldest))
        if self._now() - self._tidied_at > TIDY_SECONDS:
            self._start_writing()
        return entry

    async def write(self, member_id: str, rating: LiveRating, *, only_if_absent: bool) -> str:
        """Write a rating or withdrawal, together with others that are waiting."""
        written: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append((Write(ratings_key(member_id, self._key), rating, only_if_absent), written))
        self._start_writing()
        return await written

    async def mark_incomplete(self) -> None:
        """Note that the file lacks a rating."""
        await self._writer.run(lambda members: members.set_live("incomplete"))

    async def close(self) -> None:
        """End the threads and close the connections."""
        self._reader.close()
        self._writer.close()

    def _oldest(self) -> float:
        return self._now() - self._keep_seconds

    def _start_writing(self) -> None:
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())

    async def _write_all(self) -> None:
        """Commit the waiting ratings, many at a time, and delete outdated ones, until no more are waiting."""
        while True:
            batch, self._waiting = self._waiting[:MOST_WRITES], self._waiting[MOST_WRITES:]
            await self._commit(batch)
            if not self._waiting:
                return

    async def _commit(self, batch: "list[tuple[Write, asyncio.Future[str]]]") -> None:
        writes, oldest = [write for write, _ in batch], self._oldest()
        self._tidied_at = self._now()
        try:
            results = await self._writer.run(lambda members: members.rate(writes, oldest))
        except sqlite3.Error as error:
            for _, written in batch:
                if not written.done():
                    written.set_exception(error)
            return
        for (_, written), result in zip(batch, results, strict=True):
            if not written.done():
                written.set_result(result)
