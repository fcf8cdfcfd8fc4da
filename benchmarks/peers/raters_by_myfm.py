"""Runs myFM (Bayesian factorization machine) on raters, each with its id, in its own environment.

A member is its id, its attributes and the movies that it plays, as in SVD++; a movie is its id, genres, year and the
members who play it.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import myfm
import numpy as np
import polars as pl
from scipy import sparse

SETTINGS = ({"rank": 8, "iterations": 200}, {"rank": 16, "iterations": 300})


def main() -> int:
    """Predict the targets with each of the settings, and print the file of each as a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", type=Path, required=True, help="a folder with data/ and targets.parquet")
    parser.add_argument("--out", type=Path, required=True, help="folder for predictions")
    arguments = parser.parse_args()
    tables = {name: pl.read_parquet(arguments.split / "data" / f"{name}.parquet") for name in ("members", "movies")}
    ratings = pl.read_parquet(arguments.split / "data" / "ratings.parquet")
    targets = pl.read_parquet(arguments.split / "targets.parquet").select("member_id", "movie_id")
    for settings in SETTINGS:
        started = time.monotonic()
        predicted = predict(tables["members"], tables["movies"], ratings, targets, settings)
        file = arguments.out / f"myfm-{settings['rank']}.parquet"
        targets.with_columns(pl.Series("rating", predicted)).write_parquet(file)
        seconds = round(time.monotonic() - started, 1)
        print(json.dumps({"settings": settings, "predictions": str(file), "seconds": seconds}), flush=True)
    return 0


def predict(
    members: pl.DataFrame, movies: pl.DataFrame, ratings: pl.DataFrame, targets: pl.DataFrame, settings: dict[str, int]
) -> np.ndarray:
    """(T,) ratings by a model of those settings."""
    members, movies = members.sort("member_id"), movies.sort("movie_id")
    member, movie = rows(ratings, members, movies)
    played = sparse.csr_matrix((np.ones(len(member)), (member, movie)), shape=(len(members), len(movies)))
    attributes = [one_hot(column) for column in members.drop("member_id").iter_columns()]
    descriptions = [genres(movies["genres"]), one_hot(movies["release_year"])]
    of_members = [sparse.eye(len(members)), of_length_one(played), *attributes]
    of_movies = [sparse.eye(len(movies)), of_length_one(played.T.tocsr()), *descriptions]
    blocks = [sparse.hstack(parts).tocsr() for parts in (of_members, of_movies)]
    model = myfm.MyFMRegressor(rank=settings["rank"], random_seed=1)
    model.fit(
        sparse.csr_matrix((len(ratings), 0)), ratings["rating"].to_numpy().astype(float),
        X_rel=[myfm.RelationBlock(row, block) for row, block in zip((member, movie), blocks, strict=True)],
        n_iter=settings["iterations"], n_kept_samples=settings["iterations"] * 3 // 4,
        group_shapes=[part.shape[1] for part in (*of_members, *of_movies)],
    )  # fmt: skip
    asked = [myfm.RelationBlock(row, block) for row, block in zip(rows(targets, members, movies), blocks, strict=True)]
    predicted = model.predict(sparse.csr_matrix((len(targets), 0)), X_rel=asked)
    return np.clip(predicted, ratings["rating"].min(), ratings["rating"].max())


def rows(pairs: pl.DataFrame, members: pl.DataFrame, movies: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the members and movies of pairs."""
    return (
        members["member_id"].search_sorted(pairs["member_id"]).to_numpy(),
        movies["movie_id"].search_sorted(pairs["movie_id"]).to_numpy(),
    )


def one_hot(values: pl.Series) -> sparse.csr_matrix:
    """One column for each value."""
    return sparse.csr_matrix(values.cast(pl.String).fill_null("").to_frame().to_dummies().to_numpy().astype(float))


def genres(lists: pl.Series) -> sparse.csr_matrix:
    """One column for each genre."""
    split = lists.str.split("|") if lists.dtype == pl.String else lists
    names = sorted({name for names in split.to_list() for name in names or []})
    return sparse.csr_matrix([[float(name in (own or [])) for name in names] for own in split.to_list()])


def of_length_one(played: sparse.csr_matrix) -> sparse.csr_matrix:
    """The rows, scaled to length 1."""
    return sparse.diags(1 / np.sqrt(np.maximum(played.sum(axis=1).A1, 1))) @ played


if __name__ == "__main__":
    sys.exit(main())
