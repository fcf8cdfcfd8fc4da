"""`make demo`: sample data, a model of it, a server, and its answers beside the known truth."""

import argparse
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl

from benchmarks.served import Served, asked_by_id, command, evidence_name, serving
from benchmarks.tables import plain_table
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from training.evaluation.movie_means import movie_means

MARK = ".made-by-coldstart-demo"
ENOUGH = 0.6
"""Predictions of never-raters must correlate so with the truth."""
SHOWN = 6
RATED = 3
"""Ratings that the new member gives."""
STEPS = (0, 1, 3, 10, 20)
"""Numbers of ratings that all never-raters give, of as many movies as the last; the other movies are predicted."""
METRICS = ("grpc_server_handled_total{", "coldstart_predictions_total{", "coldstart_model_info{", "coldstart_ready ")


def main() -> int:
    """0 where predictions are good, and with ratings better, 1 where they aren't, 2 for a folder that is no demo's."""
    parser = argparse.ArgumentParser("python -m benchmarks.demo", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(".demo"), help="made afresh each time (default .demo)")
    folder: Path = parser.parse_args().folder
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        print(f"{folder} holds files that the demo hasn't made: name another folder", file=sys.stderr)
        return 2
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARK).touch()
    data, models = folder / "data", folder / "models"
    say("Sample data: members, movies, ratings and plays, and what never-raters truly feel.")
    run("sample", "--out", str(data))
    say("A model of it, evaluated on members held out; about a minute.")
    report = run("retrain", "--data", str(data), "--models", str(models))
    print(report.strip())
    say("A server of the model.")
    print(f"$ {shown(command(models))}")
    with serving(models, folder / "server.log") as server:
        print(f"It serves gRPC on port {server.port} and metrics on port {server.metrics_port}.")
        good = show(server, Sample(data))
    print("\nThe server was told to stop (SIGTERM) and did.")
    return 0 if good else 1


class Sample:
    """The sample's tables, and its truth, which no model sees."""

    def __init__(self, data: Path) -> None:
        self.members = pl.read_parquet(data / "members.parquet")
        self.movies = pl.read_parquet(data / "movies.parquet")
        self.plays = pl.read_parquet(data / "plays.parquet")
        self.ratings = pl.read_parquet(data / "ratings.parquet")
        self.truth = pl.read_parquet(data / "truth.parquet")
        self.titles = dict(self.movies.select("movie_id", "title").iter_rows())

    def never_rater(self) -> str:
        """The first never-rater of whom attributes and plays are known."""
        known = self.truth.join(self.members, on="member_id", how="semi").join(self.plays, on="member_id", how="semi")
        return str(known["member_id"].min())

    def new_member(self) -> str:
        """The never-rater who feels least as the average rater does, among those of whom nothing is known."""
        unknown = self.truth.join(self.members, on="member_id", how="anti").join(self.plays, on="member_id", how="anti")
        means = self.ratings.group_by("movie_id").agg(mean=pl.col("rating").mean())
        away = (pl.col("enjoyment") - pl.col("mean")).abs().mean()
        by_member = unknown.join(means, on="movie_id").group_by("member_id").agg(away=away)
        return str(by_member.sort("away", "member_id")["member_id"][-1])

    def felt(self, member_id: str) -> pl.DataFrame:
        """What a never-rater feels about some movies, in the order of their ids."""
        return self.truth.filter(pl.col("member_id") == member_id).sort("movie_id")

    def attributes(self, member_id: str) -> pb.Member:
        """The member's attributes as a caller gives them who doesn't know the id."""
        member = pb.Member()
        [row] = self.members.filter(pl.col("member_id") == member_id).drop("member_id").to_dicts()
        for name, value in row.items():
            if isinstance(value, str):
                member.attributes[name].text = value
            elif isinstance(value, bool):
                member.attributes[name].flag = value
            elif value is not None:
                member.attributes[name].number = value
        return member


