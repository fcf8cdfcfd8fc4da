"""`training models guard`: goes back to the version before if the current one is worse, now or again and again."""

import argparse
import sys
import time
from pathlib import Path

from model.exit_codes import ExitCode
from model.store.store import Store
from training.errors import UsageError, expected_error
from training.versions.guard.guard import look
from training.versions.guard.guard_settings import guard_settings


def run_guard(store: Store, arguments: argparse.Namespace) -> ExitCode:
    """Look once, or every so many seconds, and print what was seen.

    Raises UsageError if there is no folder of outcomes, and what `look` raises. When looking again and again, errors
    are printed instead, and the next look may succeed.
    """
    if not arguments.outcomes:
        raise UsageError("guard needs --outcomes, the folder in which the service records outcomes")
    settings, outcomes = guard_settings(arguments), Path(arguments.outcomes)
    if arguments.every is None:
        print(look(store, outcomes, settings, time.time()).summary)
        return ExitCode.DONE
    while True:
        try:
            print(look(store, outcomes, settings, time.time()).summary, flush=True)
        except Exception as error:
            expected = expected_error(error)
            if expected is None:
                raise
            print(expected, file=sys.stderr, flush=True)
        time.sleep(arguments.every)
