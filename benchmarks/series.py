"""Checks that requests with new names and ids add no Prometheus series. Prints one JSON object."""

import argparse
import json
import random
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc

from benchmarks.fuzzing import edited
from benchmarks.privacy.telemetry import CALL_SECONDS, asked_of, marked_request
from benchmarks.served import Served, serving

CALLERS = 8
SCRAPES = 20


def measure(models: Path, requests: int, seed: int, workers: int = 2) -> dict[str, Any]:
    """Series, bytes and milliseconds of a scrape before and after hostile requests."""
    with tempfile.TemporaryDirectory() as name:
        log, outcomes = Path(name) / "log", Path(name) / "outcomes"
        with serving(models, log, "--workers", str(workers), "--outcomes", str(outcomes)) as served:
            _send(served, 200, seed)
            before = _series(served.scrape())
            began = time.perf_counter()
            _send(served, requests, seed + 1)
            seconds = time.perf_counter() - began
            text = served.scrape()
            took = sorted(_scrape_seconds(served) for _ in range(SCRAPES))
    after = _series(text)
    return {
        "requests": requests, "seconds": round(seconds, 1), "series": len(after),
        "series_added": sorted(after - before), "metrics_bytes": len(text),
        "scrape_milliseconds": {"median": round(took[SCRAPES // 2] * 1e3, 1), "longest": round(took[-1] * 1e3, 1)},
    }  # fmt: skip


def _send(served: Served, requests: int, seed: int) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{served.port}") as channel:
        asked = asked_of(channel)

        def call(number: int) -> None:
            chance = random.Random(seed * 1_000_003 + number)  # noqa: S311
            path, raw = marked_request(number, chance, *asked)
            if number % 4 == 3:
                raw = edited(raw, chance)
            with suppress(grpc.RpcError):
                channel.unary_unary(path)(raw, timeout=CALL_SECONDS)

        with ThreadPoolExecutor(CALLERS) as threads:
            for _ in threads.map(call, range(requests)):
                pass


def _series(text: str) -> set[str]:
    return {line.rsplit(" ", 1)[0] for line in text.splitlines() if not line.startswith("#")}


def _scrape_seconds(served: Served) -> float:
    began = time.perf_counter()
    served.scrape()
    return time.perf_counter() - began


def main() -> int:
    """Read the options, measure and print; 1 where a series was added."""
    parser = argparse.ArgumentParser("python -m benchmarks.series", description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="the folder of models")
    parser.add_argument("--requests", type=int, default=100_000, help="how many [default: 100000]")
    parser.add_argument("--seed", type=int, default=0, help="of what they are [default: 0]")
    arguments = parser.parse_args()
    seen = measure(arguments.models, arguments.requests, arguments.seed)
    print(json.dumps(seen))
    return int(bool(seen["series_added"]))


if __name__ == "__main__":
    sys.exit(main())
