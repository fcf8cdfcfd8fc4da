"""`make accuracy`: the never-rater protocol on MovieLens 1M, through a retrained and served model."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from benchmarks.served import serving

BESIDE = Path(__file__).parents[2] / "shared"
"""Where the data set and the protocol are, if they are there: their terms forbid to keep them in the project."""
EVIDENCE = ("plays", "attributes", "plays-only", "nothing")
KIB_PER_GIB = 1024**2


def main() -> int:
    """Print the scores of every split and kind of evidence as one JSON object."""
    parser = argparse.ArgumentParser("python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--data", type=Path, default=BESIDE / "data" / "ml-1m", help="an unpacked MovieLens release")
    parser.add_argument("--protocol", type=Path, default=BESIDE / "protocol" / "never_rater.py", help="its script")
    parser.add_argument("--splits", type=int, nargs="+", default=[0], help="folds of members to hold out (default 0)")
    parser.add_argument("--evidence", nargs="+", choices=EVIDENCE, default=EVIDENCE, help="what is known (default all)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the training (default 0)")
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
    """Scores by split and evidence."""
    data = folder / "data"
    training("import", "movielens", str(arguments.data), "--out", str(data))
    return {
        str(split): {
            evidence: scores(arguments, data, folder / f"split-{split}-{evidence}", split, evidence)
            for evidence in arguments.evidence
        }
        for split in arguments.splits
    }


def scores(arguments: argparse.Namespace, data: Path, folder: Path, split: int, evidence: str) -> dict[str, float]:
    """Hold members out, retrain, serve, ask for every target, and score the answers."""
    say(f"split {split}, evidence {evidence}: retraining")
    protocol = [sys.executable, str(arguments.protocol)]
    told = ["--data", str(data), "--out", str(folder), "--fold", str(split), "--evidence", evidence]
    subprocess.run([*protocol, "split", *told], check=True, stdout=sys.stderr)
    models = folder / "models"
    seconds, peak = training(
        "retrain", "--data", str(folder / "data"), "--models", str(models), "--seed", str(arguments.seed)
    )
    say(f"split {split}, evidence {evidence}: {seconds:.0f} s, {peak:.2f} GiB at most; asking")
    targets = pl.read_parquet(folder / "targets.parquet").group_by("member_id", maintain_order=True).agg("movie_id")
    started = time.monotonic()
    with serving(models, folder / "server.log") as server:
        predictions = server.predict_all(dict(targets.iter_rows()))
    asking = time.monotonic() - started
    file = folder / "predictions.parquet"
    predictions.write_parquet(file)
    scored = subprocess.run(
        [*protocol, "score", "--split", str(folder), "--predictions", str(file)],
        check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    found: dict[str, float] = json.loads(scored.stdout)
    say(f"split {split}, evidence {evidence}: RMSE {found['rmse']:.4f}, movie mean {found['movie_mean_rmse']:.4f}")
    measured = {"retrain_seconds": seconds, "peak_rss_gib": peak, "asking_seconds": asking}
    return found | {name: round(value, 2) for name, value in measured.items()}


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
