"""Drill: a bad version serves, members rate, and the guard goes back while callers call on. Prints one JSON object.

The guard is started with a clock that is an hour late, since members count once their first hour is over.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.drills.reload import LONGEST_SECONDS, asked
from benchmarks.drills.server import Drilled, drilled, requests, wait_until
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.artifact.artifact import load_model
from model.store.label_log import Reason
from model.store.store import Store
from training.versions.guard.guard import look
from training.versions.guard.guard_settings import GuardSettings
from training.versions.guard.replay import SESSION_SECONDS


def publish_upside_down(data: Path, models: Path, folder: Path) -> None:
    """Publish a version by force that learned from the ratings turned upside down."""
    turned = shutil.copytree(data, folder / "upside-down")
    ratings = pl.read_parquet(turned / "ratings.parquet")
    low, high = ratings["rating"].min(), ratings["rating"].max()
    ratings.with_columns(rating=pl.lit(low) + pl.lit(high) - pl.col("rating")).write_parquet(turned / "ratings.parquet")
    command = [sys.executable, "-m", "training", "retrain", "--data", str(turned), "--models", str(models), "--force"]
    subprocess.run(command, check=True, capture_output=True)


def drill(data: Path, models: Path, members: int, callers: int) -> dict[str, Any]:
    """Record five ratings of so many members while a bad version serves, let the guard look; what callers saw."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store, outcomes = Store(shutil.copytree(models, folder / "models")), folder / "outcomes"
        good = store.current()
        publish_upside_down(data, store.root, folder)
        bad = store.current()
        request = requests(load_model(store.folder(str(bad))).catalogue.movie_ids)
        ratings = pl.read_parquet(data / "ratings.parquet").group_by("member_id", maintain_order=True).head(5)
        ratings = ratings.filter(pl.col("member_id").is_in(ratings["member_id"].unique().sort()[:members].implode()))
        report: dict[str, Any] = {"drill": "guard", "outcomes": len(ratings)}
        with drilled(store.root, folder / "log", "--outcomes", str(outcomes), "--workers", "1") as server:

            def go_back() -> None:
                _rate(server, ratings)
                later = time.time() + SESSION_SECONDS
                seen = look(store, outcomes, GuardSettings(), later, lambda why: Reason("drill", why=why))
                waited = wait_until(lambda: server.version() == good, LONGEST_SECONDS)
                report.update(guard=seen.summary, outcomes_needed=seen.status.outcomes, seconds_until_served=waited)
                time.sleep(1)

            heard = asked(server, request, callers, go_back)
            report |= {
                "calls": len(heard.seconds), "calls_failed": len(heard.failed),
                "answered_by_both": set(heard.answers) == {good, bad}, "went_back": server.version() == good,
            }  # fmt: skip
    return report


def _rate(server: Drilled, ratings: pl.DataFrame) -> None:
    """Record that members rated as they did in the data."""
    for number, (member_id, movie_id, rating) in enumerate(ratings.select("member_id", "movie_id", "rating").rows()):
        request = pb.RecordOutcomeRequest(
            request_id=str(number), member_id=member_id, movie_id=movie_id, rating=rating
        )  # fmt: skip
        server.served.stub.RecordOutcome(request, timeout=10)


def main() -> int:
    """Read the options, run the drill and print what it measured; 1 if a call was lost or the version stayed."""
    parser = argparse.ArgumentParser("python -m benchmarks.drills.guard", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a data directory as `training sample` writes it")
    parser.add_argument("--models", type=Path, required=True, help="a store with a model of it; it is copied")
    parser.add_argument("--members", type=int, default=200, help="members who rate [default: 200]")
    parser.add_argument("--callers", type=int, default=4, help="callers at once [default: 4]")
    arguments = parser.parse_args()
    report = drill(arguments.data, arguments.models, arguments.members, arguments.callers)
    print(json.dumps(report))
    return int(bool(report["calls_failed"]) or not report["went_back"])


if __name__ == "__main__":
    sys.exit(main())
