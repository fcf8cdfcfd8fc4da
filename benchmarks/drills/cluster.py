"""Drill: kill -9 of Dask workers in mid-pass while a retrain runs on them. Prints one JSON object.

The version must be the one that a retrain without a cluster publishes. `python -m benchmarks.drills.cluster --data
DATA` needs the extra `dask`; scheduler and workers run on this machine and end with the drill.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from distributed import Client

PYTHON = [sys.executable, "-m"]
PASS_SECONDS = 600.0
"""Time to wait for a worker that is in mid-pass."""
NO_THREADS = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class Cluster:
    """A scheduler and workers of one thread, each a process of its own."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._workers: list[subprocess.Popen[bytes]] = []
        self.file = folder / "scheduler.json"
        self._start("dask_scheduler", "--port", "0", "--host", "127.0.0.1")

    def add_worker(self) -> None:
        """Start a worker, whose name is its number."""
        name = str(len(self._workers))
        options = ("--name", name, "--nthreads", "1", "--no-nanny", "--local-directory", str(self._folder))
        self._workers.append(self._start("dask_worker", *options))

    def kill(self, name: str) -> None:
        """Kill a worker, and start another one."""
        self._workers[int(name)].kill()
        self.add_worker()

    def _start(self, program: str, *options: str) -> "subprocess.Popen[bytes]":
        command = [
            *PYTHON,
            f"distributed.cli.{program}",
            "--scheduler-file",
            str(self.file),
            "--no-dashboard",
            *options,
        ]
        process = subprocess.Popen(
            command, env=os.environ | NO_THREADS, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process


def drill(data: Path, times: int, workers: int, settings: Path | None, seed: int) -> dict[str, Any]:
    """Retrain in this machine's threads, then on a cluster whose workers are killed `times` times in mid-pass."""
    with tempfile.TemporaryDirectory(prefix="coldstart-drill-") as folder, ExitStack() as stack:
        options = [] if settings is None else ["--settings", str(settings)]
        began = time.perf_counter()
        alone = _version(data, Path(folder) / "alone", options)
        seconds = time.perf_counter() - began
        cluster = Cluster(Path(folder), stack)
        for _ in range(workers):
            cluster.add_worker()
        options += ["--cluster", str(cluster.file), "--work", str(Path(folder) / "work")]
        began = time.perf_counter()
        with _retrain(data, Path(folder) / "clustered", options) as process:
            passes = _kill(cluster, process, times, seconds, random.Random(seed))  # noqa: S311
            code = process.wait()
        return {
            "drill": "cluster",
            "workers": workers,
            "kills_in_mid_pass": len(passes),
            "seconds_of_kills": passes,
            "exit_code": code,
            "same_version": code == 0 and _published(Path(folder) / "clustered") == alone,
            "seconds_alone": round(seconds, 1),
            "seconds_on_cluster": round(time.perf_counter() - began, 1),
        }


def _kill(
    cluster: Cluster, process: "subprocess.Popen[bytes]", times: int, seconds: float, chance: random.Random
) -> list[float]:
    """Kill workers at random moments of a retrain that takes about so long; return the moments in seconds."""
    began, moments = time.perf_counter(), []
    with Client(scheduler_file=str(cluster.file), set_as_default=False) as client:  # type: ignore[no-untyped-call]
        for moment in sorted(chance.uniform(0, seconds) for _ in range(times)):
            while time.perf_counter() - began < moment and process.poll() is None:
                time.sleep(0.1)
            busy = _busy_worker(client, process, chance)
            if busy is None:
                break
            cluster.kill(busy)
            moments.append(round(time.perf_counter() - began, 1))
    return moments


def _busy_worker(client: Any, process: "subprocess.Popen[bytes]", chance: random.Random) -> str | None:
    """Return the name of a worker that computes tasks of a pass; None if the retrain ends before there is one."""
    end = time.perf_counter() + PASS_SECONDS
    while process.poll() is None and time.perf_counter() < end:
        workers = client.scheduler_info(n_workers=-1)["workers"]
        busy = [address for address, tasks in sorted(client.processing().items()) if tasks and address in workers]
        if busy:
            return str(workers[chance.choice(busy)]["name"])
        time.sleep(0.02)
    return None


@contextmanager
def _retrain(data: Path, models: Path, options: list[str]) -> "Iterator[subprocess.Popen[bytes]]":
    command = ["training", "retrain", "--data", str(data), "--models", str(models), "--force", *options]
    with subprocess.Popen([*PYTHON, *command], stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def _version(data: Path, models: Path, options: list[str]) -> str:
    with _retrain(data, models, options) as process:
        if process.wait():
            raise RuntimeError(f"the retrain without a cluster has failed with exit code {process.returncode}")
    return _published(models)


def _published(models: Path) -> str:
    [version] = (models / "versions").iterdir()
    return version.name


def main() -> None:
    """Read the options, run the drill and print what it measured."""
    parser = argparse.ArgumentParser("python -m benchmarks.drills.cluster", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data directory to train on")
    parser.add_argument("--times", type=int, default=10, help="how many kills [default: 10]")
    parser.add_argument("--workers", type=int, default=2, help="Dask workers [default: 2]")
    parser.add_argument("--settings", type=Path, help="settings of the fit, such as a lighter one")
    parser.add_argument("--seed", type=int, default=0, help="of moments and workers [default: 0]")
    arguments = parser.parse_args()
    report = drill(arguments.data, arguments.times, arguments.workers, arguments.settings, arguments.seed)
    print(json.dumps(report))
    sys.exit(0 if report["same_version"] and report["kills_in_mid_pass"] == arguments.times else 1)


if __name__ == "__main__":
    main()
