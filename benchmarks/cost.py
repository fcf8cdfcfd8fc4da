"""What a retrain costs as the data grows: seconds and peak memory, whole and for each rating."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import polars as pl

from benchmarks.accuracy import say, training
from benchmarks.tables import plain_table

MIB_PER_GIB, KIB_PER_MIB = 1024, 1024


def main() -> int:
    """Print a table, and its rows as one JSON object."""
    parser = argparse.ArgumentParser("python -m benchmarks.cost", description=__doc__)
    parser.add_argument(
        "--members", type=int, nargs="+", default=[500, 2000, 8000], help="sizes of sample data (default 500 2000 8000)"
    )
    parser.add_argument("--movies", type=int, default=1000, help="movies of every sample (default 1000)")
    arguments = parser.parse_args()
    rows = []
    for members in arguments.members:
        with tempfile.TemporaryDirectory(prefix="coldstart-cost-") as folder:
            rows.append(cost(Path(folder), members, arguments.movies))
        say(f"{members} members: {rows[-1]['seconds']:.0f} s, {rows[-1]['peak_mib']:.0f} MiB at most")
    columns = tuple(rows[0])
    say(plain_table(columns, [[row[column] for column in columns] for row in rows]))
    print(json.dumps({"movies": arguments.movies, "rows": rows}, indent=2))
    return 0


def cost(folder: Path, members: int, movies: int) -> dict[str, float]:
    """Seconds and memory of one retrain, evaluation included, as the operating system measures them."""
    data = folder / "data"
    training("sample", "--members", str(members), "--movies", str(movies), "--out", str(data))
    ratings = pl.scan_parquet(data / "ratings.parquet").select(pl.len()).collect().item()
    seconds, peak = training("retrain", "--data", str(data), "--models", str(folder / "models"))
    return {
        "members": members,
        "ratings": ratings,
        "seconds": round(seconds, 1),
        "peak_mib": round(peak * MIB_PER_GIB),
        "milliseconds_a_rating": round(1000 * seconds / ratings, 3),
        "kib_a_rating": round(peak * MIB_PER_GIB * KIB_PER_MIB / ratings, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
