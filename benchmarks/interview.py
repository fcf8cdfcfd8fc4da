"""What the choice of movies that a member is asked to rate is worth, on the never-rater protocol with MovieLens 1M."""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from benchmarks.accuracy import BESIDE, Run, facts_of, say, training
from benchmarks.served import Served, serving
from benchmarks.tables import plain_table
from coldstart_client.v1 import enjoyment_service_pb2 as pb

EVIDENCE = "plays"
"""What else is known of the held-out members: their attributes, and the movies that they can be asked for as plays."""
SCORES = ("rmse", "coverage", "mean_width")
Rated = Iterable[tuple[str, str, float]]
"""Member, movie and rating."""


def main() -> int:
    """Print the scores by split and way to choose as one JSON object."""
    parser = argparse.ArgumentParser("python -m benchmarks.interview", description=__doc__)
    parser.add_argument("--data", type=Path, default=BESIDE / "data" / "ml-1m", help="an unpacked MovieLens release")
    parser.add_argument("--protocol", type=Path, default=BESIDE / "protocol" / "never_rater.py", help="its script")
    parser.add_argument("--splits", type=int, nargs="+", default=[0, 1, 2], help="folds of members (default 0 1 2)")
    parser.add_argument("--asked", type=int, nargs="+", default=[10], help="movies asked for (default 10)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the training (default 0)")
    arguments = parser.parse_args()
    for path in (arguments.data, arguments.protocol):
        if not path.exists():
            print(json.dumps({"skipped": f"{path.name} isn't beside the project"}))
            return 0
    with tempfile.TemporaryDirectory(prefix="coldstart-interview-") as folder:
        scores = scores_of_all(arguments, Path(folder))
    rows = [[split, way, *(f"{of_way[name]:.4f}" for name in SCORES)] for split, ways in scores.items()
            for way, of_way in ways.items()]  # fmt: skip
    say(plain_table(("split", "asked for", *SCORES), rows))
    print(json.dumps(scores, indent=2))
    return 0


def scores_of_all(arguments: argparse.Namespace, folder: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Scores by split and way to choose."""
    data = folder / "data"
    training("import", "movielens", str(arguments.data), "--out", str(data))
    scores: dict[str, dict[str, dict[str, float]]] = {}
    for split in arguments.splits:
        run = Run(arguments, data, folder, split)
        answers = {(str(member), str(movie)): rating for member, movie, rating in run.shown_ratings("all").iter_rows()}
        of_split = scores[str(split)] = {"nothing": run.scores_with_ratings(EVIDENCE, EVIDENCE)}
        for count in arguments.asked:
            for way, rated in ways_to_choose(run, answers, count):
                of_split[f"{count} {way}"] = run.scores_with_ratings(f"{count}-{way}", EVIDENCE, rated)
    return scores


def ways_to_choose(run: Run, answers: dict[tuple[str, str], float], count: int) -> Iterator[tuple[str, Rated]]:
    """The ratings of as many movies of each held-out member, chosen in three ways among those that stay visible."""
    folder = run.retrain(EVIDENCE)
    yield "at random", run.shown_ratings(str(count)).iter_rows()
    yield "most popular", most_popular(folder / "data", answers, count)
    with serving(folder / "models", folder / "interview.log") as server:
        suggested = list(suggested_movies(server, facts_of(folder / "data", EVIDENCE), answers, count))
    yield "suggested", suggested


def most_popular(data: Path, answers: dict[tuple[str, str], float], count: int) -> Rated:
    """The ratings of each member's movies that most members have played."""
    plays = dict(pl.read_parquet(data / "plays.parquet")["movie_id"].cast(pl.String).value_counts().iter_rows())
    for member_id, movie_ids in movies_by_member(answers).items():
        for movie_id in sorted(movie_ids, key=lambda movie_id: (-plays[movie_id], movie_id))[:count]:
            yield member_id, movie_id, answers[member_id, movie_id]


def suggested_movies(
    server: Served, facts: dict[str, pb.Member], answers: dict[tuple[str, str], float], count: int
) -> Rated:
    """The ratings of each member's movies that the service suggests to ask for."""
    for member_id, movie_ids in movies_by_member(answers).items():
        request = pb.SuggestMoviesToRateRequest(member=facts[member_id], size=count, movie_ids=movie_ids)
        for movie in server.stub.SuggestMoviesToRate(request).movies:
            yield member_id, movie.movie_id, answers[member_id, movie.movie_id]


def movies_by_member(answers: dict[tuple[str, str], float]) -> dict[str, list[str]]:
    """The movies that each member can rate."""
    movies: dict[str, list[str]] = {}
    for member_id, movie_id in answers:
        movies.setdefault(member_id, []).append(movie_id)
    return movies


if __name__ == "__main__":
    sys.exit(main())
