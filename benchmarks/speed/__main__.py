"""`make bench`: the speed of the service beside an echo server and MLServer's LightGBM runtime, as a table and JSON."""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.contenders import Contender, echo, mlserver, on_core, seconds_to_serving, service
from benchmarks.speed.h2load import SPREAD, calls_a_second, latencies
from benchmarks.speed.more import predictions_a_second, ranking_latencies
from benchmarks.speed.processor import processor_seconds
from benchmarks.speed.question import Question, question_of, trees_alone
from benchmarks.speed.turns import WARM_UP_SECONDS, take_turns
from benchmarks.speed.with_ratings import cost_of_ratings
from benchmarks.tables import plain_table
from model.artifact.artifact import load_model
from model.prediction.model import Model
from model.store.store import Store

ENVIRONMENT = Path(".venv-mlserver")
"""Where `make bench-mlserver` installs MLServer."""
SERVERS, LOAD = 0, 1
"""The cores of the servers and of what asks them."""
LOOPS = ("asyncio", "uvloop")
"""The echo server runs on Python's own event loop and on the service's."""
STARTS = 3


def main() -> int:
    """Measure and print; 0 unless a contender answers wrong, which ends with an exception."""
    parser = argparse.ArgumentParser("python -m benchmarks.speed", description=__doc__)
    parser.add_argument(
        "--models", type=Path, required=True, help="a folder of published models; `current` is measured"
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each server is measured in turn (default 5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each time (default 3)")
    parser.add_argument("--calls", type=int, default=2000, help="calls one at a time (default 2000)")
    parser.add_argument("--out", type=Path, help="a file for the figures as JSON")
    arguments = parser.parse_args()
    store = Store(arguments.models)
    version = store.current()
    if version is None:
        print("no model is published there", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="coldstart-bench-") as folder:
        figures = measured(arguments, store.folder(version), load_model(store.folder(version)), Path(folder))
    show(figures)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def measured(arguments: argparse.Namespace, version: Path, model: Model, folder: Path) -> dict[str, Any]:
    """All figures."""
    question = question_of(model, seed=0)
    figures: dict[str, Any] = {"model_version": model.version, "movies": len(model.catalogue)}
    servers, load = on_core(SERVERS), on_core(LOAD)
    figures["start_seconds"] = [seconds_to_serving(arguments.models, folder, servers) for _ in range(STARTS)]
    with ExitStack() as running:
        contenders = [running.enter_context(echo(folder, question, servers, loop)) for loop in LOOPS]
        ours, served = running.enter_context(service(arguments.models, folder, question, servers))
        contenders.append(ours)
        if (ENVIRONMENT / "bin" / "mlserver").exists():
            trees = running.enter_context(
                mlserver(ENVIRONMENT.resolve(), folder, version / "trees.txt", *trees_alone(model, question), servers)
            )
            contenders.append(trees)
        else:
            print("MLServer isn't installed, and left out: make bench-mlserver", file=sys.stderr)
        before = served.answered()
        figures["saturated"], calls = saturated(contenders, load, arguments.rounds, arguments.seconds)
        if served.answered() - before < calls:
            raise RuntimeError("the service refused calls that h2load took for answers")
        figures["ratings"] = cost_of_ratings(model, served, load, arguments.rounds, arguments.seconds)
        figures["one_at_a_time"] = {
            each.name: percentiles(latencies(load, each.port, each.method, each.message, arguments.calls))
            for each in contenders
        }
        figures["ranking"] = percentiles(ranking_latencies(model, served.stub, question.request.member))
        figures["streaming_predictions_a_second"] = predictions_a_second(model, served.port, arguments.seconds)
    figures["workers"] = {str(workers): of_workers(arguments, folder, question, workers) for workers in (1, 2)}
    return figures


def of_workers(arguments: argparse.Namespace, folder: Path, question: Question, workers: int) -> dict[str, float]:
    """Calls a second of several workers on all cores, which they share with the load generator."""
    rates, costs = [], []
    with service(arguments.models, folder, question, (), workers) as (ours, _):
        for _ in range(arguments.rounds):
            before = processor_seconds(ours.process)
            rate = calls_a_second([], ours.port, ours.method, ours.message, SPREAD, arguments.seconds)
            rates.append(rate)
            costs.append((processor_seconds(ours.process) - before) / (rate * (arguments.seconds + WARM_UP_SECONDS)))
    return {
        "calls_a_second": float(np.median(rates)),
        "processor_microseconds_a_call": float(np.median(costs) * 1e6),
    }


def saturated(
    contenders: Sequence[Contender], load: list[str], rounds: int, seconds: float
) -> tuple[dict[str, Any], int]:
    """For each contender, and the calls that the service must have answered.

    The contenders take turns, so that what else the machine does harms all alike; ratios are medians over the rounds.
    """
    rates, costs = take_turns(contenders, load, rounds, seconds)
    ours = np.array(rates["coldstart"])
    report: dict[str, Any] = {
        name: {
            "calls_a_second": float(np.median(rates[name])),
            "processor_microseconds_a_call": float(np.median(costs[name])),
            "coldstart_against_it": float(np.median(ours / np.array(rates[name]))),
            "coldstart_against_it_by_processor_time": float(
                np.median(np.array(costs[name]) / np.array(costs["coldstart"]))
            ),
        }
        for name in rates
    }
    return report, int(ours.sum() * seconds)


def percentiles(milliseconds: np.ndarray) -> dict[str, float]:
    """The middle and the end of the distribution."""
    return {f"p{place}_ms": float(np.percentile(milliseconds, place)) for place in (50, 90, 99)}


def show(figures: dict[str, Any]) -> None:
    """One table, and the figures that have no place in it."""
    titles = ("server", "calls/s", "CPU us/call", "coldstart against it", "by CPU", "p50 ms", "p99 ms")
    rows = []
    for name, each in figures["saturated"].items():
        alone = figures["one_at_a_time"][name]
        rows.append((name, *each.values(), alone["p50_ms"], alone["p99_ms"]))
    print(plain_table(titles, rows))
    print(f"  30 plays and 10 ratings against 40 plays: {figures['ratings']['ratio']:.2f} of the calls a second")
    print(f"  RankMovies, {figures['movies']:,} movies, best 20: p50 {figures['ranking']['p50_ms']:.2f} ms")
    print(f"  streaming: {figures['streaming_predictions_a_second']:,.0f} predictions a second")
    for workers, each in figures["workers"].items():
        rate, cost = each["calls_a_second"], each["processor_microseconds_a_call"]
        print(f"  {workers} worker(s) on all cores: {rate:,.0f} calls a second, {cost:.0f} us of processor time each")
    print(f"  start to SERVING: {np.median(figures['start_seconds']):.2f} s")


if __name__ == "__main__":
    sys.exit(main())
