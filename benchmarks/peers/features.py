"""Features for the peers: the facts that coldstart gets of members and movies, as arrays."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from scipy import sparse
from scipy.sparse import linalg

from features.movies import PRIOR_RATINGS


@dataclass(frozen=True)
class Split:
    """One split of the protocol as arrays: N members, M movies, R ratings to learn from, T to predict."""

    member: np.ndarray
    """(R,) rows of members."""
    movie: np.ndarray
    """(R,) rows of movies."""
    rating: np.ndarray
    """(R,) ratings."""
    half: np.ndarray
    """(R,) 0 or 1 at random: a rating's features come from the plays of the other half, so that none shows itself."""
    asked_member: np.ndarray
    """(T,) rows of members."""
    asked_movie: np.ndarray
    """(T,) rows of movies."""
    members: tuple[np.ndarray, np.ndarray]
    """Two of (N, F): members' features from the plays of half 0 and of half 1; held-out members have both the same."""
    played: tuple[sparse.csr_array, sparse.csr_array]
    """Two of (N, M): 1 where a member plays a movie, in the same halves."""
    widths: tuple[int, ...]
    """How many of the F features come from attributes, from what is played, and from places in the space of plays."""
    movies: np.ndarray
    """(M, G) features of movies."""
    scale: tuple[float, float]
    """The lowest and the highest rating."""
    targets: pl.DataFrame
    """What is asked: member_id, movie_id."""

    def write(self, predicted: np.ndarray, out: Path) -> None:
        """Write (T,) predictions as the protocol's scorer reads them."""
        rating = pl.Series("rating", np.clip(predicted, *self.scale))
        self.targets.with_columns(rating).write_parquet(out)


