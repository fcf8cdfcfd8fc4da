"""Drill: the most frequent incidents, and whether a real Prometheus fires the alert for each. Prints one JSON object.

Windows and `for` durations of the rules are divided by sixty; thresholds are the shipped ones.
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import grpc

from benchmarks.drills.prometheus import Prometheus, prometheus
from benchmarks.drills.server import Drilled, drilled, point_to
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc
from model.store.job_status import RetrainStatus, read_status, write_status
from model.store.store import Store

FIRED_SECONDS = 240
CALLERS = 48
DRIFTED = 1_500
MISSED_SECONDS = 30 * 3600
TIGHT = ("--least-in-flight", "1", "--most-in-flight", "2", "--queue-calls", "2", "--workers", "1")
"""Limits that a few callers can exceed."""


def drill(models: Path) -> dict[str, Any]:
    """Each cause on a healthy service, and which alerts then fired within how many seconds."""
    return {"drill": "alerts", **{name: _one(models, *arguments) for name, arguments in DRILLS.items()}}


def _one(models: Path, alert: str, cause: Callable[[Drilled, Path], Any], options: tuple[str, ...]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = shutil.copytree(models, folder / "models")
        with (
            drilled(own, folder / "log", "--outcomes", str(folder / "outcomes"), *options) as server,
            prometheus(folder, server.served.metrics_port) as asked,
        ):
            _calls(server)
            time.sleep(8)  # some evaluations of all rules
            before = asked.firing()
            began = time.monotonic()
            with cause(server, own) or nullcontext():
                fired = _fired(asked, alert)
                return {
                    "alert": alert, "fired_before": sorted(before), "fired": fired,
                    "seconds": round(time.monotonic() - began, 1), "all_that_fire": sorted(asked.firing()),
                }  # fmt: skip


def _fired(asked: Prometheus, alert: str) -> bool:
    end = time.monotonic() + FIRED_SECONDS
    while time.monotonic() < end:
        if alert in asked.firing():
            return True
        time.sleep(0.5)
    return False


def _calls(server: Drilled) -> None:
    for _ in range(20):
        server.served.stub.PredictEnjoyment(pb.PredictEnjoymentRequest(movie_ids=["movie-001"]), timeout=10)


def stop_the_retrain(_: Drilled, models: Path) -> None:
    """The newest version becomes one of the day before yesterday, when the job ran last."""
    written, store = time.time() - MISSED_SECONDS, Store(models)
    if last := read_status(store, RetrainStatus):
        write_status(store, last.model_copy(update={"finished_at": written}))
    for manifest in models.glob("versions/*/manifest.json"):
        os.utime(manifest, (written, written))


def break_a_model(_: Drilled, models: Path) -> None:
    """A version is published whose forest isn't whole."""
    [good] = [path for path in models.glob("versions/*") if path.name == (models / "current").read_text().strip()]
    broken = good.with_name("0123456789ab")
    shutil.copytree(good, broken)
    (broken / "trees.txt").write_text("tree")
    point_to(models, broken.name)


@contextmanager
def overload(server: Drilled, _: Path) -> Iterator[None]:
    """Many callers ask for rankings at once, on and on, and don't try again."""
    stopping = threading.Event()

    def call_on() -> None:
        options = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(f"127.0.0.1:{server.served.port}", options) as channel:
            stub = pb_grpc.EnjoymentServiceStub(channel)
            while not stopping.is_set():
                with suppress(grpc.RpcError):
                    stub.RankMovies(pb.RankMoviesRequest(page_size=1000), timeout=5)

    with ThreadPoolExecutor(CALLERS) as threads:
        for _number in range(CALLERS):
            threads.submit(call_on)
        try:
            yield
        finally:
            stopping.set()


def shift_the_inputs(server: Drilled, _: Path) -> None:
    """All members are of one age."""
    [numeric] = [
        attribute.name
        for attribute in server.served.stub.GetModel(pb.GetModelRequest()).member_attributes
        if attribute.kind == pb.ATTRIBUTE_KIND_NUMERIC
    ][:1]
    member = pb.Member()
    member.attributes[numeric].number = 99
    request = pb.PredictEnjoymentRequest(member=member, movie_ids=["movie-001"])
    for _answer in server.served.stub.StreamPredictEnjoyment(request for _ in range(DRIFTED)):
        pass


@contextmanager
def send_bad_outcomes(server: Drilled, _: Path) -> Iterator[None]:
    """Ratings that are as far from what was shown as the scale allows, or within the interval now and then."""
    scale = server.served.stub.GetModel(pb.GetModelRequest()).scale
    chance, stopping = random.Random(0), threading.Event()  # noqa: S311
    shown = pb.ShownPrediction(
        prediction=pb.Prediction(
            rating=scale.high, lower=(scale.low + scale.high) / 2, upper=scale.high, probability_enjoyed=0.9
        ),
        member_evidence=pb.MEMBER_EVIDENCE_PLAYS,
        model_version=server.version(),
    )

    def send() -> None:
        while not stopping.is_set():
            rating = scale.low if chance.random() < 0.6 else scale.high
            server.served.stub.RecordOutcome(
                pb.RecordOutcomeRequest(
                    request_id=str(uuid.uuid4()), member_id="m", movie_id="movie-001", rating=rating, shown=shown
                ),
                timeout=10,
            )
            stopping.wait(0.01)

    sending = threading.Thread(target=send)
    sending.start()
    try:
        yield
    finally:
        stopping.set()
        sending.join()


DRILLS: dict[str, tuple[str, Callable[[Drilled, Path], Any], tuple[str, ...]]] = {
    "stop the retrain": ("ColdstartRetrainMissed", stop_the_retrain, ()),
    "break a model": ("ColdstartReloadFailing", break_a_model, ()),
    "overload": ("ColdstartShedding", overload, TIGHT),
    "shift the inputs": ("ColdstartInputDrift", shift_the_inputs, ()),
    "send bad outcomes": ("ColdstartCoverageLow", send_bad_outcomes, ()),
    "send outcomes worse than means": ("ColdstartWorseThanMovieMean", send_bad_outcomes, ()),
}


def main() -> int:
    """Read the options, run the drill and print what fired; 1 where an alert didn't, or did without a cause."""
    parser = argparse.ArgumentParser("python -m benchmarks.drills.alerts", description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="the folder of models")
    arguments = parser.parse_args()
    seen = drill(arguments.models)
    print(json.dumps(seen))
    outcomes = [outcome for outcome in seen.values() if isinstance(outcome, dict)]
    return int(not all(outcome["fired"] and not outcome["fired_before"] for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
