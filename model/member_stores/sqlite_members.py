"""A store of members in a SQLite file, which the workers of one machine share: records and live ratings."""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from model.errors import MemberStoreError
from model.facts.live_ratings import MOST_LIVE_RATINGS, LiveRating
from model.facts.member_key import MemberKey
from model.facts.stored_member import StoredEntry

SCHEME = "sqlite:"
VERSION = 1
BUSY_SECONDS = 5.0
"""How long a write waits for the writes of other processes, in seconds."""
MOST_DELETED = 200
"""Maximum number of outdated ratings that are deleted with one write, so that none takes long."""
COMPLETE = "complete"
"""Value of the state `live` of a file that holds all live ratings; while it is filled, a random token."""
NEW = "new"
"""Value of the state `live` of a file that no service has used yet."""

SCHEMA = """
CREATE TABLE records (key TEXT PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE ratings (key TEXT, movie_id TEXT, rating REAL, rated_at REAL NOT NULL, received_at REAL NOT NULL,
  PRIMARY KEY (key, movie_id)) WITHOUT ROWID;
CREATE INDEX ratings_by_reception ON ratings (received_at);
CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
UPSERT = """
INSERT INTO ratings VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
SET rating = excluded.rating, rated_at = excluded.rated_at, received_at = excluded.received_at
WHERE ratings.received_at < ?
OR NOT ? AND (excluded.rated_at, excluded.received_at) >= (ratings.rated_at, ratings.received_at)
"""
DELETE_SURPLUS = """
DELETE FROM ratings WHERE key = ?1 AND movie_id IN (
  SELECT movie_id FROM ratings WHERE key = ?1 ORDER BY rated_at DESC, received_at DESC LIMIT -1 OFFSET ?2)
"""
DELETE_OUTDATED = """
DELETE FROM ratings WHERE (key, movie_id) IN (SELECT key, movie_id FROM ratings WHERE received_at < ? LIMIT ?)
"""


class Write(NamedTuple):
    """A rating or withdrawal to write."""

    key: str
    """Key of the member's live ratings."""
    rating: LiveRating
    only_if_absent: bool = False
    """Whether any rating or withdrawal of the movie that is there stays."""


