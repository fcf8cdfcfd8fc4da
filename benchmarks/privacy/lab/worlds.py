"""Worlds for the lab of differential privacy: MovieLens, and made-up ones of any number of members, as arrays."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from training.data.datasets.movielens import read_release

Array = NDArray[np.float64]
Single = NDArray[np.float32]

TASTES, GENRES, REGIONS, AGES, ANSWERS = 8, 10, 6, 6, 4
MOVIES, MEDIAN_RATINGS, PART = 4000, 30, 20_000
TESTED = 0.2
"""Share of the members who are held out: only half of their plays is shown, and the ratings of the other half asked."""
MOST_TESTED = 20_000


@dataclass(frozen=True)
class World:
    """R ratings of N members and M movies, with what is public of the movies and known of the members."""

    starts: NDArray[np.int64]
    """(N + 1,) index of each member's first rating, and R at the end."""
    movie: NDArray[np.int32]
    """(R,) rated movies."""
    rating: Single
    """(R,) ratings, 1 to 5."""
    shown: NDArray[np.bool_]
    """(R,) which half of a member's ratings is shown as plays; the other is predicted or learned from."""
    attributes: Single
    """(N, W) encoded attributes, each from -1 to 1."""
    grouped: int
    """How many of the first W columns are indicators of categories, one of each attribute."""
    categories: int
    """Number of attributes with indicators."""
    genres: Single
    """(M, H) shares of genres and scaled year, known to everybody."""
    tested: NDArray[np.bool_]
    """(N,) who is held out."""


def movielens_world(source: Path, seed: int) -> World:
    """Return the world of a MovieLens release; the seed draws who is held out and what is shown."""
    _, frames, _ = read_release(source)
    ids = frames["movies"]["movie_id"]
    movies = pl.DataFrame({"movie_id": ids, "movie": np.arange(len(ids), dtype=np.int32)})
    members = frames["members"]["member_id"]
    numbered = pl.DataFrame({"member_id": members, "member": np.arange(len(members), dtype=np.int64)})
    rows = frames["ratings"].join(movies, on="movie_id").join(numbered, on="member_id").sort("member", "movie")
    names = ("gender", "age", "occupation")
    indicators = frames["members"].select(names).to_dummies().to_numpy().astype(np.float32)
    genres = frames["movies"].select("movie_id", "genres").explode("genres").drop_nulls()
    shares = ids.to_frame().join(
        genres.with_columns(pl.lit(1.0).alias("one")).pivot("genres", index="movie_id", values="one").fill_null(0.0),
        on="movie_id", how="left", maintain_order="left",
    ).fill_null(0.0).drop("movie_id").to_numpy()  # fmt: skip
    year = frames["movies"]["release_year"].fill_null(1990).to_numpy()
    return _world(
        np.bincount(rows["member"].to_numpy(), minlength=len(members)), rows["movie"].to_numpy(),
        rows["rating"].to_numpy(), indicators, indicators.shape[1], len(names), _public(shares, year), seed,
    )  # fmt: skip


def made_up_world(members: int, seed: int) -> World:
    """Return a made-up world whose tastes show in what members watch, in answers, and a little in who they are."""
    random = np.random.default_rng([seed, 30])
    popularity = np.exp(random.normal(0, 1.7, MOVIES))
    reach = np.cumsum(np.minimum(popularity / popularity.sum(), 0.004))
    taste = random.normal(0, 0.22, (MOVIES, TASTES)) * np.linspace(1.4, 0.6, TASTES)
    quality = random.normal(0, 0.4, MOVIES) + 0.06 * np.log(popularity)
    of_genres = random.normal(size=(TASTES, GENRES))
    likely = np.argsort(-(taste @ of_genres + random.normal(0, 0.4, (MOVIES, GENRES))), axis=1)[:, :2]
    shares = np.zeros((MOVIES, GENRES))
    np.put_along_axis(shares, likely, 0.5, axis=1)
    people, answers = random.normal(0, 0.35, (AGES + 2, TASTES)), random.normal(0, 0.5, (TASTES, ANSWERS))
    parts = [
        _part(
            np.random.default_rng([seed, 31, number]), min(PART, members - first), reach / reach[-1], taste, quality,
            people, answers,
        )
        for number, first in enumerate(range(0, members, PART))
    ]  # fmt: skip
    counts, movie, rating, attributes = (np.concatenate(column) for column in zip(*parts, strict=True))
    public = _public(shares, random.integers(1930, 2006, MOVIES))
    return _world(counts, movie, rating, attributes, 2 + AGES + REGIONS, 3, public, seed)


