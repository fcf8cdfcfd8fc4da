"""What the gate costs in accuracy and time, and how often it holds back a version that differs only in the seed."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BESIDE = Path(__file__).parents[2] / "shared"
"""Where the data sets and the protocol are, if they are there: their terms forbid to keep them in the project."""
SHARES = ("0", "0.05")


def main() -> int:
    """Print, as JSON, the protocol's scores with and without kept-out raters, and verdicts on further seeds."""
    parser = argparse.ArgumentParser("python -m benchmarks.gate", description=__doc__)
    parser.add_argument("--data", type=Path, default=BESIDE / "data" / "ml-100k", help="an unpacked MovieLens release")
    parser.add_argument("--protocol", type=Path, default=BESIDE / "protocol" / "never_rater.py", help="its script")
    parser.add_argument("--splits", type=int, nargs="+", default=[0, 1, 2], help="folds of members to hold out")
    parser.add_argument(
        "--seeds", type=int, default=3, help="how many further seeds the gate is asked about (default 3)"
    )
    arguments = parser.parse_args()
    for path in (arguments.data, arguments.protocol):
        if not path.exists():
            print(json.dumps({"skipped": f"{path.name} isn't beside the project"}))
            return 0
    with tempfile.TemporaryDirectory(prefix="coldstart-gate-") as folder:
        data = Path(folder) / "data"
        run("-m", "training", "import", "movielens", str(arguments.data), "--out", str(data))
        report = {
            "kept_out": {str(split): scores(arguments, data, Path(folder), split) for split in arguments.splits},
            "verdicts": verdicts(data, Path(folder) / "models", arguments.seeds),
        }
    print(json.dumps(report, indent=2))
    return 0


def scores(arguments: argparse.Namespace, data: Path, folder: Path, split: int) -> dict[str, dict[str, float]]:
    """The protocol's scores of one split, by the share that is kept out of training."""
    place = folder / f"split-{split}"
    run(str(arguments.protocol), "split", "--data", str(data), "--out", str(place), "--fold", str(split))
    by_share = {}
    for share in SHARES:
        models, file = place / f"models-{share}", place / f"predictions-{share}.parquet"
        places = ["--data", str(place / "data"), "--models", str(models)]
        started = time.monotonic()
        run("-m", "training", "retrain", *places, "--gate-share", share, "--force")
        seconds = time.monotonic() - started
        run("-m", "training", "predict", *places, "--pairs", str(place / "targets.parquet"), "--out", str(file))
        scored = json.loads(run(str(arguments.protocol), "score", "--split", str(place), "--predictions", str(file)))
        kept = {name: scored[name] for name in ("rmse", "movie_mean_rmse", "gain_percent", "coverage")}
        by_share[share] = kept | {"retrain_seconds": round(seconds, 1)}
        print(f"split {split}, share {share}: {by_share[share]}", file=sys.stderr, flush=True)
    return by_share


def verdicts(data: Path, models: Path, seeds: int) -> list[dict[str, object]]:
    """The gate's verdicts on versions that differ only in the seed."""
    rows: list[dict[str, object]] = []
    for seed in range(seeds + 1):
        run("-m", "training", "retrain", "--data", str(data), "--models", str(models), "--seed", str(seed), "--force")
        version = (models / "current").read_text(encoding="utf-8").strip()
        verdict = json.loads((models / "records" / version / "gate.json").read_text(encoding="utf-8"))
        differences = {name: compared["difference"] for name, compared in verdict.get("differences", {}).items()}
        rows.append({"seed": seed, "passed": verdict["passed"], "seconds": verdict["seconds"], **differences})
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


def run(*arguments: str) -> str:
    """Run Python with these arguments; its output. Raises where it fails."""
    return subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