def show(server: Served, sample: Sample) -> bool:
    """Ask and print; whether predictions of never-raters are good."""
    member_id = sample.never_rater()
    by_id, attributes = pb.Member(member_id=member_id), sample.attributes(member_id)
    model = server.stub.GetModel(pb.GetModelRequest())
    say("GetModel: what is served.")
    counts = ", ".join(f"{field.name} {value:,}" for field, value in model.data.ListFields())
    print(f"  version {model.model_version}; {counts}")
    print(f"  attributes: {', '.join(attribute.name for attribute in model.member_attributes)}")

    say(f"PredictEnjoyment: {member_id}, who plays and never rates; by id, then by attributes alone, given inline.")
    felt = sample.felt(member_id).filter(~pl.col("played"))
    felt = felt.gather_every(max(len(felt) // SHOWN, 1)).head(SHOWN)
    movie_ids = felt["movie_id"].to_list()
    answers = [
        server.stub.PredictEnjoyment(pb.PredictEnjoymentRequest(member=member, movie_ids=movie_ids))
        for member in (by_id, attributes)
    ]
    known = " and ".join(f'"{evidence_name(answer.member_evidence)}"' for answer in answers)
    print(f"  What the two predictions rest on: {known}.")
    titles = ("movie", "title", "by id", "90 % interval", "P(enjoys)", "by attributes", "truth")
    rows = [
        (
            prediction.movie_id,
            sample.titles[prediction.movie_id],
            *rating_and_interval(prediction),
            prediction.probability_enjoyed,
            inline.rating,
            truth,
        )
        for prediction, inline, truth in zip(
            answers[0].predictions, answers[1].predictions, felt["enjoyment"], strict=True
        )
    ]
    print(plain_table(titles, rows))

    say(f"RankMovies: the best five for {member_id}, without those played.")
    ranking = server.stub.RankMovies(pb.RankMoviesRequest(member=by_id, page_size=5))
    truth = dict(sample.truth.filter(pl.col("member_id") == member_id).select("movie_id", "enjoyment").iter_rows())
    ranked = [
        (prediction.movie_id, sample.titles[prediction.movie_id], prediction.rating, truth.get(prediction.movie_id))
        for prediction in ranking.predictions
    ]
    print(plain_table(("movie", "title", "rating", "truth, where the sample has it"), ranked))

    best = ranking.predictions[0].movie_id
    say(f"ExplainEnjoyment: why {best}.")
    explained = server.stub.ExplainEnjoyment(pb.ExplainEnjoymentRequest(member=by_id, movie_id=best))
    parts = [(f"{part.rating:+.2f}", part.group, part.description) for part in explained.parts]
    print(plain_table(("adds", "group", "what it is"), parts))
    print(f"  Together {explained.rating_before_cut:.2f}, cut to the scale {explained.prediction.rating:.2f}.")

    begin_to_rate(server, sample)
    good = compare(server, sample) & compare_with_ratings(server, sample)
    say("A few lines of /metrics.")
    lines = [line for line in server.scrape().splitlines() if line.startswith(METRICS) and not line.endswith(" 0.0")]
    print("\n".join(f"  {line}" for line in lines))
    return good


def begin_to_rate(server: Served, sample: Sample) -> None:
    """Print the predictions for a new member before and after the first ratings, beside the truth."""
    member_id = sample.new_member()
    say(f"First ratings: {member_id} is new, has a taste of their own, and rates {RATED} movies. That counts at once.")
    felt = sample.felt(member_id)
    given, others = felt.head(RATED), felt[STEPS[-1] :].gather_every(3).head(SHOWN)
    rows = [(movie, sample.titles[movie], rating) for movie, rating in given.select("movie_id", "rating").iter_rows()]
    print(plain_table(("movie", "title", "rates it"), rows))
    before, after = (
        server.stub.PredictEnjoyment(pb.PredictEnjoymentRequest(member=member, movie_ids=others["movie_id"]))
        for member in (pb.Member(), pb.Member(ratings=ratings_of(given)))
    )
    print("  Predictions for other movies, before and after:")
    rows = [
        (old.movie_id, sample.titles[old.movie_id], *rating_and_interval(old), *rating_and_interval(new), truth)
        for old, new, truth in zip(before.predictions, after.predictions, others["enjoyment"], strict=True)
    ]
    print(plain_table(("movie", "title", "before", "90 % interval", "after", "90 % interval", "truth"), rows))


def ratings_of(rows: pl.DataFrame) -> list[pb.Rating]:
    """Ratings as a request gives them."""
    return [pb.Rating(movie_id=movie, rating=rating) for movie, rating in rows.select("movie_id", "rating").iter_rows()]


def rating_and_interval(prediction: pb.Prediction) -> tuple[float, str]:
    """Two cells of a table."""
    return prediction.rating, f"{prediction.lower:.2f} to {prediction.upper:.2f}"


def compare(server: Served, sample: Sample) -> bool:
    """Print how predictions of all never-raters correlate with the truth; whether that is good."""
    say("StreamPredictEnjoyment: all never-raters. How what is predicted correlates with what they truly feel:")
    targets = sample.truth.group_by("member_id", maintain_order=True).agg("movie_id")
    predictions = server.predict_all(*asked_by_id(dict(targets.iter_rows())))
    pairs = predictions.join(sample.truth, on=["member_id", "movie_id"], how="left", maintain_order="left")
    pairs = pairs.with_columns(movie_mean=movie_means(sample.ratings.lazy(), pairs["movie_id"])[0])
    columns = (
        pl.col("member_id").n_unique().alias("never-raters"),
        pl.corr("rating", "enjoyment").alias("coldstart"),
        pl.corr("movie_mean", "enjoyment").alias("movie means"),
    )
    by_evidence = pairs.group_by(known="member_evidence").agg(*columns).sort("known")
    of_all = pairs.select(pl.lit("all").alias("known"), *columns)
    print(plain_table(by_evidence.columns, [*by_evidence.iter_rows(), *of_all.iter_rows()]))
    [(_, _, ours, theirs)] = of_all.iter_rows()
    good = bool(ours >= ENOUGH and ours > theirs)
    print(f"  {'As' if good else 'NOT as'} it should be: at least {ENOUGH}, and above movie means.")
    return good


def compare_with_ratings(server: Served, sample: Sample) -> bool:
    """Print how far predictions are from the truth as never-raters begin to rate; whether each step is better."""
    say("As all never-raters begin to rate: RMSE to the truth for other movies, by what else is known.")
    pairs = pl.concat(
        predicted_with_ratings(server, sample, count).with_columns(given=pl.lit(f"rated {count}")) for count in STEPS
    ).join(sample.truth, on=["member_id", "movie_id"], maintain_order="left", suffix="_given")
    known = pairs.group_by("member_id").agg(known=pl.col("member_evidence").first())
    pairs = pairs.join(known, on="member_id", maintain_order="left")
    by_known, of_all = by_step(pairs), by_step(pairs.with_columns(known=pl.lit("all")))
    print(plain_table(by_known.columns, [*by_known.iter_rows(), *of_all.iter_rows()]))
    [(_, _, *errors)] = of_all.iter_rows()
    good = errors == sorted(errors, reverse=True)
    print(f"  {'As' if good else 'NOT as'} it should be: with more ratings, the error of all is lower.")
    return good


def by_step(pairs: pl.DataFrame) -> pl.DataFrame:
    """RMSE to the truth: a row for what is known, a column for each number of ratings."""
    error = ((pl.col("rating") - pl.col("enjoyment")) ** 2).mean().sqrt()
    errors = pairs.group_by("known", "given", maintain_order=True).agg(
        error.alias("error"), pl.col("member_id").n_unique().alias("never-raters")
    )
    return errors.pivot("given", index=["known", "never-raters"], values="error").sort("known")


def predicted_with_ratings(server: Served, sample: Sample, count: int) -> pl.DataFrame:
    """Predictions for all never-raters, each of whom gives so many ratings, of the same other movies."""
    truth = sample.truth.sort("member_id", "movie_id")
    parts = {str(member_id): felt for (member_id,), felt in truth.group_by("member_id", maintain_order=True)}
    requests = [
        pb.PredictEnjoymentRequest(
            member=pb.Member(member_id=member_id, ratings=ratings_of(felt.head(count))),
            movie_ids=felt["movie_id"][STEPS[-1] :],
        )
        for member_id, felt in parts.items()
    ]  # fmt: skip
    return server.predict_all(list(parts), requests)


def run(*arguments: str) -> str:
    """Run a command of the job, say which, and return what it prints; raises SystemExit if it fails."""
    called = [sys.executable, "-m", "training", *arguments]
    print(f"$ {shown(called)}", flush=True)
    done = subprocess.run(called, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"training {arguments[0]} ended with exit code {done.returncode}")
    return done.stdout


def shown(called: list[str]) -> str:
    """The command as a person types it."""
    return shlex.join(["python", *called[1:]])


def say(text: str) -> None:
    """What comes next."""
    print(f"\n{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
