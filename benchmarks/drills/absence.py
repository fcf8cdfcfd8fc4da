"""`python -m benchmarks.drills.absence`: the store can't be read for a while, then it can; prints JSON.

Meanwhile another version is published. Measured: calls that fail in the meantime, and how long after its return the
store's new version is served. The store is moved away, which, other than taking rights away, also hides it from root.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc

from benchmarks.drills.server import drilled, point_to, requests, wait_until
from model.artifact.artifact import load_model
from model.store.store import Store


def drill(models: Path, seconds: float, log: Path, *options: str) -> dict[str, Any]:
    """What a service did while its store was away for so long. The store is changed: hand in a copy."""
    first, second = Store(models).versions()[:2]
    request = requests(load_model(models / "versions" / first).catalogue.movie_ids)
    point_to(models, first)
    failed = calls = 0
    with drilled(models, log, *options) as server:
        expected = server.answer(request)
        point_to(models, second)
        versions = (models / "versions").rename(models / "away")
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            calls += 1
            try:
                failed += server.answer(request) != expected
            except grpc.RpcError:
                failed += 1
            time.sleep(0.05)
        refusals = server.metric("coldstart_model_refusals_total", model="current", reason="missing")
        versions.rename(models / "versions")
        waited = wait_until(lambda: server.version() == second, 60)
    return {
        "away_seconds": seconds, "calls_meanwhile": calls, "failed_or_changed": failed, "refusals": refusals,
        "seconds_until_served": waited and round(waited, 3),
    }  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """Print what happened; 1 if a call failed or the version isn't served within five seconds."""
    parser = argparse.ArgumentParser("python -m benchmarks.drills.absence", description="A store that goes away.")
    parser.add_argument("--models", type=Path, required=True, help="a store of two versions; it is copied")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long it is away (default 30)")
    parser.add_argument("--workers", type=int, default=1, help="worker processes (default 1)")
    told = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        models = shutil.copytree(told.models, Path(folder) / "models")
        found = drill(models, told.seconds, Path(folder) / "log", "--workers", str(told.workers))
    print(json.dumps(found, indent=1))
    return 1 if found["failed_or_changed"] or (found["seconds_until_served"] or 99) > 5 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
