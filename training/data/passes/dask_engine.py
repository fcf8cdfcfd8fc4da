"""Runs passes on a Dask cluster."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from training.data.passes.passes import Group, Passes, Result
from training.errors import WorkFailed

EXTRA = "--cluster needs Dask, which isn't installed: install the project's extra `dask`"
MOST_FAILURES = 20
"""Maximum number of times that a pass goes on after its workers were lost."""
WORKER_SECONDS = 120.0
"""Time to wait for the first worker."""
CONNECT_SECONDS = 30.0
"""Time to wait for the scheduler."""


class DaskEngine:
    """Runs each group of partitions as a task of a Dask cluster. What lost workers had is computed again."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def map(self, function: Callable[[Group], Result], groups: Sequence[Group]) -> Iterator[Result]:
        """Yield the function's result for each group of partitions, in order. Raises WorkFailed if the cluster ends."""
        from distributed import CancelledError, KilledWorker  # only with the extra

        done, failures = 0, 0
        while done < len(groups):
            try:
                for result in self._results(function, groups[done:]):
                    done += 1
                    yield result
            except (CancelledError, KilledWorker) as error:
                failures += 1
                if failures > MOST_FAILURES or not self._is_there():
                    raise WorkFailed(f"the Dask cluster has ended ({type(error).__name__})") from error
            except (OSError, TimeoutError) as error:
                raise WorkFailed(f"the Dask cluster can't be reached ({type(error).__name__})") from error

    def _results(self, function: Callable[[Group], Result], groups: Sequence[Group]) -> Iterator[Result]:
        """Yield the results of tasks, each of which is forgotten by the cluster once it is here."""
        shared = self._client.scatter(function, broadcast=True, hash=False)  # large; a copy goes to each worker
        futures = self._client.map(_call, [shared] * len(groups), groups, pure=False)
        try:
            while futures:
                yield futures[0].result()
                futures.pop(0).release()
        finally:
            for future in (*futures, shared):
                future.release()

    def _is_there(self) -> bool:
        return self._client.status == "running" and self._client.scheduler is not None


@contextmanager
def passes_on_dask(cluster: str, folder: Path) -> Iterator[Passes]:
    """Run passes on the cluster at an address such as tcp://scheduler:8786, or of a scheduler file.

    All workers must see `folder` at the same path. Raises WorkFailed if there is no cluster or it has no workers.
    """
    try:
        from distributed import Client  # only with the extra
    except ImportError as error:
        raise WorkFailed(EXTRA) from error
    place: dict[str, Any] = {"scheduler_file": cluster} if cluster.endswith(".json") else {"address": cluster}
    try:
        client: Any = Client(**place, timeout=CONNECT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as error:
        raise WorkFailed(f"--cluster: no Dask scheduler answers at {cluster}") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=WORKER_SECONDS)
        except TimeoutError as error:
            raise WorkFailed(f"--cluster: no worker came to the scheduler within {WORKER_SECONDS:.0f} s") from error
        yield Passes(DaskEngine(client), folder)


def _call(function: Callable[[Group], Result], group: Group) -> Result:
    return function(group)
