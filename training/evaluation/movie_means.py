"""Mean ratings of movies, shrunk to the mean of all ratings: the simplest predictions to compare with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import MOVIE_ID, RATING
from features.exact_sums import on_grid
from features.movies import MOVIE, PRIOR_RATINGS
from training.data.passes.play_table import PlayTable
from training.evaluation.scores import STEPS_AT_MOST

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RatedMovies:
    """Ratings of M movies, summed over partitions."""

    count: Array
    """(M,) number of ratings."""
    total: Array
    """(M,) sum of the ratings."""
    steps: Array
    """Distinct ratings, ascending; no more than STEPS_AT_MOST + 1."""

    @property
    def mean(self) -> float:
        """Mean of all ratings."""
        return float(self.total.sum() / self.count.sum())

    @property
    def means(self) -> Array:
        """(M,) mean ratings, shrunk to the mean of all as if by PRIOR_RATINGS more ratings."""
        return np.asarray(self.mean + (self.total - self.count * self.mean) / (self.count + PRIOR_RATINGS))


def rated_movies(table: PlayTable, movies: int) -> RatedMovies:
    """Sum up the ratings of each of M movies; the sums don't depend on the order of the ratings."""
    count, total, steps = np.zeros(movies), np.zeros(movies), np.empty(0)
    for partition in table.partitions:
        rated = partition.read().select(MOVIE, RATING).drop_nulls()
        movie, rating = rated[MOVIE].to_numpy(), rated[RATING].to_numpy()
        count += np.bincount(movie, minlength=movies)
        total += np.bincount(movie, on_grid(rating), movies)
        steps = np.union1d(steps, rating)[: STEPS_AT_MOST + 1]
    return RatedMovies(count, total, steps)


def movie_means(ratings: pl.LazyFrame, movie_ids: Sequence[str] | pl.Series) -> tuple[Array, float]:
    """Return the (N,) shrunk mean ratings of N movies, and the mean of all ratings.

    `ratings` has the columns movie_id and rating, and is read in a stream.
    """
    sums = ratings.group_by(MOVIE_ID).agg(pl.len().alias("count"), on_grid(pl.col(RATING)).sum().alias("total"))
    by_movie = sums.sort(MOVIE_ID).collect(engine="streaming")
    rated = RatedMovies(by_movie["count"].to_numpy().astype(float), by_movie["total"].to_numpy(), np.empty(0))
    means = by_movie.select(MOVIE_ID, pl.Series("mean", rated.means))
    asked = pl.DataFrame({MOVIE_ID: movie_ids}).join(means, on=MOVIE_ID, how="left", maintain_order="left")
    return asked["mean"].fill_null(rated.mean).to_numpy(), rated.mean
