"""`make accuracy`: the never-rater protocol on MovieLens 1M, through a retrained and served model."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.served import asked_by_id, serving
from coldstart_client.v1 import enjoyment_service_pb2 as pb

Array = NDArray[np.float64]

BESIDE = Path(__file__).parents[2] / "shared"
"""Where the data set and the protocol are, if they are there: their terms forbid to keep them in the project."""
EVIDENCE = ("plays", "attributes", "plays-only", "nothing")
WITH_PLAYS = ("plays", "plays-only")
KIB_PER_GIB = 1024**2
RATIO, RATIO_ERROR = "rmse_ratio", "rmse_ratio_error"
"""Scores with ratings: the RMSE divided by that without, and the standard error of this."""
RESAMPLES = 500
"""Number of times that members are drawn with replacement, for a standard error."""


def main() -> int:
    """Print the scores of every split and kind of evidence as one JSON object."""
    parser = argparse.ArgumentParser("python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--data", type=Path, default=BESIDE / "data" / "ml-1m", help="an unpacked MovieLens release")
    parser.add_argument("--protocol", type=Path, default=BESIDE / "protocol" / "never_rater.py", help="its script")
    parser.add_argument("--splits", type=int, nargs="+", default=[0], help="folds of members to hold out (default 0)")
    parser.add_argument("--evidence", nargs="+", choices=EVIDENCE, default=EVIDENCE, help="what is known (default all)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the training (default 0)")
    parser.add_argument(
        "--one-model", action="store_true",
        help="train once a split, on the data that shows plays and attributes, and ask with facts in the requests",
    )  # fmt: skip
    parser.add_argument(
        "--shown-ratings", nargs="+", default=[], metavar="N",
        help="ask also with so many ratings of each member in the requests, numbers or all, for evidence with plays",
    )  # fmt: skip
    parser.add_argument("--keep", type=Path, help="work in this new folder, and leave it; else in a temporary one")
    arguments = parser.parse_args()
    for path in (arguments.data, arguments.protocol):
        if not path.exists():
            print(json.dumps({"skipped": f"{path.name} isn't beside the project"}))
            return 0
    if arguments.keep:
        arguments.keep.mkdir(parents=True)
        print(json.dumps(scores_of_all(arguments, arguments.keep), indent=2))
        return 0
    with tempfile.TemporaryDirectory(prefix="coldstart-accuracy-") as folder:
        print(json.dumps(scores_of_all(arguments, Path(folder)), indent=2))
    return 0


def scores_of_all(arguments: argparse.Namespace, folder: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Scores by split and evidence, and where there are several splits their means weighed by targets."""
    data = folder / "data"
    training("import", "movielens", str(arguments.data), "--out", str(data))
    scores: dict[str, dict[str, dict[str, float]]] = {str(split): {} for split in arguments.splits}
    for split in arguments.splits:
        run = Run(arguments, data, folder, split)
        for evidence in arguments.evidence:
            scores[str(split)][evidence] = (
                run.scores_by_facts(evidence) if arguments.one_model else run.scores(evidence)
            )
            for shown in arguments.shown_ratings if evidence in WITH_PLAYS else ():
                name = f"{evidence}, {shown} ratings"
                scores[str(split)][name] = run.scores_by_facts(evidence, shown)
    if len(arguments.splits) > 1:
        scores["all"] = {
            name: mean_scores([scores[str(split)][name] for split in arguments.splits])
            for name in scores[str(arguments.splits[0])]
        }
    return scores


def mean_scores(scores: list[dict[str, float]]) -> dict[str, float]:
    """Each score's mean over splits, weighed by targets, and the standard error of a mean of independent scores."""
    weights = np.array([split_scores["targets"] for split_scores in scores]) / sum(each["targets"] for each in scores)
    columns = {name: np.array([each[name] for each in scores]) for name in scores[0] if name != "members"}
    return {
        name: float(np.sqrt(weights**2 @ values**2) if name == RATIO_ERROR else weights @ values)
        for name, values in columns.items()
    } | {"targets": float(columns["targets"].sum())}


