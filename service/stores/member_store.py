"""Records of members in a Redis store, looked up within a tight timeout and behind a circuit breaker."""

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
"""Most connections of one worker."""
CONNECT_SECONDS = 1.0
"""Timeout of a new connection, for which the request that began it doesn't wait."""


class MemberStore:
    """Finds records of members; on an error, which is counted, a member is unknown."""

    def __init__(self, address: str, timeout_seconds: float, metrics: Metrics, clock: Callable[[], float]) -> None:
        """`address` is a redis://, rediss:// or unix:// URL, which may hold a user name and a password."""
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
        """The member's record; None for an unknown member, or where the store doesn't answer in time."""
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
        """Close all connections."""
        for task in self._late:
            task.cancel()
        await self._client.aclose()

    async def _get(self, key: str) -> bytes | None:
        """The value of a key; raises TimeoutError. A late lookup goes on alone, so that its connection stays usable."""
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
        """A late lookup has ended; its outcome is ignored."""
        self._late.discard(task)
        if not task.cancelled():
            task.exception()
