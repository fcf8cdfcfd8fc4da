"""`training models guard`: goes back to the version before if the current one is worse, now or again and again."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from model.facts.member_key import MemberKey
from model.store.label_log import Reason
from model.store.store import Store
from training.errors import UsageError, expected_error
from training.versions.guard.guard import look
from training.versions.guard.guard_settings import guard_settings


def run_guard(
    store: Store, arguments: argparse.Namespace, key: MemberKey, moved_by: Callable[[str], Reason]
) -> tuple[dict[str, Any], str]:
    """Look once, and return what was seen, as a dictionary and as a line; or look every so many seconds, and print it.

    `key` hashes ids, and `moved_by` returns the reason of a move for the log of labels. Raises UsageError if there is
    no folder of outcomes, and what `look` raises. When looking again and again, errors are printed instead, and the
    next look may succeed.
    """
    if not arguments.outcomes:
        raise UsageError("guard needs --outcomes, the folder in which the service records outcomes")
    settings, outcomes = guard_settings(arguments), Path(arguments.outcomes)
    while True:
        try:
            status, summary = look(store, outcomes, settings, time.time(), moved_by, key)
            if arguments.every is None:
                return status.model_dump(), summary
            print(summary, flush=True)
        except Exception as error:
            expected = expected_error(error)
            if expected is None or arguments.every is None:
                raise
            print(expected, file=sys.stderr, flush=True)
        time.sleep(arguments.every)
