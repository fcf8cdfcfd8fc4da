"""Drill: kill -9 of a worker every few seconds under load. Prints one JSON object."""

import argparse
import asyncio
import json
import os
import random
import signal
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.drills.load import Load
from benchmarks.served import Served, serving

UNARY, CONNECTIONS = 8, 6
SCRAPE_SECONDS = 0.2
REPLACED_SECONDS = 120


def drill(
    models: Path, times: int, workers: int, every_seconds: float, seed: int, pause_seconds: float = 0.0
) -> dict[str, Any]:
    """Kill a worker `times` times under load, whose callers pause between calls; counts of failed calls and scrapes."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(models, Path(folder) / "log", "--workers", str(workers)) as served,
    ):
        return {
            "drill": "kill",
            "workers": workers,
            **asyncio.run(_kill(served, times, every_seconds, seed, pause_seconds)),
        }


async def _kill(served: Served, times: int, every_seconds: float, seed: int, pause_seconds: float) -> dict[str, Any]:
    chance = random.Random(seed)  # noqa: S311
    load, scrapes = Load(served, pause_seconds), _Scrapes(served)
    load.start(UNARY, 0, CONNECTIONS)
    scraping = asyncio.create_task(scrapes.go_on())
    replaced = []
    for _ in range(times):
        await asyncio.sleep(every_seconds)
        serving_before = len(served.events("worker_serves"))
        os.kill(chance.choice(list(served.worker_pids().values())), signal.SIGKILL)
        killed = time.perf_counter()
        while len(served.events("worker_serves")) == serving_before:
            if time.perf_counter() - killed > REPLACED_SECONDS:
                raise RuntimeError(f"no new worker within {REPLACED_SECONDS} seconds")
            await asyncio.sleep(0.02)
        replaced.append(time.perf_counter() - killed)
    await asyncio.sleep(1)
    load.stop()
    await load.ended()
    scrapes.stop()
    await scraping
    return {
        "times": times,
        "calls": sum(load.codes.values()),
        "calls_failed": load.lost,
        "codes": dict(load.codes),
        "longest_replacement_seconds": round(max(replaced), 2),
        **scrapes.seen(),
    }


class _Scrapes:
    """What Prometheus would have seen."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._stopping = False
        self._texts: list[str] = []
        self._seconds: list[float] = []
        self._failed = 0

    def stop(self) -> None:
        """Scrape no more."""
        self._stopping = True

    async def go_on(self) -> None:
        """Scrape until `stop`."""
        while not self._stopping:
            began = time.perf_counter()
            try:
                self._texts.append(await asyncio.to_thread(self._served.scrape))
                self._seconds.append(time.perf_counter() - began)
            except OSError:
                self._failed += 1
            await asyncio.sleep(SCRAPE_SECONDS)

    def seen(self) -> dict[str, Any]:
        """Numbers of scrapes, and what went wrong with them."""
        counted = [counters(text) for text in self._texts]
        milliseconds = sorted(round(seconds * 1000, 1) for seconds in self._seconds)
        return {
            "scrapes": len(counted),
            "scrapes_failed": self._failed,
            "scrape_milliseconds": {"median": milliseconds[len(milliseconds) // 2], "longest": milliseconds[-1]},
            "counters_fallen": sum(
                later[name] < value for earlier, later in pairwise(counted) for name, value in earlier.items()
            ),
            "series_added": len(set(counted[-1]) - set(counted[0])),
        }


def counters(text: str) -> dict[str, float]:
    """The value of every series of a scrape that may only grow."""
    values, growing = {}, False
    for line in text.splitlines():
        if line.startswith("# TYPE"):
            growing = line.split()[3] in ("counter", "histogram")
        elif growing and not line.startswith("#"):
            series, value = line.rsplit(" ", 1)
            values[series] = float(value)
    return values


def main() -> None:
    """Read the options, run the drill and print what it measured."""
    parser = argparse.ArgumentParser("python -m benchmarks.drills.kill", description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="the folder of models")
    parser.add_argument("--times", type=int, default=20, help="how many kills [default: 20]")
    parser.add_argument("--workers", type=int, default=2, help="worker processes [default: 2]")
    parser.add_argument("--every-seconds", type=float, default=5, help="time between kills [default: 5]")
    parser.add_argument("--seed", type=int, default=0, help="of which worker it is [default: 0]")
    arguments = parser.parse_args()
    print(
        json.dumps(drill(arguments.models, arguments.times, arguments.workers, arguments.every_seconds, arguments.seed))
    )


if __name__ == "__main__":
    main()
