"""What a retrain costs as the data grows: seconds and peak memory, and how near it comes to a known truth."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.accuracy import say, training
from benchmarks.tables import plain_table

MIB_PER_GIB, KIB_PER_MIB = 1024, 1024
TRUTH = "truth.parquet"
"""File of a data directory with what never-raters truly feel: member_id, movie_id and enjoyment."""
POPULARITY = (0, 1, 20, 100, 1000)
"""Lower ends of the bins of movies by number of ratings."""


def main() -> int:
    """Print tables, and their rows as one JSON object."""
    parser = argparse.ArgumentParser("python -m benchmarks.cost", description=__doc__)
    parser.add_argument(
        "--data", type=Path, nargs="+",
        help="data directories instead of samples; each is trained on twice, the second time beside the version of the "
        "first, and predictions are compared with the truth for the never-raters in the truth.parquet of the first one",
    )  # fmt: skip
    parser.add_argument(
        "--members", type=int, nargs="+", default=[500, 2000, 8000], help="sizes of sample data (default 500 2000 8000)"
    )
    parser.add_argument("--movies", type=int, default=1000, help="movies of every sample (default 1000)")
    arguments = parser.parse_args()
    rows, truths = [], []
    if arguments.data:
        truth = arguments.data[0] / TRUTH
        members = pl.read_parquet(truth)["member_id"].unique() if truth.exists() else None
        for data in arguments.data:
            with tempfile.TemporaryDirectory(prefix="coldstart-cost-") as folder:
                rows += [cost(data, Path(folder) / "models", what) for what in ("first", "beside it")]
                if members is not None:
                    truths += away_from_truth(data, Path(folder), members)
            say(f"{data.name}: {rows[-1]['seconds']:.0f} s, {rows[-1]['peak_mib']:.0f} MiB at most")
    else:
        for count in arguments.members:
            with tempfile.TemporaryDirectory(prefix="coldstart-cost-") as folder:
                data = Path(folder) / f"{count} members"
                made = ("--members", str(count), "--movies", str(arguments.movies), "--out", str(data))
                training("sample", *made)
                rows.append(cost(data, Path(folder) / "models", "first"))
            say(f"{count} members: {rows[-1]['seconds']:.0f} s, {rows[-1]['peak_mib']:.0f} MiB at most")
    for table in filter(None, (rows, truths)):
        say(plain_table(tuple(table[0]), [list(row.values()) for row in table]))
    print(json.dumps({"rows": rows, "truth": truths}, indent=2))
    return 0


def cost(data: Path, models: Path, retrain: str) -> dict[str, float | str]:
    """Seconds and memory of one retrain, evaluation and gate included, as the operating system measures them."""
    ratings = _ratings(data).select(pl.len()).collect().item()
    seconds, peak = training("retrain", "--data", str(data), "--models", str(models), "--force")
    return {
        "data": data.name,
        "retrain": retrain,
        "ratings": ratings,
        "seconds": round(seconds, 1),
        "peak_mib": round(peak * MIB_PER_GIB),
        "milliseconds_a_rating": round(1000 * seconds / ratings, 3),
        "kib_a_rating": round(peak * MIB_PER_GIB * KIB_PER_MIB / ratings, 1),
    }


def away_from_truth(data: Path, folder: Path, members: pl.Series) -> list[dict[str, float | str]]:
    """RMSE to the truth of predictions by the version that serves, by how often the movie was rated."""
    truth = pl.read_parquet(data / TRUTH).filter(pl.col("member_id").is_in(members.implode()))
    pairs, out = folder / "pairs.parquet", folder / "predictions.parquet"
    truth.select("member_id", "movie_id").write_parquet(pairs)
    training(
        "predict", "--data", str(data), "--models", str(folder / "models"), "--pairs", str(pairs), "--out", str(out)
    )
    ids = pl.col("member_id", "movie_id").cast(pl.String)
    counts = _ratings(data).group_by("movie_id").len("ratings").collect()
    compared = (
        pl.read_parquet(out)
        .join(truth.with_columns(ids), on=["member_id", "movie_id"])
        .join(counts.with_columns(pl.col("movie_id").cast(pl.String)), on="movie_id", how="left")
        .with_columns(pl.col("ratings").fill_null(0))
    )
    rows: list[dict[str, float | str]] = []
    for low, high in zip(POPULARITY, (*POPULARITY[1:], np.inf), strict=True):
        some = compared.filter((pl.col("ratings") >= low) & (pl.col("ratings") < high))
        error = (some["rating"] - some["enjoyment"]).to_numpy()
        if len(error):
            rmse = round(float(np.sqrt(np.mean(error**2))), 4)
            rows.append({"data": data.name, "ratings_from": low, "pairs": len(error), "rmse_to_truth": rmse})
    return rows


def _ratings(data: Path) -> pl.LazyFrame:
    place = data / "ratings"
    return pl.scan_parquet(place if place.is_dir() else place.with_suffix(".parquet"))


if __name__ == "__main__":
    sys.exit(main())
