"""Ratings that views show: raters shown as if they had begun to rate, with ratings of some of the visible plays."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import RATING
from features.movies import MEMBER, MOVIE
from features.plays import VIEW
from training.data.dataset import Dataset
from training.data.never_rater_views import SHORT, Views


@dataclass(frozen=True)
class ShownRatings:
    """Ratings that V views show, R in all, one view after the other."""

    starts: NDArray[np.int64]
    """(V + 1,) index of each view's first rating, and R at the end."""
    movie: NDArray[np.int64]
    """(R,) index of the movie, ascending for each view."""
    rating: NDArray[np.float64]
    """(R,) rating."""

    @property
    def counts(self) -> NDArray[np.int64]:
        """(V,) number of ratings that each view shows."""
        return np.diff(self.starts)

    def of(self, views: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the indices of the ratings that the given views show, in the order of the views."""
        counts = self.counts[views]
        first = self.starts[views] - (np.cumsum(counts) - counts)
        return np.asarray(first.repeat(counts) + np.arange(counts.sum()))


def show_ratings(data: Dataset, views: Views, random: np.random.Generator) -> ShownRatings:
    """Return ratings for views to show: all for a short view, and some at random for any other.

    The number for the others is drawn such that few and many ratings are equally frequent on a logarithmic scale.
    """
    visible = views.plays.select(VIEW, MOVIE).with_columns(
        pl.Series(MEMBER, views.member[views.plays[VIEW].to_numpy()])
    )
    rated = visible.join(data.ratings, on=[MEMBER, MOVIE]).sort(VIEW, MOVIE)
    view, size = rated[VIEW].to_numpy(), len(views.member)
    counts = np.bincount(view, minlength=size)
    shown = np.floor(np.exp(random.random(size) * np.log(counts + 1.0)))
    shown[views.half == SHORT] = np.inf
    drawn = rated.with_columns(pl.Series("draw", random.random(len(rated))))
    rated = drawn.filter(pl.col("draw").rank("ordinal").over(VIEW) <= pl.Series(shown[view]))
    starts = np.searchsorted(rated[VIEW].to_numpy(), np.arange(size + 1))
    return ShownRatings(starts, rated[MOVIE].to_numpy().astype(np.int64), rated[RATING].to_numpy())
