"""Views: raters shown as if they never rated, with some plays visible and ratings of other movies to predict."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import COMPLETION, RATING
from features.movies import MEMBER, MOVIE
from features.plays import AGE_DAYS, VIEW
from training.data.dataset import Dataset

HALF = "half"
SHORT = 2
"""Value of `Views.half` for short views, which show only a few plays."""
HIDING_SHARE, HIDDEN_SHARE = 0.5, 0.6
"""Share of short views that hide attributes, and probability that such a view hides a given attribute."""


@dataclass(frozen=True)
class Views:
    """V views (raters shown with only some of their plays), three per rater, to train and test predictions on.

    There is one for each half of the plays, and a short one with part of the first half.
    """

    member: NDArray[np.int64]
    """(V,) row number of the view's member in the dataset."""
    half: NDArray[np.int64]
    """(V,) which half of the member's plays is visible, 0 or 1; SHORT for a short view."""
    attributes: NDArray[np.float32]
    """(V, A) encoded attributes that are visible, NaN if unknown or hidden."""
    plays: pl.DataFrame
    """Visible plays with columns view, movie, completion and age_days, sorted by view and movie."""
    targets: pl.DataFrame
    """Ratings to predict, of movies that aren't visible. Columns view, movie and rating, sorted by view and movie."""
    play_count: NDArray[np.int64]
    """(V,) number of visible plays."""

    def only(self, chosen: NDArray[np.bool_]) -> "Views":
        """Return the views selected by a (V,) mask, renumbered and without ratings to predict."""
        number = pl.Series(np.cumsum(chosen) - 1)
        plays = self.plays.filter(pl.Series(chosen).gather(self.plays[VIEW]))
        return Views(
            self.member[chosen],
            self.half[chosen],
            self.attributes[chosen],
            plays.with_columns(number.gather(plays[VIEW]).alias(VIEW)),
            self.targets.clear(),
            self.play_count[chosen],
        )


def make_views(data: Dataset, random: np.random.Generator) -> Views:
    """Return three views of each rater: two with half of the plays visible, one with only a few.

    A view may have no plays or no ratings to predict.
    """
    raters = data.raters
    place = np.full(len(data.member_ids), -1)
    place[raters] = np.arange(len(raters))
    owner = place[data.plays[MEMBER].to_numpy()]
    plays = data.plays.with_columns(
        pl.Series("rater", owner),
        pl.Series(HALF, random.integers(0, 2, len(data.plays))),
        pl.Series("draw", random.random(len(data.plays))),
    ).filter(pl.col("rater") >= 0)
    counts = np.bincount(plays.filter(pl.col(HALF) == 0)["rater"].to_numpy(), minlength=len(raters))
    lengths = np.floor(np.exp(random.random(len(raters)) * np.log(np.maximum(counts, 1) + 1)))
    halves = plays.with_columns((pl.col("rater") * 3 + pl.col(HALF)).alias(VIEW))
    first = plays.filter(pl.col(HALF) == 0)
    rank = pl.col("draw").rank("ordinal").over("rater")
    short = first.filter(rank <= pl.Series(lengths[first["rater"].to_numpy()])).with_columns(
        (pl.col("rater") * 3 + 2).alias(VIEW)
    )
    columns = [VIEW, MOVIE, COMPLETION, AGE_DAYS]
    visible = pl.concat([halves.select(columns), short.select(columns)]).sort(VIEW, MOVIE)
    rated = data.ratings.join(plays.select(MEMBER, MOVIE, "rater", HALF), on=[MEMBER, MOVIE])
    first_half, other_half = pl.col(HALF) == 0, pl.col(HALF) == 1
    targets = pl.concat(
        [
            rated.filter(keep).select((pl.col("rater") * 3 + offset).alias(VIEW), MOVIE, RATING)
            for keep, offset in ((other_half, 0), (first_half, 1), (other_half, 2))
        ]
    ).sort(VIEW, MOVIE)
    member = np.repeat(raters, 3)
    half = np.tile([0, 1, SHORT], len(raters))
    attributes = data.attributes[member]
    hides = (half == SHORT) & (random.random(len(half)) < HIDING_SHARE)
    attributes[hides[:, None] & (random.random(attributes.shape) < HIDDEN_SHARE)] = np.nan
    play_count = np.bincount(visible[VIEW].to_numpy(), minlength=len(member))
    return Views(member, half, attributes, visible, targets, play_count)
