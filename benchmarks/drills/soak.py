"""Drill: memory of a worker against calls answered, after a warm-up. Prints one JSON object."""

import argparse
import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.drills.load import Load
from benchmarks.served import Served, serving

UNARY, CONNECTIONS = 16, 4
WARM_UP = 0.25
"""Share of the calls before the memory counts: caches fill and the allocator settles."""
SAMPLES = 200


def drill(models: Path, calls: int) -> dict[str, Any]:
    """Let one worker answer `calls` calls; returns how its memory grows."""
    with tempfile.TemporaryDirectory() as folder, serving(models, Path(folder) / "log", "--workers", "1") as served:
        return {"drill": "soak", **asyncio.run(_soak(served, calls))}


async def _soak(served: Served, calls: int) -> dict[str, Any]:
    [pid] = served.worker_pids().values()
    load = Load(served)
    began = time.perf_counter()
    load.start(UNARY, 0, CONNECTIONS)
    done, megabytes = [], []
    while (answered := sum(load.codes.values())) < calls:
        if answered >= (len(done) + 1) * calls / SAMPLES:
            done.append(answered)
            megabytes.append(resident_megabytes(pid))
        await asyncio.sleep(0.02)
    load.stop()
    await load.ended()
    seconds = time.perf_counter() - began
    warm = int(len(done) * WARM_UP)
    growth, _ = np.polyfit(np.array(done[warm:]) / 1e6, megabytes[warm:], 1)
    return {
        "calls": sum(load.codes.values()),
        "calls_failed": load.lost,
        "calls_per_second": round(sum(load.codes.values()) / seconds),
        "megabytes_after_warm_up": round(megabytes[warm], 1),
        "megabytes_at_the_end": round(megabytes[-1], 1),
        "megabytes_per_million_calls": round(float(growth), 2),
    }


def resident_megabytes(pid: int) -> float:
    """Memory that the process has now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Read the options, run the drill and print what it measured."""
    parser = argparse.ArgumentParser("python -m benchmarks.drills.soak", description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="the folder of models")
    parser.add_argument("--calls", type=int, default=1_000_000, help="how many calls [default: 1000000]")
    arguments = parser.parse_args()
    print(json.dumps(drill(arguments.models, arguments.calls)))


if __name__ == "__main__":
    main()
