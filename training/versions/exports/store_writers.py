"""Writes members' records and live ratings into a store that the service asks: a SQLite file or Redis."""

import itertools
import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from model.errors import MemberStoreError, WrongKey
from model.facts.live_ratings import LiveRating, ratings_key
from model.facts.member_key import MemberKey
from model.facts.member_record import MemberRecord, to_json
from model.facts.outcome_record import Outcome
from model.member_stores.own_key import own_key
from model.member_stores.redis_layout import COMPLETE_KEY, FINISH, RATE, complete_mark, rate_arguments
from model.member_stores.sqlite_members import SqliteMembers, Write, create, path_of
from training.errors import UsageError, WorkFailed

if TYPE_CHECKING:
    from redis import Redis

BATCH = 500
"""Number of records, or of live ratings, per request or transaction."""


class Pushed(NamedTuple):
    """How many records or live ratings were sent, and how many of these the store wrote."""

    sent: int
    written: int


class StoreWriter(Protocol):
    """A store that records and live ratings can be written to. Its methods may raise any of `errors`."""

    errors: tuple[type[Exception], ...]

    def write_records(self, records: list[tuple[str, bytes]], *, keep_existing: bool) -> int:
        """Write encoded records by key, and return how many were written."""

    def write_ratings(self, ratings: list[tuple[str, LiveRating]]) -> int:
        """Write live ratings by member's id, each unless there is a later one; return how many were written."""

    def begin_filling(self, token: str) -> None:
        """Note that the store is being filled, and so may lack ratings."""

    def finish_filling(self, token: str) -> bool:
        """Note that the store holds all ratings, and return True, unless the service missed one meanwhile."""

    def close(self) -> None:
        """Close the connection."""


def push_records(store: StoreWriter, records: Iterator[tuple[str, MemberRecord]], *, keep_existing: bool) -> Pushed:
    """Write records in batches. Raises WorkFailed if the store fails."""
    sent = written = 0
    try:
        while batch := list(itertools.islice(records, BATCH)):
            content = [(key, to_json(record)) for key, record in batch]
            written += store.write_records(content, keep_existing=keep_existing)
            sent += len(batch)
    except store.errors as error:
        raise WorkFailed(f"the store failed after {written:,} members: {type(error).__name__}") from error
    return Pushed(sent, written)


def push_ratings(store: StoreWriter, outcomes: Iterable[Outcome]) -> Pushed:
    """Write the ratings and withdrawals among outcomes, given in the order in which they happened, as live ratings.

    The store then counts as complete. Raises WorkFailed if it fails, or if it missed a rating meanwhile.
    """
    rated = ((outcome.member_id, LiveRating.of(outcome)) for outcome in outcomes)
    ratings = iter([(member_id, rating) for member_id, rating in rated if rating is not None])
    token = secrets.token_hex()
    sent = written = 0
    try:
        store.begin_filling(token)
        while batch := list(itertools.islice(ratings, BATCH)):
            written += store.write_ratings(batch)
            sent += len(batch)
        complete = store.finish_filling(token)
    except store.errors as error:
        raise WorkFailed(f"the store failed after {written:,} ratings: {type(error).__name__}") from error
    if not complete:
        raise WorkFailed("the service could not write a rating to the store meanwhile: try again")
    return Pushed(sent, written)


def open_store_writer(address: str, key: MemberKey, keep_seconds: float) -> StoreWriter:
    """Return the store at an address.

    `key` keys the hashes of ids, and `keep_seconds` is how long the service keeps a live rating after it was received.
    Raises UsageError if the address is none, or if the key can't be used there.
    """
    path = path_of(address)
    try:
        if path is not None:
            return SqliteWriter(path, key, keep_seconds)
        from redis import Redis  # imported here because other commands don't need the extra

        return RedisWriter(Redis.from_url(address, socket_timeout=30), key, keep_seconds)
    except ImportError as error:
        raise UsageError("members push to Redis needs the extra redis: pip install '.[redis]'") from error
    except ValueError as error:
        text = "--to must be the address of a store: sqlite:PATH, redis://, rediss:// or unix://"
        raise UsageError(text) from error
    except (MemberStoreError, WrongKey, sqlite3.Error) as error:
        raise UsageError(f"--to: {error}") from error


class SqliteWriter:
    """A SQLite file, which is created if it is missing."""

    errors: tuple[type[Exception], ...] = (sqlite3.Error,)

    def __init__(self, path: Path, key: MemberKey, keep_seconds: float) -> None:
        """Open the file. Raises MemberStoreError, WrongKey or sqlite3.Error."""
        self._key = key if key.secret else own_key(path)
        self._keep_seconds = keep_seconds
        create(path, self._key)
        self._members = SqliteMembers(path)

    def write_records(self, records: list[tuple[str, bytes]], *, keep_existing: bool) -> int:
        """Write encoded records by key."""
        return self._members.write_records(records, keep_existing=keep_existing)

    def write_ratings(self, ratings: list[tuple[str, LiveRating]]) -> int:
        """Write live ratings by member's id."""
        writes = [Write(ratings_key(member_id, self._key), rating) for member_id, rating in ratings]
        return self._members.rate(writes, time.time() - self._keep_seconds).count("written")

    def begin_filling(self, token: str) -> None:
        """Note that the file is being filled."""
        self._members.set_live(token)

    def finish_filling(self, token: str) -> bool:
        """Note that the file holds all ratings."""
        return self._members.finish_filling(token)

    def close(self) -> None:
        """Close the connection."""
        self._members.close()


class RedisWriter:
    """A Redis server."""

    def __init__(self, client: "Redis", key: MemberKey, keep_seconds: float) -> None:
        """Use a client, which decodes no responses."""
        from redis import RedisError

        self.errors: tuple[type[Exception], ...] = (RedisError,)
        self._client = client
        self._key = key
        self._keep_seconds = keep_seconds
        self._mark = ""

    def write_records(self, records: list[tuple[str, bytes]], *, keep_existing: bool) -> int:
        """Write encoded records by key."""
        with self._client.pipeline(transaction=False) as pipeline:
            for key, content in records:
                pipeline.set(key, content, nx=keep_existing)
            return sum(map(bool, pipeline.execute()))

    def write_ratings(self, ratings: list[tuple[str, LiveRating]]) -> int:
        """Write live ratings by member's id."""
        script, now = self._client.register_script(RATE), time.time()
        with self._client.pipeline(transaction=False) as pipeline:
            for member_id, rating in ratings:
                arguments = rate_arguments(rating, now, self._keep_seconds)
                script([ratings_key(member_id, self._key)], arguments, client=pipeline)
            return pipeline.execute().count(b"written")

    def begin_filling(self, token: str) -> None:
        """Note that the store is being filled, and which run of the server it is."""
        self._mark = complete_mark(self._client.info("server"), self._key)
        self._client.set(COMPLETE_KEY, token)

    def finish_filling(self, token: str) -> bool:
        """Note that the store holds all ratings."""
        return bool(self._client.register_script(FINISH)([COMPLETE_KEY], [token, self._mark]))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
