"""`python -m benchmarks.speed.sizes --models SMALL LARGE`: the service with models of several sizes, in one run.

Prints as JSON the start, calls a second, rankings of all movies, and the memory (PSS) that a second worker adds.
"""

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.contenders import Contender, on_core, seconds_to_serving, service
from benchmarks.speed.h2load import SPREAD, calls_a_second
from benchmarks.speed.more import ranking_latencies
from benchmarks.speed.processor import family
from benchmarks.speed.question import Question, question_of
from benchmarks.speed.turns import take_turns
from model.artifact.artifact import load_model
from model.prediction.model import Model
from model.store.store import Store

STARTS = 3
MEGABYTE = 1e6


def main() -> int:
    """Measure and print; 0 unless a service answers wrong, which ends with an exception."""
    parser = argparse.ArgumentParser("python -m benchmarks.speed.sizes", description=__doc__)
    parser.add_argument(
        "--models", type=Path, nargs="+", required=True, help="folders of published models; the first is compared with"
    )
    parser.add_argument("--rounds", type=int, default=7, help="how often each is measured in turn (default 7)")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each time (default 3)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="coldstart-bench-") as folder:
        print(json.dumps(of_sizes(arguments.models, Path(folder), arguments.rounds, arguments.seconds), indent=2))
    return 0


def of_sizes(places: list[Path], folder: Path, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Return the figures of the service with the models of each folder, in turn; ratios are to the first folder's."""
    models = [_current(place) for place in places]
    questions = [question_of(model, 0) for model in models]
    figures: list[dict[str, Any]] = [{"movies": len(model.catalogue)} for model in models]
    for own, place in zip(figures, places, strict=True):
        own["start_seconds"] = float(np.median([seconds_to_serving(place, folder, ()) for _ in range(STARTS)]))
    with ExitStack() as running:
        contenders: list[Contender] = []
        rankings = []
        for number, (place, model, question) in enumerate(zip(places, models, questions, strict=True)):
            contender, served = running.enter_context(service(place, folder, question, on_core(0)))
            contenders.append(replace(contender, name=str(number)))
            rankings.append(ranking_latencies(model, served.stub, question.request.member))
        rates, _ = take_turns(contenders, on_core(1), rounds, seconds)
    for number, (own, ranking) in enumerate(zip(figures, rankings, strict=True)):
        own["calls_a_second"] = float(np.median(rates[str(number)]))
        own["calls_ratio"] = float(np.median(np.array(rates[str(number)]) / np.array(rates["0"])))
        own["ranking_p50_ms"] = float(np.median(ranking))
        own["ranking_ratio"] = float(np.median(ranking) / np.median(rankings[0]))
    for own, place, question in zip(figures, places, questions, strict=True):
        memory = [_megabytes(place, folder, question, workers, seconds) for workers in (1, 2)]
        own["pss_megabytes"] = {"one worker": memory[0], "a second worker adds": memory[1] - memory[0]}
    return figures


def _current(place: Path) -> Model:
    store = Store(place)
    version = store.current()
    if version is None:
        raise SystemExit(f"no model is published in {place}")
    return load_model(store.folder(version))


def _megabytes(place: Path, folder: Path, question: Question, workers: int, seconds: float) -> float:
    """Return the proportional set size of all processes of a service whose workers have all been asked."""
    with service(place, folder, question, (), workers) as (ours, _):
        calls_a_second([], ours.port, ours.method, ours.message, SPREAD, seconds)
        return sum(_pss(process) for process in family(ours.process))


def _pss(process: int) -> float:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    [kibibytes] = [int(line.split()[1]) for line in lines if line.startswith("Pss:")]
    return kibibytes * 1024 / MEGABYTE


if __name__ == "__main__":
    sys.exit(main())
