"""`make peers`: other libraries on the same split of the never-rater protocol as coldstart, in one table."""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.accuracy import BESIDE, Run, say, training
from benchmarks.tables import plain_table

PEERS = ("cmfrec", "myfm")
PYTHON = Path(__file__).parents[2] / ".venv-peers" / "bin" / "python"
"""What runs the peers: they have an environment of their own, which `make peers` sets up."""
EVIDENCE = "plays"


def main() -> int:
    """Print a table, and all rows with what each peer is best at as one JSON object."""
    parser = argparse.ArgumentParser("python -m benchmarks.peers.run", description=__doc__)
    parser.add_argument("--data", type=Path, default=BESIDE / "data" / "ml-1m", help="an unpacked MovieLens release")
    parser.add_argument("--protocol", type=Path, default=BESIDE / "protocol" / "never_rater.py", help="its script")
    parser.add_argument("--split", type=int, default=0, help="fold of members to hold out (default 0)")
    parser.add_argument(
        "--shown-ratings", nargs="+", default=["0"], metavar="N",
        help="how many ratings each held-out member shows, numbers or all: peers are trained with them (default 0)",
    )  # fmt: skip
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS, help="which to run (default all)")
    parser.add_argument("--seed", type=int, default=0, help="seed of coldstart's training and of the peers (default 0)")
    parser.add_argument("--python", type=Path, default=PYTHON, help="the interpreter of the peers' environment")
    arguments = parser.parse_args()
    for path, what in (
        (arguments.data, f"{arguments.data.name} isn't beside the project"),
        (arguments.protocol, f"{arguments.protocol.name} isn't beside the project"),
        (arguments.python, "the peers' environment isn't there: make peers sets it up"),
    ):
        if not path.exists():
            print(json.dumps({"skipped": what}))
            return 0
    with tempfile.TemporaryDirectory(prefix="coldstart-peers-") as folder:
        rows = all_rows(arguments, Path(folder))
    best = {shown: best_of([row for row in rows if row["ratings"] == shown]) for shown in arguments.shown_ratings}
    report = {"split": arguments.split, "evidence": EVIDENCE, "best": best, "rows": rows}
    columns = ("ratings", "peer", "rmse", "gain_percent", "seconds", "settings")
    say(plain_table(columns, [[cell(row, column) for column in columns] for row in rows]))
    print(json.dumps(report, indent=2))
    return 0


def all_rows(arguments: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """coldstart, the movie mean, and every setting of every peer, all scored by the protocol, by ratings shown."""
    data = folder / "data"
    training("import", "movielens", str(arguments.data), "--out", str(data))
    ours = Run(arguments, data, folder, arguments.split)
    rows: list[dict[str, Any]] = []
    for shown in arguments.shown_ratings:
        scores = ours.scores(EVIDENCE) if shown == "0" else ours.scores_by_facts(EVIDENCE, shown)
        table = None if shown == "0" else folder / f"shown-{shown}.parquet"
        if table is not None:
            ours.shown_ratings(shown).write_parquet(table)
        rows += [
            {"ratings": shown} | row
            for row in (
                row("coldstart", scores, scores["retrain_seconds"], {}),
                row("movie mean", {"rmse": scores["movie_mean_rmse"], "gain_percent": 0.0}, None, {}),
                *peer_rows(arguments, folder, table),
            )
        ]
    return rows


def peer_rows(arguments: argparse.Namespace, folder: Path, shown: Path | None) -> Iterator[dict[str, Any]]:
    """Every setting of every peer; `shown` is a table of ratings that they are trained with too."""
    split = folder / f"split-{arguments.split}-{EVIDENCE}"
    for peer in arguments.peers:
        say(f"{peer}: every setting" + ("" if shown is None else f", {shown.stem}"))
        command = [
            str(arguments.python), "-m", f"benchmarks.peers.with_{peer}", "--split", str(split),
            "--out", str(folder / peer), "--seed", str(arguments.seed), *(["--shown", str(shown)] if shown else []),
        ]  # fmt: skip
        ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in ran.stdout.splitlines():
            run = json.loads(line)
            scores = scored(arguments.protocol, split, Path(run["predictions"]))
            yield row(peer, scores, run["seconds"], run["settings"])


def scored(protocol: Path, split: Path, predictions: Path) -> dict[str, float]:
    """The protocol's scores of predictions."""
    command = [sys.executable, str(protocol), "score", "--split", str(split), "--predictions", str(predictions)]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    scores: dict[str, float] = json.loads(ran.stdout)
    return scores


def row(peer: str, scores: dict[str, float], seconds: float | None, settings: dict[str, Any]) -> dict[str, Any]:
    """One line of the table; training's seconds, with features made for the peers within."""
    kept = {name: scores[name] for name in ("rmse", "gain_percent", "rank_correlation") if name in scores}
    return {"peer": peer, **kept, "seconds": seconds, "settings": settings}


def best_of(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The row of lowest RMSE of each peer: chosen by what it is scored on, which favours peers of many settings."""
    best: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["peer"] not in best or row["rmse"] < best[row["peer"]]["rmse"]:
            best[row["peer"]] = row
    return best


def cell(row: dict[str, Any], column: str) -> object:
    """A cell of the table."""
    if column == "rmse":
        return f"{row['rmse']:.4f}"
    if column == "settings":
        return " ".join(f"{name}={value}" for name, value in row["settings"].items())
    return row[column]


if __name__ == "__main__":
    sys.exit(main())
