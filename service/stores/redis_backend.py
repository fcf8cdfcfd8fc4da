"""Members in Redis: records under a key of each member, and, with a secret member key, live ratings under another."""

from collections.abc import Callable, Mapping
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from model.facts.live_ratings import LiveRating, ratings_key
from model.facts.member_key import MemberKey
from model.facts.member_record import record_key
from model.facts.stored_member import StoredEntry
from model.member_stores.redis_layout import COMPLETE_KEY, RATE, complete_mark, live_ratings, rate_arguments

CONNECTIONS = 32
"""Maximum number of connections to Redis of one worker."""
CONNECT_SECONDS = 1.0
"""Timeout for connecting to Redis and for each reply, in seconds.

A request waits only for the `timeout_seconds` of MemberStore. A late lookup continues in the background.
"""


class RedisBackend:
    """Members in Redis. Connections are opened on demand."""

    errors: tuple[type[Exception], ...] = (RedisError,)

    def __init__(
        self, address: str, timeout_seconds: float, key: MemberKey, keep_seconds: float, now: Callable[[], float]
    ) -> None:
        """Prepare the connection pool.

        Args:
            address: URL with the scheme redis://, rediss:// or unix://, which may contain a user name and a password.
            timeout_seconds: Maximum time to wait for a free connection.
            key: Key of the hashes of ids. Without a secret, there are no live ratings.
            keep_seconds: How long a live rating is kept.
            now: Returns the seconds since 1970 UTC.
        """
        pool = BlockingConnectionPool.from_url(
            address, max_connections=CONNECTIONS, timeout=timeout_seconds, socket_timeout=CONNECT_SECONDS,
            socket_connect_timeout=CONNECT_SECONDS, retry=Retry(NoBackoff(), 0), decode_responses=False,
            redis_connect_func=self._connected,
        )  # fmt: skip
        self._client = Redis.from_pool(pool)
        self._script = self._client.register_script(RATE)
        self._key = key
        self._keep_seconds = keep_seconds
        self._now = now
        self._mark = ""
        self.keeps_ratings = bool(key.secret)

    async def read(self, member_id: str) -> StoredEntry:
        """Return a member's record and live ratings."""
        key = record_key(member_id, self._key)
        if not self.keeps_ratings:
            return StoredEntry(_content(await self._client.get(key)), [], complete=True)
        async with self._client.pipeline(transaction=False) as pipeline:
            pipeline.get(key)
            pipeline.hgetall(ratings_key(member_id, self._key))
            pipeline.get(COMPLETE_KEY)
            record, entries, mark = await pipeline.execute()
        live = live_ratings(entries, self._now() - self._keep_seconds)
        return StoredEntry(
            _content(record), live, complete=mark is not None and mark.decode() == await self._complete()
        )

    async def write(self, member_id: str, rating: LiveRating, *, only_if_absent: bool) -> str:
        """Write a rating or withdrawal."""
        arguments = rate_arguments(rating, self._now(), self._keep_seconds, only_if_absent=only_if_absent)
        result: bytes = await self._script([ratings_key(member_id, self._key)], arguments)
        return result.decode()

    async def mark_incomplete(self) -> None:
        """Remove the mark that the store holds all ratings."""
        await self._client.delete(COMPLETE_KEY)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def _complete(self) -> str:
        """Return the mark that the store has if it holds all ratings, asking anew after each new connection."""
        if not self._mark:
            info: Mapping[str, Any] = await self._client.info("server")
            self._mark = complete_mark(info, self._key)
        return self._mark

    async def _connected(self, connection: AbstractConnection) -> None:
        """Set up a new connection, behind which there may be a server that has started again, and lacks ratings."""
        self._mark = ""
        await connection.on_connect()


def _content(content: Any) -> bytes | None:
    return content.encode() if isinstance(content, str) else content