class SqliteMembers:
    """One connection to the file, for use in one thread at a time. Every method may raise sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        """Open a file that `create` has made."""
        self._connection = _connect(path)

    def read(self, record_key: str, ratings_key: str, oldest: float) -> StoredEntry:
        """Return the record under a key, and the live ratings under another that were received at `oldest` or later."""
        record = self._value("SELECT content FROM records WHERE key = ?", record_key)
        rows = self._connection.execute(
            "SELECT movie_id, rating, rated_at, received_at FROM ratings WHERE key = ? AND received_at >= ?",
            (ratings_key, oldest),
        )
        content = record.encode() if isinstance(record, str) else record
        return StoredEntry(content, [LiveRating(*row) for row in rows], self.state("live") == COMPLETE)

    def rate(self, writes: Sequence[Write], oldest: float) -> list[str]:
        """Write ratings and withdrawals in one transaction, each unless the file holds a later one.

        Those received before `oldest` are left out, and deleted; so are a member's oldest beyond MOST_LIVE_RATINGS.
        Returns for each `written`, `older` (a later one is there) or `left_out` (also if another has to stay).
        """
        with self._transaction():
            results = [self._rate(write, oldest) for write in writes]
            self._connection.execute(DELETE_OUTDATED, (oldest, MOST_DELETED))
        return results

    def write_records(self, records: Iterable[tuple[str, bytes]], *, keep_existing: bool) -> int:
        """Write records by key in one transaction, and return how many were written."""
        conflict = "NOTHING" if keep_existing else "UPDATE SET content = excluded.content"
        with self._transaction():
            statement = f"INSERT INTO records VALUES (?, ?) ON CONFLICT DO {conflict}"  # noqa: S608 # no value in it
            return sum(self._connection.execute(statement, record).rowcount for record in records)

    def delete(self, keys: Sequence[str]) -> int:
        """Delete what is under keys, also from the log of writes, and return how many of them had anything.

        Raises sqlite3.OperationalError if others read or write for so long that the log can't be emptied.
        """
        with self._transaction():
            counts = [self._delete("records", key) + self._delete("ratings", key) for key in keys]
        [is_busy, *_] = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_busy:
            raise sqlite3.OperationalError("the log of writes is in use")
        return sum(count > 0 for count in counts)

    def _delete(self, table: str, key: str) -> int:
        return self._connection.execute(f"DELETE FROM {table} WHERE key = ?", (key,)).rowcount  # noqa: S608 # no value

    def state(self, name: str) -> str | None:
        """Return a state of the file: `live`, whether it holds all live ratings, or `key`, a key's fingerprint."""
        value = self._value("SELECT value FROM state WHERE name = ?", name)
        return None if value is None else str(value)

    def set_live(self, value: str) -> None:
        """Set the state `live`: COMPLETE, or anything else if ratings may be missing."""
        self._connection.execute("INSERT OR REPLACE INTO state VALUES ('live', ?)", (value,))

    def finish_filling(self, token: str) -> bool:
        """Set the state `live` to COMPLETE if it still is the token of a filling, and return whether it was."""
        statement = "UPDATE state SET value = ? WHERE name = 'live' AND value = ?"
        return self._connection.execute(statement, (COMPLETE, token)).rowcount == 1

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _rate(self, write: Write, oldest: float) -> str:
        rating = write.rating
        if rating.received_at < oldest:
            return "left_out"
        row = (write.key, rating.movie_id, rating.rating, rating.rated_at, rating.received_at)
        if not self._connection.execute(UPSERT, (*row, oldest, write.only_if_absent)).rowcount:
            return "older" if not write.only_if_absent or self._holds(write) else "left_out"
        if self._value("SELECT count(*) FROM ratings WHERE key = ?", write.key) <= MOST_LIVE_RATINGS:
            return "written"
        self._connection.execute(DELETE_SURPLUS, (write.key, MOST_LIVE_RATINGS))
        kept = self._value("SELECT 1 FROM ratings WHERE key = ? AND movie_id = ?", write.key, rating.movie_id)
        return "written" if kept else "left_out"

    def _holds(self, write: Write) -> bool:
        """Return whether this rating of the movie, or a withdrawal, is there, whenever it was given."""
        query = "SELECT 1 FROM ratings WHERE key = ? AND movie_id = ? AND rating IS ?"
        row = (write.key, write.rating.movie_id, write.rating.rating)
        return self._connection.execute(query, row).fetchone() is not None

    def _value(self, query: str, *parameters: str) -> Any:
        """Return the only value of the only row; None if there is no row."""
        row = self._connection.execute(query, parameters).fetchone()
        return None if row is None else row[0]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def path_of(address: str) -> Path | None:
    """Return the file of an address such as `sqlite:members.db`; None if it is another address."""
    return Path(address.removeprefix(SCHEME)) if address.startswith(SCHEME) else None


def create(path: Path, key: MemberKey, *, complete: bool | None = None) -> None:
    """Create the file, readable by its owner only, if it is missing, or check that its live ratings lie under the key.

    `complete` tells whether a file that is new, or was only filled with records, holds all live ratings; None leaves
    that open. Raises MemberStoreError.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = _connect(path)
        try:
            _prepare(connection, key, complete)
        finally:
            connection.close()
    except (OSError, sqlite3.Error) as error:
        raise MemberStoreError(f"the file can't be used: {error}") from None


def _connect(path: Path) -> sqlite3.Connection:
    """Open a connection in which each write is on disk when it is committed, and deleted values are overwritten."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=True
    )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    return connection


def _prepare(connection: sqlite3.Connection, key: MemberKey, complete: bool | None) -> None:
    """Create the tables unless they are there. Raises MemberStoreError if they are others, or lie under another key."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    [version] = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        for statement in SCHEMA.split(";"):
            connection.execute(statement)
        states = {"key": key.fingerprint, "live": NEW}
        connection.executemany("INSERT INTO state VALUES (?, ?)", states.items())
        connection.execute(f"PRAGMA user_version = {VERSION}")
    elif version != VERSION:
        raise MemberStoreError("the file has another version")
    if complete is not None:
        live = COMPLETE if complete else "incomplete"
        connection.execute("UPDATE state SET value = ? WHERE name = 'live' AND value = ?", (live, NEW))
    connection.execute("COMMIT")
    [fingerprint] = connection.execute("SELECT value FROM state WHERE name = 'key'").fetchone()
    if fingerprint != key.fingerprint:
        raise MemberStoreError(
            "its live ratings lie under another member key: give that, or remove the file and fill a new one"
        )
