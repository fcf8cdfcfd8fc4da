"""Statistics of the ratings and plays of movies, summed over partitions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.movies import MOVIE, PRIOR_RATINGS
from training.data.passes.member_partition import MemberPartition, movie_of_each
from training.data.passes.passes import Passes

Array = NDArray[np.float64]


class MovieSums(NamedTuple):
    """Sums over the ratings and plays of M movies, by fold of the members; the last row is of members without fold."""

    ratings: Array
    """(F + 1, M) number of ratings."""
    total: Array
    """(F + 1, M) sum of the ratings."""
    squares: Array
    """(F + 1, M) sum of the squared ratings."""
    plays: Array
    """(F + 1, M) number of plays."""


@dataclass(frozen=True)
class MovieStatistics:
    """Sums over the ratings and plays of each of M movies."""

    ratings: Array
    """(M,) number of ratings."""
    total: Array
    """(M,) sum of the ratings."""
    squares: Array
    """(M,) sum of the squared ratings."""
    plays: Array
    """(M,) number of plays."""

    @property
    def mean(self) -> float:
        """Mean of all ratings."""
        return float(self.total.sum() / self.ratings.sum())

    @property
    def centred_squares(self) -> float:
        """Sum of the squared differences of all ratings from their mean."""
        return float(self.squares.sum() - self.total.sum() * self.mean)

    def shrunk(self, prior_ratings: float = PRIOR_RATINGS) -> Array:
        """Return (M,) mean ratings less the mean of all, shrunk to 0 by so many more ratings at that mean."""
        return np.asarray((self.total - self.ratings * self.mean) / (self.ratings + prior_ratings))

    def table(self) -> pl.DataFrame:
        """Return one row per movie.

        The columns are movie (row number), ratings, plays, quality (shrunk mean rating less the mean of all) and spread
        (standard deviation of the ratings; null with fewer than two).
        """
        count = np.maximum(self.ratings, 2)
        variance = np.maximum(self.squares - self.total**2 / count, 0) / (count - 1)
        spread = np.where(self.ratings > 1, np.sqrt(variance), np.nan)
        return pl.DataFrame(
            {
                MOVIE: np.arange(len(count), dtype=np.int32),
                "ratings": self.ratings,
                "quality": self.shrunk(),
                "spread": spread,
                "plays": self.plays,
            }
        ).with_columns(pl.col("spread").fill_nan(None))


class StatisticsByFold:
    """Statistics of movies, of all members and without each fold of them."""

    def __init__(self, sums: MovieSums) -> None:
        self._sums = sums

    @property
    def whole(self) -> MovieStatistics:
        """Statistics of all members."""
        return MovieStatistics(*(column.sum(axis=0) for column in self._sums))

    def without(self, fold: int) -> MovieStatistics:
        """Return the statistics without the members of a fold."""
        return MovieStatistics(*(np.delete(column, fold, axis=0).sum(axis=0) for column in self._sums))


def movie_statistics(
    passes: Passes, partitions: Sequence[MemberPartition], fold_of: NDArray[np.int64], folds: int
) -> StatisticsByFold:
    """Sum up the ratings and plays of the movies. `fold_of` (N,) is the fold of each member, -1 for none."""
    of_members = [fold_of[part.members] % (folds + 1) for part in partitions]
    of_raters = [fold_of[part.raters] for part in partitions]
    return StatisticsByFold(passes.sum(partial(_movie_sums, folds), partitions, of_members, of_raters))


def _movie_sums(
    folds: int, partition: MemberPartition, of_members: NDArray[np.int64], of_raters: NDArray[np.int64]
) -> MovieSums:
    ratings, plays = partition.ratings(), partition.plays()
    size, values = (folds + 1) * partition.movies, ratings.data.astype(np.float64)
    rated = of_raters[ratings.indices] * partition.movies + movie_of_each(ratings)
    played = of_members[plays.indices] * partition.movies + movie_of_each(plays)
    columns = [np.bincount(rated, weights, size) for weights in (None, values, values**2)]
    columns.append(np.bincount(played, minlength=size))
    return MovieSums(*(column.reshape(-1, partition.movies).astype(np.float64) for column in columns))
