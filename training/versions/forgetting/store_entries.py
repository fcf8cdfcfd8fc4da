"""Shows and deletes what an external store holds of members."""

import itertools
import json
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any

from model.facts.member_key import MemberKey
from model.facts.member_record import record_key
from training.errors import UsageError, WorkFailed

if TYPE_CHECKING:
    from redis import Redis

BATCH = 500
"""Number of entries per request."""


def open_member_store(address: str) -> "Redis":
    """Return a client of the store of members at an address.

    Raises UsageError if it can't be one, and WorkFailed if it doesn't answer.
    """
    try:
        from redis import Redis  # imported here because other commands don't need the extra

        client = Redis.from_url(address, socket_timeout=30)
    except ImportError as error:
        raise UsageError("a store of members needs the extra redis: pip install '.[redis]'") from error
    except ValueError as error:
        raise UsageError("--to must be the address of a store: redis://, rediss:// or unix://") from error
    _reached(client.ping)
    return client


def entries_of(client: "Redis", member_id: str, keys: Collection[MemberKey]) -> dict[str, Any]:
    """Return all entries of a member by their keys in the store. Raises WorkFailed if it can't be read."""
    names = _names([member_id], keys)
    contents = _reached(lambda: client.mget(names))
    return {name: _parsed(content) for name, content in zip(names, contents, strict=True) if content is not None}


def delete_entries(client: "Redis", member_ids: Iterable[str], keys: Collection[MemberKey]) -> int:
    """Delete all entries of members, and return how many there were. Raises WorkFailed if the store fails."""
    deleted, waiting = 0, iter(_names(member_ids, keys))
    while batch := list(itertools.islice(waiting, BATCH)):
        deleted += int(_reached(lambda batch=batch: client.delete(*batch)))  # type: ignore[misc]
    return deleted


def _names(member_ids: Iterable[str], keys: Collection[MemberKey]) -> list[str]:
    return [record_key(member_id, key) for member_id in member_ids for key in keys]


def _parsed(content: bytes | str) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode(errors="replace") if isinstance(content, bytes) else content


def _reached(do: Callable[[], Any]) -> Any:
    from redis import RedisError

    try:
        return do()
    except RedisError as error:
        raise WorkFailed(f"the store of members failed: {type(error).__name__}") from error
