"""`python -m benchmarks.raters`: raters of the training set, asked by id for ratings kept out of everything.

A tenth of the ratings of MovieLens 1M, drawn at random, is in no table: neither as ratings nor as plays. A model is
trained on the others and served, and each rater is asked about by id alone, so that the ratings published with the
model count. Prints one JSON object: the protocol's scores, those by number of published ratings, and those of myFM,
trained on the same ratings, attributes and descriptions.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.accuracy import BESIDE, say, training
from benchmarks.peers.run import PYTHON, scored
from benchmarks.served import asked_by_id, serving
from model.prediction.calibration import PLAY_BINS

KEPT_OUT = 0.1
"""Share of the ratings that is kept out."""


def main() -> int:
    """Print the scores as one JSON object."""
    parser = argparse.ArgumentParser("python -m benchmarks.raters", description=__doc__)
    parser.add_argument("--data", type=Path, default=BESIDE / "data" / "ml-1m", help="an unpacked MovieLens release")
    parser.add_argument("--protocol", type=Path, default=BESIDE / "protocol" / "never_rater.py", help="its script")
    parser.add_argument("--seed", type=int, default=0, help="seed of what is kept out, and of the training (default 0)")
    parser.add_argument("--settings", type=Path, help="a settings file for the retrain; else the defaults")
    parser.add_argument("--python", type=Path, default=PYTHON, help="the interpreter of the peers' environment")
    parser.add_argument("--keep", type=Path, help="work in this new folder, and leave it; else in a temporary one")
    arguments = parser.parse_args()
    for path in (arguments.data, arguments.protocol):
        if not path.exists():
            print(json.dumps({"skipped": f"{path.name} isn't beside the project"}))
            return 0
    if arguments.keep:
        arguments.keep.mkdir(parents=True)
        print(json.dumps(measured(arguments, arguments.keep), indent=2))
        return 0
    with tempfile.TemporaryDirectory(prefix="coldstart-raters-") as folder:
        print(json.dumps(measured(arguments, Path(folder)), indent=2))
    return 0


def measured(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Scores of coldstart, and of myFM if its environment is there."""
    training("import", "movielens", str(arguments.data), "--out", str(folder / "data"))
    keep_out(folder / "data", folder, arguments.seed)
    options = ["--seed", str(arguments.seed), "--gate-share", "0"]  # every rater is trained on
    if arguments.settings:
        options += ["--settings", str(arguments.settings)]
    seconds, _ = training("retrain", "--data", str(folder / "data"), "--models", str(folder / "models"), *options)
    say(f"trained in {seconds:.0f} s")
    targets = pl.read_parquet(folder / "targets.parquet")
    movies = targets.group_by("member_id", maintain_order=True).agg("movie_id")
    with serving(folder / "models", folder / "server.log") as server:
        predictions = server.predict_all(*asked_by_id(dict(movies.iter_rows())))
    predictions.write_parquet(folder / "predictions.parquet")
    ours = scored(arguments.protocol, folder, folder / "predictions.parquet")
    say(f"coldstart: RMSE {ours['rmse']:.4f}, coverage {ours['coverage']:.2%}")
    report = {"coldstart": ours, "by_ratings": by_ratings(folder, targets, predictions)}
    return report | {"myfm": list(of_myfm(arguments, folder)) if arguments.python.exists() else "isn't installed"}


def keep_out(data: Path, folder: Path, seed: int) -> None:
    """Move a tenth of the ratings from a data directory to targets.parquet."""
    ratings = pl.read_parquet(data / "ratings.parquet").sort("member_id", "movie_id")
    is_target = pl.Series(np.random.default_rng(seed).random(len(ratings)) < KEPT_OUT)
    ratings.filter(is_target).select("member_id", "movie_id", "rating").write_parquet(folder / "targets.parquet")
    ratings.filter(~is_target).write_parquet(data / "ratings.parquet")


def by_ratings(folder: Path, targets: pl.DataFrame, predictions: pl.DataFrame) -> dict[str, dict[str, float]]:
    """RMSE, coverage and mean width of intervals, by the least number of published ratings of a bin."""
    counts = pl.read_parquet(folder / "data" / "ratings.parquet").group_by("member_id").len("ratings")
    rows = targets.join(predictions, on=["member_id", "movie_id"], suffix="_predicted").join(counts, on="member_id")
    edges = pl.Series([int(edge) for edge in PLAY_BINS])
    from_ = edges.gather(edges.search_sorted(rows["ratings"], "right") - 1)
    inside = (pl.col("rating") >= pl.col("lower")) & (pl.col("rating") <= pl.col("upper"))
    scores = rows.with_columns(from_.alias("from")).group_by("from").agg(
        pl.len().alias("targets"),
        ((pl.col("rating") - pl.col("rating_predicted")) ** 2).mean().sqrt().alias("rmse"),
        inside.mean().alias("coverage"),
        (pl.col("upper") - pl.col("lower")).mean().alias("width"),
    )  # fmt: skip
    return {str(row.pop("from")): row for row in scores.sort("from").iter_rows(named=True)}


def of_myfm(arguments: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Scores of every setting of myFM."""
    say("myFM: every setting")
    command = [
        str(arguments.python), "-m", "benchmarks.peers.raters_by_myfm", "--split", str(folder), "--out", str(folder),
    ]  # fmt: skip
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    runs = [json.loads(line) for line in ran.stdout.splitlines()]
    return [run | {"rmse": scored(arguments.protocol, folder, Path(run["predictions"]))["rmse"]} for run in runs]


if __name__ == "__main__":
    sys.exit(main())