def _part(
    random: np.random.Generator,
    count: int,
    reach: Array,
    movie_taste: Array,
    quality: Array,
    people: Array,
    answers: Array,
) -> tuple[NDArray[np.int64], NDArray[np.int32], Single, Single]:
    """Return numbers of ratings, movies, ratings and attributes of some members."""
    gender, age, region = (random.integers(0, size, count) for size in (2, AGES, REGIONS))
    taste = people[age] + people[AGES + gender] + random.normal(0, 0.85, (count, TASTES))
    generosity = random.normal(0, 0.35, count) + 0.1 * gender
    wanted = np.clip(np.exp(random.normal(np.log(MEDIAN_RATINGS), 1.0, count)), 2, 600).astype(np.int64)
    owner = np.repeat(np.arange(count), 4 * wanted)
    movie = np.searchsorted(reach, random.random(len(owner))).clip(max=MOVIES - 1)
    fits = np.einsum("ij,ij->i", taste[owner], movie_taste[movie])
    code = np.unique((owner * MOVIES + movie)[random.random(len(owner)) < 1 / (1 + np.exp(1 - 2 * fits))])
    code = random.permutation(code)
    code = code[np.argsort(code // MOVIES, kind="stable")]
    rank = np.arange(len(code)) - np.searchsorted(code // MOVIES, code // MOVIES)
    code = np.sort(code[rank < wanted[code // MOVIES]])
    owner, movie = code // MOVIES, code % MOVIES
    feels = 3.6 + generosity[owner] + quality[movie] + np.einsum("ij,ij->i", taste[owner], movie_taste[movie])
    rating = np.clip(np.floor(feels + random.normal(0, 0.85, len(movie)) + 0.5), 1, 5)
    said = np.clip(np.round(taste @ answers + random.normal(0, 1, (count, ANSWERS))), -2, 2) / 2
    indicators = [np.eye(size)[values] for size, values in ((2, gender), (AGES, age), (REGIONS, region))]
    attributes = np.concatenate([*indicators, said], axis=1).astype(np.float32)
    return np.bincount(owner, minlength=count), movie.astype(np.int32), rating.astype(np.float32), attributes


def _public(shares: Array, year: NDArray[np.int64]) -> Single:
    """Return the public columns of movies: shares of genres, less their mean, and decades since 1985."""
    shares = shares / np.maximum(shares.sum(axis=1, keepdims=True), 1)
    decades = np.clip((year - 1985) / 10, -4, 4)[:, None] / 4
    return np.concatenate([shares - shares.mean(axis=0), decades], axis=1).astype(np.float32)


def _world(
    counts: NDArray[np.int64],
    movie: NDArray[np.int32],
    rating: NDArray[np.floating],
    attributes: Single,
    grouped: int,
    categories: int,
    genres: Single,
    seed: int,
) -> World:
    random = np.random.default_rng([seed, 32])
    tested = np.zeros(len(counts), bool)
    tested[random.permutation(len(counts))[: min(int(TESTED * len(counts)), MOST_TESTED)]] = True
    shown = random.random(len(movie)) < 0.5
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    return World(
        starts, movie, rating.astype(np.float32), shown, attributes, grouped, categories, genres, tested
    )  # fmt: skip