def read_split(folder: Path, dimensions: int, seed: int, shown: Path | None = None) -> Split:
    """Read a split that the protocol wrote; the embedding of plays has `dimensions` dimensions.

    `shown` is a table of ratings that held-out members show, to learn from too. It changes no features.
    """
    tables = {
        name: pl.read_parquet(folder / "data" / f"{name}.parquet") for name in ("members", "movies", "ratings", "plays")
    }
    targets = pl.read_parquet(folder / "targets.parquet").select("member_id", "movie_id")
    ids = [tables[name]["member_id"] for name in ("members", "ratings", "plays")]
    member_ids = pl.concat([*ids, targets["member_id"]]).unique().sort()
    movie_ids = tables["movies"]["movie_id"].sort()
    random = np.random.default_rng(seed)

    def rows(table: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        return member_ids.search_sorted(table["member_id"]).to_numpy(), movie_ids.search_sorted(
            table["movie_id"]
        ).to_numpy()

    member, movie = rows(tables["ratings"])
    rating = tables["ratings"]["rating"].to_numpy().astype(float)
    half = random.integers(0, 2, len(rating))
    played = sparse.csr_array(
        (np.ones(len(tables["plays"])), rows(tables["plays"])), shape=(len(member_ids), len(movie_ids))
    )
    movies, columns = _movies(tables["movies"].sort("movie_id"), movie, rating, played)
    attributes = _attributes(tables["members"], member_ids)
    space = _space(played, dimensions, seed)
    halves, plays = [], []
    for number in (0, 1):
        others = half != number
        hidden = sparse.csr_array((np.ones(others.sum()), (member[others], movie[others])), shape=played.shape)
        visible = played - hidden.minimum(played)
        plays.append(visible)
        halves.append(np.concatenate([attributes, _plays(visible, columns, space)], axis=1))
    spread = halves[0].std(axis=0)
    centre, spread = halves[0].mean(axis=0), np.where(spread > 1e-9, spread, 1.0)
    widths = attributes.shape[1], columns.shape[1] + 1, space.shape[1]
    standardised = tuple((half - centre) / spread for half in halves)
    scale = float(rating.min()), float(rating.max())
    if shown is not None:
        given = pl.read_parquet(shown)
        member, movie = (np.concatenate(pair) for pair in zip((member, movie), rows(given), strict=True))
        rating = np.concatenate([rating, given["rating"].to_numpy().astype(float)])
        half = np.concatenate([half, np.zeros(len(given), half.dtype)])
    return Split(
        member, movie, rating, half, *rows(targets), (standardised[0], standardised[1]), (plays[0], plays[1]), widths,
        movies, scale, targets,
    )  # fmt: skip


def _movies(
    table: pl.DataFrame, movie: np.ndarray, rating: np.ndarray, played: sparse.csr_array
) -> tuple[np.ndarray, np.ndarray]:
    """(M, G) genres and year; (M, C) the same with the movie's mean and popularity, for profiles of members."""
    genres = table["genres"] if "genres" in table.columns else pl.Series([[]] * len(table), dtype=pl.List(pl.String))
    lists = genres.str.split("|") if genres.dtype == pl.String else genres
    names = sorted({name for listed in lists.to_list() for name in listed or []})
    shares = np.array([[name in (listed or []) for name in names] for listed in lists.to_list()], float).reshape(
        len(table), -1
    )
    year = (
        table["release_year"].cast(pl.Float64).to_numpy()
        if "release_year" in table.columns
        else np.full(len(table), np.nan)
    )
    year = np.nan_to_num((year - np.nanmean(year)) / (np.nanstd(year) or 1.0))[:, None]
    count = np.bincount(movie, minlength=len(table))
    quality = np.bincount(movie, weights=rating - rating.mean(), minlength=len(table)) / (count + PRIOR_RATINGS)
    popularity = np.log1p(played.sum(axis=0))
    described = np.concatenate([shares, year], axis=1)
    return described, np.concatenate([described, quality[:, None], popularity[:, None] - popularity.mean()], axis=1)


def _attributes(table: pl.DataFrame, member_ids: pl.Series) -> np.ndarray:
    """(N, A) one number a category, and numbers as they are; zeros where nothing is known."""
    known = pl.DataFrame({"member_id": member_ids}).join(table, on="member_id", how="left", maintain_order="left")
    blocks = []
    for column in known.drop("member_id").iter_columns():
        if column.dtype.is_numeric() and column.dtype != pl.Boolean:
            values = column.cast(pl.Float64).to_numpy()
            blocks.append(np.nan_to_num((values - np.nanmean(values)) / (np.nanstd(values) or 1.0))[:, None])
        else:
            names = column.cast(pl.String).drop_nulls().unique().sort()
            blocks.append((column.cast(pl.String).to_numpy()[:, None] == names.to_numpy()).astype(float))
    return np.concatenate([np.zeros((len(member_ids), 0)), *blocks], axis=1)


def _space(played: sparse.csr_array, dimensions: int, seed: int) -> np.ndarray:
    """(M, dimensions) leading right singular vectors of the plays, rare movies weighing more."""
    weight = np.log((played.shape[0] + 1) / (played.sum(axis=0) + 1)) + 1
    size = min(dimensions, min(played.shape) - 1)
    if size < 1:
        return np.zeros((played.shape[1], 0))
    weighted = (played * weight).tocsr()
    length = np.sqrt((weighted * weighted).sum(axis=1))
    scaled = sparse.diags_array(1 / np.maximum(length, 1e-9)) @ weighted
    start = np.random.default_rng(seed).normal(size=min(played.shape))
    return np.asarray(linalg.svds(scaled, k=size, v0=start)[2].T) * weight[:, None]


def _plays(visible: sparse.csr_array, columns: np.ndarray, space: np.ndarray) -> np.ndarray:
    """(N, C + dimensions + 1) what members play: how much, its means, and their place in the space of plays."""
    count = visible.sum(axis=1)
    means = (visible @ columns) / (count + PRIOR_RATINGS)[:, None]
    place = visible @ space
    place = place / np.maximum(np.sqrt(count), 1)[:, None]
    return np.concatenate([np.log1p(count)[:, None], means, place], axis=1)
