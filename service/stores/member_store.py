"""Looks up members' records (attributes and plays) in Redis, and stops asking for a while if that fails repeatedly."""

import asyncio
import logging
from collections.abc import Callable

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from model.errors import BadRecord
from model.facts.member_record import MemberRecord, from_json, record_key
from service.stores.circuit_breaker import Breaker
from service.telemetry.logs import log_event
from service.telemetry.metrics.service_metrics import Metrics

CONNECTIONS = 32
"""Maximum number of connections to Redis of one worker."""
CONNECT_SECONDS = 1.0
"""Timeout for connecting to Redis and for each reply, in seconds.

A request waits only for the `timeout_seconds` of MemberStore. A late lookup continues in the background.
"""


class MemberStore:
    """Looks up members' records (attributes and plays) in Redis; if that fails, the member counts as unknown."""

    def __init__(self, address: str, timeout_seconds: float, metrics: Metrics, clock: Callable[[], float]) -> None:
        """Prepare the connection pool; connections are opened on demand.

        Args:
            address: URL with the scheme redis://, rediss:// or unix://, which may contain a user name and a password.
            timeout_seconds: Maximum time that a request waits for a lookup.
            metrics: Counts lookups by result.
            clock: Returns seconds from an arbitrary origin.
        """
        pool = BlockingConnectionPool.from_url(
            address, max_connections=CONNECTIONS, timeout=timeout_seconds, socket_timeout=CONNECT_SECONDS,
            socket_connect_timeout=CONNECT_SECONDS, retry=Retry(NoBackoff(), 0), decode_responses=False,
        )  # fmt: skip
        self._client = Redis(connection_pool=pool)
        self._timeout_seconds = timeout_seconds
        self._breaker = Breaker(clock)
        self._metrics = metrics
        self._late: set[asyncio.Task[bytes | None]] = set()

    async def find(self, member_id: str) -> MemberRecord | None:
        """Return the member's attributes and plays; None if there are none or they can't be read in time."""
        if not self._breaker.lets_through():
            self._metrics.answers.count_store_lookup("skipped")
            return None
        try:
            content = await self._get(record_key(member_id))
            record = None if content is None else from_json(content)
        except BadRecord as error:
            self._breaker.succeeded()
            log_event(logging.ERROR, "member_record_unusable", reason=str(error))
            self._metrics.answers.count_store_lookup("failed")
            return None
        except (RedisError, OSError, TimeoutError) as error:
            if self._breaker.failed():
                log_event(logging.WARNING, "member_store_failing", reason=type(error).__name__)
            self._metrics.answers.count_store_lookup("failed")
            return None
        if self._breaker.succeeded():
            log_event(logging.INFO, "member_store_answers_again")
        self._metrics.answers.count_store_lookup("unknown" if record is None else "found")
        return record

    async def close(self) -> None:
        """Cancel look-ups that are still running in the background, and close all connections."""
        for task in self._late:
            task.cancel()
        await self._client.aclose()

    async def _get(self, key: str) -> bytes | None:
        """Return the value of a key in Redis; None if there is none. Raises TimeoutError if Redis is too slow.

        A late lookup continues in the background, so that its connection remains usable.
        """
        task = asyncio.create_task(self._fetch(key))
        done, _ = await asyncio.wait({task}, timeout=self._timeout_seconds)
        if done:
            return task.result()
        self._late.add(task)
        task.add_done_callback(self._forget)
        raise TimeoutError

    async def _fetch(self, key: str) -> bytes | None:
        content = await self._client.get(key)
        return content.encode() if isinstance(content, str) else content

    def _forget(self, task: "asyncio.Task[bytes | None]") -> None:
        """Forget a look-up that has ended too late to be used, and ignore its result or error."""
        self._late.discard(task)
        if not task.cancelled():
            task.exception()
