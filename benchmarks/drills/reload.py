"""`python -m benchmarks.drills.reload`: two versions change places again and again under load; prints JSON.

Callers ask without pause while the pointer moves. Every answer is compared, number for number, with what its
`model_version` answered when it served alone. Also measured: how long a version takes from the pointer to the answers,
calls' durations against those of a service that is left alone, and memory after each reload.
"""

import argparse
import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from benchmarks.drills.server import Answer, Drilled, drilled, numbers, point_to, requests, wait_until
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.artifact.artifact import load_model
from model.store.store import Store

LONGEST_SECONDS = 60.0


@dataclass
class Heard:
    """Durations, responses and errors of the callers."""

    seconds: list[float] = field(default_factory=list)
    """Duration of each call."""
    answers: dict[str, set[tuple[float, ...]]] = field(default_factory=dict)
    """Every different answer of each version."""
    failed: list[str] = field(default_factory=list)
    """Status codes of calls that failed."""


def drill(models: Path, reloads: int, callers: int, pause_seconds: float, log: Path, *options: str) -> dict[str, Any]:
    """What callers of a service of a store of two versions saw. The store is changed: hand in a copy."""
    versions = Store(models).versions()[:2]
    request = requests(load_model(models / "versions" / versions[0]).catalogue.movie_ids)
    point_to(models, versions[0])
    with drilled(models, log, *options) as server:
        expected: dict[str, Answer] = {}
        for version in versions:
            point_to(models, version)
            if wait_until(lambda version=version: server.version() == version, LONGEST_SECONDS) is None:  # type: ignore[misc]
                raise SystemExit(f"version {version} isn't served; the log is {log}")
            expected[version] = server.answer(request)
        steady = asked(server, request, callers, lambda: time.sleep(max(2.0, reloads * pause_seconds / 4)))
        waited: list[float | None] = []
        memory: list[int] = []

        def reload() -> None:
            for number in range(reloads):
                version = versions[number % 2]
                point_to(models, version)
                waited.append(wait_until(lambda: server.version() == version, LONGEST_SECONDS))  # noqa: B023
                memory.append(server.resident_bytes())
                time.sleep(pause_seconds)

        heard = asked(server, request, callers, reload)
    served = sorted(seconds for seconds in waited if seconds is not None)
    wrong = [version for version, seen in heard.answers.items() if seen != {expected[version][1]}]
    return {
        "reloads": reloads,
        "calls": len(heard.seconds),
        "failed": heard.failed,
        "versions_heard": len(heard.answers),
        "versions_answer_differently": len({answer for _, answer in expected.values()}),
        "versions_with_a_wrong_answer": wrong,
        "not_served_in_time": waited.count(None),
        "seconds_until_served": {"median": _at(served, 50), "worst": _at(served, 100)},
        "call_milliseconds": {
            "steady": {"p50": _at(steady.seconds, 50, 1e3), "p99": _at(steady.seconds, 99, 1e3)},
            "reloading": {"p50": _at(heard.seconds, 50, 1e3), "p99": _at(heard.seconds, 99, 1e3)},
            "p99_ratio": round(_at(heard.seconds, 99, 1e3) / _at(steady.seconds, 99, 1e3), 2),
        },
        "megabytes_a_reload": round(_slope(memory) / 1e6, 4),
    }


def asked(server: Drilled, request: pb.PredictEnjoymentRequest, callers: int, work: Any) -> Heard:
    """The responses to callers that ask without pause during the work."""
    heard, done, lock = Heard(), threading.Event(), threading.Lock()

    def ask() -> None:
        while not done.is_set():
            began = time.perf_counter()
            try:
                version, values = numbers(server.served.stub.PredictEnjoyment(request, timeout=10))
            except grpc.RpcError as error:
                heard.failed.append(error.code().name)
                continue
            with lock:
                heard.seconds.append(time.perf_counter() - began)
                heard.answers.setdefault(version, set()).add(values)

    threads = [threading.Thread(target=ask) for _ in range(callers)]
    for thread in threads:
        thread.start()
    try:
        work()
    finally:
        done.set()
        for thread in threads:
            thread.join()
    return heard


def _at(values: Sequence[float], percent: float, unit: float = 1.0) -> float:
    return round(float(np.percentile(values, percent)) * unit, 3)


def _slope(memory: Sequence[int]) -> float:
    """Bytes that each reload adds, over the second half, when all that is kept for good has been made."""
    half = np.asarray(memory[len(memory) // 2 :], float)
    return float(np.polyfit(np.arange(len(half)), half, 1)[0]) if len(half) > 1 else 0.0


def main(arguments: Sequence[str]) -> int:
    """Print what happened; 1 if a call failed or was wrong."""
    parser = argparse.ArgumentParser("python -m benchmarks.drills.reload", description="Reloads under load.")
    parser.add_argument("--models", type=Path, required=True, help="a store of two versions; it is copied")
    parser.add_argument("--reloads", type=int, default=100, help="how often the versions change places (default 100)")
    parser.add_argument("--callers", type=int, default=2, help="how many ask at once (default 2)")
    parser.add_argument("--pause-seconds", type=float, default=0.2, help="between two reloads (default 0.2)")
    parser.add_argument("--workers", type=int, default=1, help="worker processes (default 1)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        models = shutil.copytree(options.models, Path(folder) / "models")
        report = drill(
            models,
            options.reloads,
            options.callers,
            options.pause_seconds,
            Path(folder) / "log",
            "--workers",
            str(options.workers),
        )
    print(json.dumps(report, indent=1))
    return 1 if report["failed"] or report["versions_with_a_wrong_answer"] or report["not_served_in_time"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
