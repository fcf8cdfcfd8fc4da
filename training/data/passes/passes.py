"""Passes: a function is applied to every partition, and the results are collected or added up in a fixed order."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial, reduce
from operator import iadd
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple, Protocol, TypeVar

from training.data.passes.array_files import forget_arrays
from training.errors import PassesStopped

MOST_GROUPS = 24
"""Maximum number of groups of partitions. Each group is one task that returns one sum, so that sums of many partitions
need little memory and little traffic."""

Result = TypeVar("Result")
Sums = TypeVar("Sums", bound=NamedTuple)
Group = Iterable[tuple[Any, ...]]
"""Arguments for each partition of a group."""


class Engine(Protocol):
    """Where passes run: in threads or on a cluster."""

    def map(self, function: Callable[[Group], Result], groups: Sequence[Group]) -> Iterator[Result]:
        """Yield the function's result for each group of partitions, in order."""


class Passes:
    """Runs passes over partitions by an engine, which determines where they run but never what they give.

    A function must not start a pass itself, since it would wait for its own thread.
    """

    def __init__(self, engine: Engine, folder: Path, stopped: Event) -> None:
        """`folder` is for the results of passes over partitions, and must be the same for all processes."""
        self._engine = engine
        self._stopped = stopped
        self.folder = folder

    def stop(self) -> None:
        """End all passes: those under way, and any that begin, raise PassesStopped."""
        self._stopped.set()

    def collect(self, function: Callable[..., Result], *partitions: Sequence[Any]) -> list[Result]:
        """Return the function's result for each partition, in order.

        The function takes one element of each of the sequences, which are of equal length.
        """
        results = self._run(partial(_results_of_group, function), _groups_of(partitions))
        return [result for group in results for result in group]

    def sum(self, function: Callable[..., Sums], *partitions: Sequence[Any]) -> Sums:
        """Return the sum of the function's results, which are named tuples of numbers and arrays.

        Partitions are added in order within groups, and groups by a tree; both depend only on the number of partitions.
        Raises ValueError without partitions.
        """
        tasks = _groups_of(partitions)
        if not tasks:
            raise ValueError("a sum needs at least one partition")
        return _by_tree(self._run(partial(_sum_of_group, function), tasks))

    def _run(self, function: Callable[[Group], Result], groups: Sequence[Group]) -> Iterator[Result]:
        for result in self._engine.map(function, groups):
            if self._stopped.is_set():
                raise _ended()
            yield result


class Threads:
    """Runs passes in threads of this process."""

    def __init__(self, pool: ThreadPoolExecutor, stopped: Event) -> None:
        """Groups under way raise PassesStopped before their next partition once `stopped` is set."""
        self._pool = pool
        self._stopped = stopped

    def map(self, function: Callable[[Group], Result], groups: Sequence[Group]) -> Iterator[Result]:
        """Yield the function's result for each group of partitions, in order."""
        return self._pool.map(lambda group: function(self._until_stopped(group)), groups)

    def _until_stopped(self, group: Group) -> Group:
        for arguments in group:
            if self._stopped.is_set():
                raise _ended()
            yield arguments


@contextmanager
def passes_in_threads(threads: int, folder: Path | None = None) -> Iterator[Passes]:
    """Run passes in threads of this process, with results in a folder; without one, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="coldstart-") as temporary, ThreadPoolExecutor(threads) as pool:
        place, stopped = folder or Path(temporary), Event()
        try:
            yield Passes(Threads(pool, stopped), place, stopped)
        finally:
            stopped.set()  # else an exception, such as that of a signal, would wait for groups under way to finish
            forget_arrays(place)


def _ended() -> PassesStopped:
    return PassesStopped("the work has ended early")


def groups(count: int) -> list[slice]:
    """Return at most MOST_GROUPS consecutive ranges of `count` partitions, whose lengths differ by at most one."""
    size = min(count, MOST_GROUPS)
    return [slice(number * count // size, (number + 1) * count // size) for number in range(size)]


def _groups_of(partitions: Sequence[Sequence[Any]]) -> list[Group]:
    """Return the arguments for the partitions of each group. Raises ValueError if the sequences differ in length."""
    lengths = {len(column) for column in partitions}
    if len(lengths) != 1:
        raise ValueError(f"a pass needs one element of each sequence for each partition, not {sorted(lengths)}")
    return [list(zip(*(column[group] for column in partitions), strict=True)) for group in groups(lengths.pop())]


def _results_of_group(function: Callable[..., Result], group: Group) -> list[Result]:
    return [function(*arguments) for arguments in group]


def _sum_of_group(function: Callable[..., Sums], group: Group) -> Sums:
    return reduce(_add, (function(*arguments) for arguments in group))


def _by_tree(results: Iterable[Sums]) -> Sums:
    """Add results that arrive in order: neighbours first, then sums of two, of four, and so on."""
    waiting: list[tuple[int, Sums]] = []  # sums with the number of results in each, which falls from left to right
    for result in results:
        size, total = 1, result
        while waiting and waiting[-1][0] == size:
            size, total = 2 * size, _add(waiting.pop()[1], total)
        waiting.append((size, total))
    _, total = waiting.pop()
    while waiting:
        total = _add(waiting.pop()[1], total)
    return total


def _add(total: Sums, more: Sums) -> Sums:
    """Add two results; the arrays of the first are overwritten."""
    return type(total)(*map(iadd, total, more))
