"""Shows and deletes what an external store holds of members: their records and live ratings."""

import itertools
import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from model.errors import MemberStoreError, WrongKey
from model.facts.live_ratings import ratings_key
from model.facts.member_key import MemberKey
from model.facts.member_record import record_key
from model.member_stores.own_key import SUFFIX, own_key
from model.member_stores.sqlite_members import SqliteMembers, path_of
from training.errors import UsageError, WorkFailed

if TYPE_CHECKING:
    from redis import Redis

BATCH = 500
"""Number of entries per request or transaction."""


class Entries(Protocol):
    """The entries of a store of members."""

    def of(self, member_id: str) -> dict[str, Any]:
        """Return all entries of a member by their keys in the store."""

    def delete(self, member_ids: Iterable[str]) -> int:
        """Delete all entries of members, and return how many there were."""


@contextmanager
def open_entries(address: str, keys: Collection[MemberKey]) -> Iterator[Entries]:
    """Open the store of members at an address, whose entries lie under hashes of ids with any of the keys.

    Raises UsageError if there is no such store, and WorkFailed if it fails.
    """
    path = path_of(address)
    if path is not None:
        if not path.is_file():
            raise UsageError(f"--to: there is no file {path}")
        try:
            with closing(SqliteMembers(path)) as members:
                yield SqliteEntries(members, [*keys, *_own_keys(path)])
        except (MemberStoreError, WrongKey, sqlite3.Error) as error:
            raise WorkFailed(f"the store of members failed: {error}") from error
        return
    client = _client(address)
    from redis import RedisError

    try:
        client.ping()
        yield RedisEntries(client, keys)
    except RedisError as error:
        raise WorkFailed(f"the store of members failed: {type(error).__name__}") from error
    finally:
        client.close()


def _own_keys(path: Path) -> list[MemberKey]:
    """Return the secret that a SQLite file has of its own, if it has one."""
    return [own_key(path)] if path.with_name(path.name + SUFFIX).exists() else []


def _client(address: str) -> "Redis":
    try:
        from redis import Redis  # imported here because other commands don't need the extra

        return Redis.from_url(address, socket_timeout=30, decode_responses=True)
    except ImportError as error:
        raise UsageError("a store of members in Redis needs the extra redis: pip install '.[redis]'") from error
    except ValueError as error:
        text = "--to must be the address of a store: sqlite:PATH, redis://, rediss:// or unix://"
        raise UsageError(text) from error


class SqliteEntries:
    """The entries of a SQLite file."""

    def __init__(self, members: SqliteMembers, keys: Collection[MemberKey]) -> None:
        self._members = members
        self._keys = keys

    def of(self, member_id: str) -> dict[str, Any]:
        """Return all entries of a member by their keys in the store."""
        shown: dict[str, Any] = {}
        for record, ratings in _pairs(member_id, self._keys):
            entry = self._members.read(record, ratings, float("-inf"))
            shown |= {record: _parsed(entry.record)} if entry.record is not None else {}
            shown |= {ratings: [rating._asdict() for rating in entry.live]} if entry.live else {}
        return shown

    def delete(self, member_ids: Iterable[str]) -> int:
        """Delete all entries of members, and return how many there were."""
        return sum(self._members.delete(batch) for batch in _batches(_names(member_ids, self._keys)))


class RedisEntries:
    """The entries of a Redis server."""

    def __init__(self, client: "Redis", keys: Collection[MemberKey]) -> None:
        self._client = client
        self._keys = keys

    def of(self, member_id: str) -> dict[str, Any]:
        """Return all entries of a member by their keys in the store."""
        shown: dict[str, Any] = {}
        for record, ratings in _pairs(member_id, self._keys):
            content, live = self._client.get(record), self._client.hgetall(ratings)
            shown |= {} if content is None else {record: _parsed(content)}
            shown |= {ratings: {name: _parsed(value) for name, value in live.items()}} if live else {}
        return shown

    def delete(self, member_ids: Iterable[str]) -> int:
        """Delete all entries of members, and return how many there were."""
        return sum(int(self._client.delete(*batch)) for batch in _batches(_names(member_ids, self._keys)))


def _pairs(member_id: str, keys: Collection[MemberKey]) -> list[tuple[str, str]]:
    """Return the keys in the store of a member's record and live ratings, by each key of hashes."""
    return [(record_key(member_id, key), ratings_key(member_id, key)) for key in keys]


def _names(member_ids: Iterable[str], keys: Collection[MemberKey]) -> Iterator[str]:
    return (name for member_id in member_ids for pair in _pairs(member_id, keys) for name in pair)


def _batches(names: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(itertools.islice(names, BATCH)):
        yield batch


def _parsed(content: Any) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return str(content)
