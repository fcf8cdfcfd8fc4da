"""`python -m service doctor`: whether the service would run well with these settings, and what to do if not."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

from service.commands.doctor_machine import (
    check_certificates,
    check_clock,
    check_folders,
    check_limits,
    check_ports,
    check_tokens,
)
from service.commands.doctor_model import check_models, memory_of_one_worker
from service.commands.findings import Finding, Findings, as_plain, as_text, failed, ok, warning
from service.settings import Settings, flag, read_settings

JSON = "--json"
STORE_SECONDS = 3.0
SLOW_SHARE = 0.5


def main(arguments: Sequence[str], environment: Mapping[str, str], now: float, output: TextIO) -> int:
    """Check everything and print it; 1 where a check failed, else 0. Ends with 2 for settings that make no sense."""
    settings = read_settings(
        [one for one in arguments if one != JSON], environment, "python -m service doctor [--json]"
    )
    checks: list[Callable[[], Findings]] = [
        lambda: check_models(settings, now),
        lambda: check_member_store(settings),
        lambda: check_ports(settings),
        lambda: check_certificates(settings, now),
        lambda: check_tokens(settings),
        lambda: check_clock(now),
        lambda: check_limits(settings, memory_of_one_worker()),
        lambda: check_folders(settings),
    ]
    findings = [finding for check in checks for finding in check()]
    told = json.dumps(as_plain(findings), indent=1) if JSON in arguments else as_text(findings)
    print(told, file=output)
    return int(any(one.state == "failed" for one in findings))


def check_member_store(settings: Settings) -> Findings:
    """Whether the Redis store answers, and in the time that answers wait for it."""
    if settings.members is None:
        return
    from redis import Redis
    from redis.exceptions import AuthenticationError, RedisError

    remedy = f"look at {flag('members')}; until it answers, members are those of the model alone"
    client = Redis.from_url(settings.members, socket_timeout=STORE_SECONDS, socket_connect_timeout=STORE_SECONDS)
    try:
        client.ping()
        began = time.perf_counter()
        client.get("coldstart:doctor")
        seconds = time.perf_counter() - began
    except AuthenticationError:
        yield failed("member store", "it doesn't accept the password", remedy)
    except (RedisError, OSError, ValueError) as error:
        yield failed("member store", f"it doesn't answer: {type(error).__name__}", remedy)
    else:
        yield _quick(seconds, settings.members_timeout_seconds)
    finally:
        client.close()


def _quick(seconds: float, timeout: float) -> Finding:
    found = f"it answers in {seconds * 1e3:.1f} ms; requests wait {timeout * 1e3:g} ms"
    if seconds > SLOW_SHARE * timeout:
        return warning("member store", found, f"bring it nearer, or raise {flag('members_timeout_seconds')}")
    return ok("member store", found)