class Run:
    """One split of the protocol: hold members out, retrain, serve, ask for every target, and score the answers."""

    def __init__(self, arguments: argparse.Namespace, data: Path, folder: Path, split: int) -> None:
        self._arguments, self._data, self._folder, self._split = arguments, data, folder, split
        self._retrained: dict[Path, dict[str, float]] = {}

    def scores(self, evidence: str) -> dict[str, float]:
        """Scores of the model that is trained on what this evidence leaves, asked with member ids alone."""
        folder = self.retrain(evidence)
        targets = pl.read_parquet(folder / "targets.parquet").group_by("member_id", maintain_order=True).agg("movie_id")
        return self._score(evidence, folder, *asked_by_id(dict(targets.iter_rows())))

    def scores_by_facts(self, evidence: str, shown: str = "0") -> dict[str, float]:
        """Scores of the one model of the split, asked with facts of this evidence and without member ids.

        `shown` says how many of each member's ratings are among the facts: a number, or `all`.
        """
        if shown == "0":
            return self.scores_with_ratings(evidence, evidence)
        name = f"{evidence}-{shown}-ratings"
        scores = self.scores_with_ratings(name, evidence, self.shown_ratings(shown).iter_rows())
        return scores | ratio_of_errors(*(self._squared_errors(each) for each in (name, evidence)))

    def scores_with_ratings(
        self, name: str, evidence: str, ratings: Iterable[tuple[str, str, float]] = ()
    ) -> dict[str, float]:
        """The same with these ratings, each of a member and a movie; `name` is that of the kept predictions."""
        folder = self.retrain("plays")
        targets = pl.read_parquet(folder / "targets.parquet").group_by("member_id", maintain_order=True).agg("movie_id")
        facts = facts_of(folder / "data", evidence)
        for member_id, movie_id, rating in ratings:
            facts[str(member_id)].ratings.add(movie_id=str(movie_id), rating=rating)
        requests = [
            pb.PredictEnjoymentRequest(member=facts.get(member_id, pb.Member()), movie_ids=movies)
            for member_id, movies in targets.iter_rows()
        ]
        return self._score(name, folder, targets["member_id"].to_list(), requests)

    def shown_ratings(self, shown: str) -> pl.DataFrame:
        """Member, movie and rating of what held-out members show of their ratings."""
        with tempfile.TemporaryDirectory(dir=self._folder) as out:
            options = ["--data", str(self._data), "--out", out, "--fold", str(self._split), "--shown-ratings", shown]
            subprocess.run([*self._protocol, "split", *options], check=True, stdout=sys.stderr)
            return pl.read_parquet(Path(out) / "shown.parquet").select("member_id", "movie_id", "rating")

    def retrain(self, evidence: str) -> Path:
        """The folder of the split with a model of what this evidence leaves; trained once."""
        folder = self._folder / f"split-{self._split}-{evidence}"
        if folder in self._retrained:
            return folder
        say(f"split {self._split}, evidence {evidence}: retraining")
        options = ["--data", str(self._data), "--out", str(folder), "--fold", str(self._split), "--evidence", evidence]
        subprocess.run([*self._protocol, "split", *options], check=True, stdout=sys.stderr)
        seconds, peak = training(
            "retrain", "--data", str(folder / "data"), "--models", str(folder / "models"),
            "--seed", str(self._arguments.seed),
        )  # fmt: skip
        say(f"split {self._split}, evidence {evidence}: {seconds:.0f} s, {peak:.2f} GiB at most")
        self._retrained[folder] = {"retrain_seconds": round(seconds, 2), "peak_rss_gib": round(peak, 2)}
        return folder

    def _score(
        self, evidence: str, folder: Path, member_ids: list[str], requests: list[pb.PredictEnjoymentRequest]
    ) -> dict[str, float]:
        started = time.monotonic()
        with serving(folder / "models", folder / "server.log") as server:
            predictions = server.predict_all(member_ids, requests)
        asking = time.monotonic() - started
        file = folder / f"predictions-{evidence}.parquet"
        predictions.write_parquet(file)
        scored = subprocess.run(
            [*self._protocol, "score", "--split", str(folder), "--predictions", str(file)],
            check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        scores: dict[str, float] = json.loads(scored.stdout)
        summary = f"RMSE {scores['rmse']:.4f}, movie mean {scores['movie_mean_rmse']:.4f}"
        say(f"split {self._split}, evidence {evidence}: {summary}")
        return scores | self._retrained[folder] | {"asking_seconds": round(asking, 2)}

    def _squared_errors(self, name: str) -> Array:
        """(N,) sums of the squared errors of the kept predictions `name` by member, in the order of member ids."""
        folder, key = self.retrain("plays"), ["member_id", "movie_id"]
        truth, predicted = (
            pl.read_parquet(folder / f"{file}.parquet").with_columns(pl.col(key).cast(pl.String))
            for file in ("targets", f"predictions-{name}")
        )
        error = pl.col("rating") - pl.col("rating_right")
        errors = truth.join(predicted, on=key).group_by("member_id").agg((error**2).sum().alias("error"))
        return errors.sort("member_id")["error"].to_numpy()

    @property
    def _protocol(self) -> list[str]:
        return [sys.executable, str(self._arguments.protocol)]


def ratio_of_errors(errors: Array, before: Array) -> dict[str, float]:
    """RMSE divided by that before, from (N,) sums of squared errors by member, with its standard error.

    The error is that of the choice of members, by the bootstrap (Efron, Annals of Statistics 1979).
    """
    members = len(errors)
    drawn = np.random.default_rng(0).multinomial(members, np.full(members, 1 / members), RESAMPLES)
    ratios = np.sqrt((drawn @ errors) / (drawn @ before))
    return {RATIO: float(np.sqrt(errors.sum() / before.sum())), RATIO_ERROR: float(ratios.std())}


def facts_of(data: Path, evidence: str) -> dict[str, pb.Member]:
    """Member facts for requests, by the ids of the data directory."""
    facts: dict[str, pb.Member] = defaultdict(pb.Member)
    if evidence in ("plays", "attributes"):
        members = pl.read_parquet(data / "members.parquet")
        for row in members.iter_rows(named=True):
            given = facts[str(row.pop("member_id"))].attributes
            for name, value in row.items():
                if value is not None:
                    given[name].CopyFrom(attribute_value(value))
    if evidence in ("plays", "plays-only"):
        plays = pl.read_parquet(data / "plays.parquet")
        for member_id, movie_id in plays.select("member_id", "movie_id").iter_rows():
            facts[str(member_id)].plays.add(movie_id=str(movie_id))
    return facts


def attribute_value(value: object) -> pb.AttributeValue:
    """The value of a column as requests give it."""
    if isinstance(value, bool):
        return pb.AttributeValue(flag=value)
    return pb.AttributeValue(number=value) if isinstance(value, int | float) else pb.AttributeValue(text=str(value))


def training(*arguments: str) -> tuple[float, float]:
    """Run a command of the job; returns seconds and peak memory in GiB. Raises SystemExit if it fails."""
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "training", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"training {arguments[0]} ended with exit code {process.returncode}")
    unit = KIB_PER_GIB if sys.platform.startswith("linux") else 1024 * KIB_PER_GIB
    return time.monotonic() - started, usage.ru_maxrss / unit


def say(text: str) -> None:
    """Progress, apart from the result."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
