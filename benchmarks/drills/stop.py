"""Drill: SIGTERM at random moments under load, with open health watches. Prints one JSON object.

Callers begin no more calls once a watch of theirs hears NOT_SERVING, as clients with health-aware balancing do.
"""

import argparse
import asyncio
import json
import random
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.drills.load import Load, connect, watch
from benchmarks.served import Served, serving
from service.settings import Settings

DRAIN_SECONDS: float = Settings.model_fields["drain_seconds"].default
UNARY, STREAMS, CONNECTIONS, WATCH_CONNECTIONS = 6, 6, 4, 8


def drill(
    models: Path,
    times: int,
    workers: int,
    watches: int,
    seed: int,
    drain_seconds: float = DRAIN_SECONDS,
    pause_seconds: float = 0.0,
) -> dict[str, Any]:
    """Stop a server `times` times under load, whose callers pause between calls; returns the worst of each measure."""
    chance = random.Random(seed)  # noqa: S311
    rounds = []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "log"
            with serving(models, log, "--workers", str(workers), "--drain-seconds", str(drain_seconds)) as served:
                rounds.append(asyncio.run(_stop(served, watches, chance.uniform(0.3, 1.5), pause_seconds)))
    return {
        "drill": "stop",
        "times": times,
        "workers": workers,
        "watches": watches,
        "calls": sum(each_round["calls"] for each_round in rounds),
        "calls_lost": sum(each_round["lost"] for each_round in rounds),
        "watches_not_told": sum(each_round["not_told"] for each_round in rounds),
        "not_serving_milliseconds": round(max(each_round["not_serving"] for each_round in rounds) * 1000, 1),
        "seconds_beyond_longest_call": round(max(each_round["beyond"] for each_round in rounds), 3),
        "longest_exit_seconds": round(max(each_round["exit"] for each_round in rounds), 3),
    }


async def _stop(served: Served, watches: int, seconds: float, pause_seconds: float) -> dict[str, float]:
    """One stop after some seconds of load."""
    # A channel that checks health refuses calls by itself once the server stops, a moment before the watches tell the
    # callers; without the checks every call until then reaches the server, which must answer it.
    load = Load(served, pause_seconds, health_checks=False)
    channels = [connect(served, 1000 + number) for number in range(WATCH_CONNECTIONS)]
    opened = asyncio.Semaphore(0)
    watching = [
        asyncio.create_task(watch(channels[number % len(channels)], opened.release, load.stop))
        for number in range(watches)
    ]
    for _ in watching:
        await opened.acquire()
    load.start(UNARY, STREAMS, CONNECTIONS)
    await asyncio.sleep(seconds)
    began = time.perf_counter()
    served.process.send_signal(signal.SIGTERM)
    exiting = asyncio.create_task(asyncio.to_thread(served.process.wait))
    await load.ended()
    calls_ended = time.perf_counter()
    await exiting
    exited = time.perf_counter()
    heard = await asyncio.gather(*watching, return_exceptions=True)
    for channel in channels:
        await channel.close()
    stopped_at = [seconds for seconds in heard if isinstance(seconds, float) and seconds > 0]
    return {
        "calls": sum(load.codes.values()),
        "lost": load.lost,
        "not_told": watches - len(stopped_at),
        "not_serving": max(stopped_at, default=began) - began,
        "exit": exited - began,
        "beyond": exited - calls_ended,
    }


def main() -> None:
    """Read the options, run the drill and print what it measured."""
    parser = argparse.ArgumentParser("python -m benchmarks.drills.stop", description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="the folder of models")
    parser.add_argument("--times", type=int, default=20, help="how many stops [default: 20]")
    parser.add_argument("--workers", type=int, default=2, help="worker processes [default: 2]")
    parser.add_argument("--watches", type=int, default=50, help="open health watches [default: 50]")
    parser.add_argument(
        "--drain-seconds", type=float, default=DRAIN_SECONDS,
        help=f"as the service's own option; more where clients hear late [default: {DRAIN_SECONDS}]",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of the random moments [default: 0]")
    arguments = parser.parse_args()
    print(
        json.dumps(
            drill(
                arguments.models,
                arguments.times,
                arguments.workers,
                arguments.watches,
                arguments.seed,
                arguments.drain_seconds,
            )
        )
    )


if __name__ == "__main__":
    main()
