"""Runs independent work on data in memory in threads of this process, wherever the passes over partitions run."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from model.cores import usable_cores

SIGNAL_SECONDS = 0.5
"""Seconds after which signals are looked for; polars' handler of SIGINT doesn't wake a thread that waits."""

Result = TypeVar("Result")


def side_by_side(function: Callable[..., Result], *columns: Sequence[Any]) -> list[Result]:
    """Return the function's results, in order, for the elements of sequences of equal length.

    Calls run in as many threads as there are cores, so they must not depend on each other. After an exception of one,
    or a signal, no further calls begin, and what those under way do is ignored.
    """
    pool = ThreadPoolExecutor(usable_cores())
    try:
        calls = [pool.submit(function, *arguments) for arguments in zip(*columns, strict=True)]
        waiting = True
        while waiting:
            done, others = wait(calls, SIGNAL_SECONDS, FIRST_EXCEPTION)
            waiting = bool(others) and not any(call.exception() for call in done)
        return [call.result() for call in calls if call in done]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
