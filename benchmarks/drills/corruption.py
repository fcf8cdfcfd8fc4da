"""`python -m benchmarks.drills.corruption`: every wrong version against one running service; prints JSON.

Before each, the service serves the good version; the wrong one is put beside it and the pointer moved. The service has
to say in its metrics that it refused it, to go on living and to answer exactly as before.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.drills.corruptions import Case, cases, make
from benchmarks.drills.server import Drilled, drilled, point_to, requests, wait_until
from model.artifact.artifact import load_model
from model.store.store import Store

LONGEST_SECONDS = 90.0


def drill(models: Path, chosen: Sequence[Case], log: Path, *options: str) -> dict[str, Any]:
    """What a service of a store did with each case. The store is changed: hand in a copy."""
    good = Store(models).current()
    if good is None:
        raise SystemExit("the store has no version that serves")
    folder = models / "versions" / good
    request = requests(load_model(folder).catalogue.movie_ids)
    seconds: list[float] = []
    faults: list[str] = []
    with drilled(models, log, *options) as server:
        expected = server.answer(request)
        for number, case in enumerate(chosen):
            fault, waited = _one(server, models, folder, case, number, lambda: server.answer(request) == expected)
            seconds += [waited] if waited is not None else []
            faults += [f"{case.name}: {fault}"] if fault else []
            if server.process.poll() is not None:
                faults.append(f"{case.name}: the service died")
                break
        point_to(models, good)
        reasons = {
            reason: int(server.metric("coldstart_model_refusals_total", model="current", reason=reason))
            for reason in ("missing", "damaged", "unsafe", "format", "unsigned", "content", "trees", "trial", "other")
        }
    ordered = sorted(seconds)
    return {
        "cases": len(chosen),
        "kinds": Counter("manifest fits" if case.sealed else "hash differs" for case in chosen),
        "faults": faults,
        "refusals_by_reason": reasons,
        "seconds_until_in_metrics": {
            "median": round(ordered[len(ordered) // 2], 3), "worst": round(ordered[-1], 3),
            "beyond_2": sum(one > 2 for one in ordered),
        },
    }  # fmt: skip


def _one(
    server: Drilled, models: Path, good: Path, case: Case, number: int, answers: Any
) -> tuple[str | None, float | None]:
    """What was wrong, and how long it took until the metrics told of the refusal."""
    name, labels = "coldstart_model_refusals_total", {"model": "current"}
    version = make(case, good, models / "versions", number)
    before, loaded = server.metric(name, **labels), server.metric("coldstart_model_loads_total", result="loaded")
    point_to(models, version)
    waited = wait_until(
        lambda: server.process.poll() is None and server.metric(name, **labels) > before, LONGEST_SECONDS
    )
    fault = None
    if waited is None:
        fault = "no refusal in the metrics"
    elif server.metric("coldstart_model_loads_total", result="loaded") > loaded:
        fault = "it was loaded"
    elif not answers():
        fault = "the answer is another one"
    point_to(
        models, good.name
    )  # and wait until the service has seen it, so that no try of this case counts for the next
    wait_until(lambda: server.metric("coldstart_model_behind", model="current") == 0, LONGEST_SECONDS)
    shutil.rmtree(models / "versions" / version)
    return fault, waited


def main(arguments: Sequence[str]) -> int:
    """Print what happened; 1 if anything bad did."""
    parser = argparse.ArgumentParser("python -m benchmarks.drills.corruption", description="Wrong versions.")
    parser.add_argument("--models", type=Path, required=True, help="a store with a version that serves; it is copied")
    parser.add_argument("--workers", type=int, default=1, help="worker processes (default 1)")
    told = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        models = shutil.copytree(told.models, Path(folder) / "models")
        found = drill(models, cases(), Path(folder) / "log", "--reload-seconds", "0.1", "--workers", str(told.workers))
    print(json.dumps(found, indent=1))
    return 1 if found["faults"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
