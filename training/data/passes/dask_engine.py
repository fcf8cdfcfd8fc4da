"""Runs passes on a Dask cluster."""

import json
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import Any

from training.data.passes.array_files import forget_arrays
from training.data.passes.passes import Group, Passes, Result
from training.errors import WorkFailed

EXTRA = "--cluster needs Dask, which isn't installed: install the project's extra `dask`"
MOST_FAILURES = 20
"""Maximum number of times that a pass goes on after its workers were lost."""
WORKER_SECONDS = 120.0
"""Time to wait for a worker while there is none."""
CONNECT_SECONDS = 30.0
"""Time to wait for the scheduler."""
NO_WARNING = {"distributed.admin.large-graph-warning-threshold": "1 TB"}
"""Setting without which Dask warns of large arguments. Those of a partition go to one worker once, as they should."""


class DaskEngine:
    """Runs each group of partitions as a task of a Dask cluster. What lost workers had is computed again."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def map(self, function: Callable[[Group], Result], groups: Sequence[Group]) -> Iterator[Result]:
        """Yield the function's result for each group of partitions, in order.

        Raises what the function raises, and WorkFailed if the cluster ends or stays without a worker.
        """
        from distributed import CancelledError, KilledWorker  # only with the extra

        done, failures, outcomes = 0, 0, self._outcomes(function, groups)
        try:
            while done < len(groups):
                try:
                    result, failure = next(outcomes)
                except (CancelledError, KilledWorker, OSError, TimeoutError) as error:
                    failures += 1
                    if failures > MOST_FAILURES or self._client.status != "running":
                        raise WorkFailed(f"the Dask cluster has ended ({type(error).__name__})") from error
                    outcomes = self._outcomes(function, groups[done:])
                    continue
                if failure is not None:
                    raise failure
                done += 1
                yield result
        finally:
            outcomes.close()

    def await_worker(self) -> None:
        """Wait until there is a worker. Raises WorkFailed if none comes."""
        try:
            self._client.wait_for_workers(1, timeout=WORKER_SECONDS)
        except TimeoutError as error:
            raise WorkFailed(f"--cluster: the scheduler had no worker for {WORKER_SECONDS:.0f} s") from error

    def _outcomes(
        self, function: Callable[[Group], Result], groups: Sequence[Group]
    ) -> Generator[tuple[Any, BaseException | None], None, None]:
        """Yield the result for each group, or what the function raised. The cluster forgets what has been yielded."""
        from distributed import KilledWorker

        self.await_worker()
        shared = self._client.scatter(function, broadcast=True, hash=False)  # large; a copy goes to each worker
        futures = self._client.map(_call, [shared] * len(groups), groups, pure=False)
        try:
            while futures:
                self._await(futures[0])
                failure = futures[0].exception()
                if isinstance(failure, KilledWorker):
                    raise failure
                yield (futures[0].result(timeout=WORKER_SECONDS) if failure is None else None), failure
                futures.pop(0).release()
        finally:
            for future in (*futures, shared):
                future.release()

    def _await(self, future: Any) -> None:
        """Wait until a task is done. Raises WorkFailed if there is no worker to do it."""
        while not future.done():
            try:
                future.exception(timeout=WORKER_SECONDS)
            except TimeoutError:
                self.await_worker()


@contextmanager
def passes_on_dask(cluster: str, folder: Path) -> Iterator[Passes]:
    """Run passes on the cluster at an address such as tcp://scheduler:8786, or of a scheduler file.

    All workers must see `folder` at the same path. Raises WorkFailed if there is no cluster or it has no workers.
    """
    try:
        from dask import config  # only with the extra
        from distributed import Client
    except ImportError as error:
        raise WorkFailed(EXTRA) from error
    try:
        # not by Dask's own option for a file, for which it would wait forever
        address = json.loads(Path(cluster).read_text())["address"] if cluster.endswith(".json") else cluster
        client: Any = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError, LookupError, TypeError) as error:
        raise WorkFailed(f"--cluster: no Dask scheduler answers at {cluster}") from error
    with config.set(NO_WARNING), client:
        engine = DaskEngine(client)
        engine.await_worker()
        try:
            yield Passes(engine, folder, Event())
        finally:
            forget_arrays(folder)
            if client.status == "running":
                with suppress(OSError, TimeoutError):
                    client.run(forget_arrays, folder, on_error="ignore")  # workers go on to the next retrain


def _call(function: Callable[[Group], Result], group: Group) -> Result:
    return function(group)
