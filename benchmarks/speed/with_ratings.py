"""`python -m benchmarks.speed.with_ratings`: what ratings in requests cost, beside as many plays, as JSON."""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.served import Served
from benchmarks.speed.contenders import PREDICT, Contender, WrongAnswer, on_core, service
from benchmarks.speed.question import question_of
from benchmarks.speed.turns import take_turns
from model.artifact.artifact import load_model
from model.prediction.model import Model
from model.store.store import Store

PLAYS, RATINGS = "40 plays", "30 plays and 10 ratings"
FACTS = {PLAYS: (40, 0), RATINGS: (30, 10)}
"""Numbers of plays and ratings in each of the two requests, for 20 movies."""


def main() -> int:
    """Measure and print; 0 unless the service answers wrong, which ends with an exception."""
    parser = argparse.ArgumentParser("python -m benchmarks.speed.with_ratings", description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="a folder of published models")
    parser.add_argument("--rounds", type=int, default=9, help="how often each request is measured in turn (default 9)")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each time (default 3)")
    arguments = parser.parse_args()
    store = Store(arguments.models)
    version = store.current()
    if version is None:
        print("no model is published there", file=sys.stderr)
        return 1
    model = load_model(store.folder(version))
    with (
        tempfile.TemporaryDirectory(prefix="coldstart-bench-") as folder,
        service(arguments.models, Path(folder), question_of(model, 0), on_core(0)) as (_, served),
    ):
        print(json.dumps(cost_of_ratings(model, served, on_core(1), arguments.rounds, arguments.seconds), indent=2))
    return 0


def cost_of_ratings(model: Model, served: Served, load: list[str], rounds: int, seconds: float) -> dict[str, Any]:
    """Calls a second of both requests to the same service, and the median of their ratios over the rounds.

    Raises WrongAnswer if the service predicts other than the model in this process.
    """
    contenders = []
    for name, (plays, ratings) in FACTS.items():
        question = question_of(model, 0, plays, ratings)
        if served.stub.PredictEnjoyment(question.request) != question.answer:
            raise WrongAnswer("the service answers other than the model does")
        message = question.request.SerializeToString()
        contenders.append(Contender(name, served.port, PREDICT, message, served.process.pid))
    rates, costs = take_turns(contenders, load, rounds, seconds)
    return {
        name: {
            "calls_a_second": float(np.median(rates[name])),
            "processor_microseconds_a_call": float(np.median(costs[name])),
        }
        for name in FACTS
    } | {
        "ratio": float(np.median(np.array(rates[RATINGS]) / np.array(rates[PLAYS]))),
        "ratio_by_processor_time": float(np.median(np.array(costs[PLAYS]) / np.array(costs[RATINGS]))),
    }


if __name__ == "__main__":
    sys.exit(main())
