"""Checks of the `doctor` command: the store of members, how fast it answers, and whether it holds all live ratings."""

import sqlite3
import time
from pathlib import Path

from model.errors import MemberStoreError, WrongKey
from model.facts.member_key import MemberKey
from model.member_stores.own_key import own_key
from model.member_stores.redis_layout import COMPLETE_KEY, complete_mark
from model.member_stores.sqlite_members import COMPLETE, SqliteMembers, path_of
from service.commands.doctor_checks import Finding, Findings, failed, ok, warning
from service.settings import Settings, flag

CHECK, RATINGS = "member store", "live ratings"
STORE_SECONDS = 3.0
SLOW_SHARE = 0.5
REMEDY = f"look at {flag('members')}; until it answers, members are those of the model alone"
FILL = "fill it: `python -m training members push --outcomes`; until then, answers say that facts may be missing"


def check_member_store(settings: Settings) -> Findings:
    """Check whether the store of members answers well within the time that requests wait, and has all live ratings."""
    if settings.members is None:
        return
    try:
        key = MemberKey.read(settings.member_key)
    except WrongKey as error:
        yield failed("member key", str(error), f"look at {flag('member_key')}")
        return
    path = path_of(settings.members)
    yield from _check_redis(settings, settings.members, key) if path is None else _check_file(settings, path, key)


def _check_file(settings: Settings, path: Path, key: MemberKey) -> Findings:
    if not path.exists():
        yield ok(CHECK, f"{path} isn't there yet and is made at the start")
        return
    try:
        members = SqliteMembers(path)
        try:
            began = time.perf_counter()
            members.read("", "", 0.0)
            seconds = time.perf_counter() - began
            fingerprint, live = members.state("key"), members.state("live")
        finally:
            members.close()
        secret = key if key.secret else own_key(path)
    except (sqlite3.Error, MemberStoreError, WrongKey) as error:
        yield failed(CHECK, f"{path} can't be used: {error}", REMEDY)
        return
    yield _check_latency(seconds, settings.members_timeout_seconds)
    if fingerprint != secret.fingerprint:
        yield failed(RATINGS, f"{path} was made with another member key", f"give it as {flag('member_key')}")
    else:
        yield _check_ratings(live == COMPLETE)


def _check_redis(settings: Settings, address: str, key: MemberKey) -> Findings:
    from redis import Redis
    from redis.exceptions import AuthenticationError, RedisError

    client = Redis.from_url(address, socket_timeout=STORE_SECONDS, socket_connect_timeout=STORE_SECONDS)
    try:
        client.ping()
        began = time.perf_counter()
        client.get("coldstart:member:doctor")
        seconds = time.perf_counter() - began
        yield _check_latency(seconds, settings.members_timeout_seconds)
        if key.secret:
            mark = client.get(COMPLETE_KEY)
            yield _check_ratings(mark == complete_mark(client.info("server"), key).encode())
        else:
            yield ok(RATINGS, f"none are kept: Redis keeps them only with {flag('member_key')}")
    except AuthenticationError:
        yield failed(CHECK, "it doesn't accept the password", REMEDY)
    except (RedisError, OSError, ValueError) as error:
        yield failed(CHECK, f"it doesn't answer: {type(error).__name__}", REMEDY)
    finally:
        client.close()


def _check_ratings(complete: bool) -> Finding:
    if complete:
        return ok(RATINGS, "the store holds all that were recorded")
    return warning(RATINGS, "the store may lack some that were recorded", FILL)


def _check_latency(seconds: float, timeout: float) -> Finding:
    observation = f"it answers in {seconds * 1e3:.1f} ms; requests wait {timeout * 1e3:g} ms"
    if seconds > SLOW_SHARE * timeout:
        return warning(CHECK, observation, f"bring it nearer, or raise {flag('members_timeout_seconds')}")
    return ok(CHECK, observation)
