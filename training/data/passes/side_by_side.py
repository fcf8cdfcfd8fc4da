"""Runs independent work on data in memory in threads of this process, wherever the passes over partitions run."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from model.cores import usable_cores

Result = TypeVar("Result")


def side_by_side(function: Callable[..., Result], *columns: Sequence[Any]) -> list[Result]:
    """Return the function's results, in order, for the elements of sequences of equal length.

    Calls run in as many threads as there are cores, so they must not depend on each other. After an exception of one,
    or a signal, no further calls begin, and what those under way do is ignored.
    """
    pool = ThreadPoolExecutor(usable_cores())
    try:
        return list(pool.map(lambda arguments: function(*arguments), list(zip(*columns, strict=True))))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
