"""Chooses the kind of store that --members names, and prepares it before the workers start."""

from collections.abc import Callable
from pathlib import Path

from model.errors import MemberStoreError, WrongKey
from model.facts.facts import SECONDS_PER_DAY
from model.facts.member_key import MemberKey
from model.facts.outcome_record import PATTERN
from model.member_stores.own_key import own_key
from model.member_stores.sqlite_members import create, path_of
from service.errors import MembersUnusable
from service.settings import Settings
from service.stores.member_source import MemberBackend


def prepare_members(settings: Settings) -> None:
    """Check the member key, and create the SQLite file of members if it is missing. Raises MembersUnusable."""
    try:
        MemberKey.read(settings.member_key)
        path = path_of(settings.members or "")
        if path is not None:
            create(path, _ratings_secret(settings, path), complete=not _has_outcomes(settings.outcomes))
    except (MemberStoreError, WrongKey) as error:
        raise MembersUnusable(str(error)) from None


def member_backend(settings: Settings, address: str, now: Callable[[], float]) -> MemberBackend:
    """Return the store at an address. Raises MemberStoreError or WrongKey if the member key can't be read.

    `now` returns the seconds since 1970 UTC.
    """
    key, keep_seconds = MemberKey.read(settings.member_key), settings.ratings_keep_days * SECONDS_PER_DAY
    path = path_of(address)
    if path is not None:
        from service.stores.sqlite_backend import SqliteBackend  # late import: only one kind of store is loaded

        return SqliteBackend(path, key, _ratings_secret(settings, path), keep_seconds, now)
    from service.stores.redis_backend import RedisBackend

    return RedisBackend(address, settings.members_timeout_seconds, key, keep_seconds, now)


def _ratings_secret(settings: Settings, path: Path) -> MemberKey:
    """Return the key under which live ratings lie in a SQLite file: the member key, else one of its own beside it."""
    return MemberKey.read(settings.member_key) if settings.member_key else own_key(path)


def _has_outcomes(folder: Path | None) -> bool:
    """Return whether outcomes were recorded before, whose ratings a new file lacks."""
    return folder is not None and any(path.stat().st_size for path in folder.rglob(PATTERN))
