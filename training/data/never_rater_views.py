"""Views: raters shown as if they never or hardly rated, with some plays visible and ratings of others to predict."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import COMPLETION, RATING
from features.movies import MEMBER, MOVIE
from features.plays import AGE_DAYS, VIEW

HALF = "half"
"""Column that tells in which half of a member's plays each play is: 0 or 1."""
SHORT = 2
"""Value of `Views.half` for short views, which show only a few plays."""
VIEWS = 3
"""Number of views of each rater: one for each half of the plays, and a short one. They follow one another."""
MOST_TARGETS = 500_000
"""Maximum number of ratings to predict from views that show ratings, by raters drawn at random."""
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
    """Visible plays with columns view, movie, completion, age_days and rating (null without one), sorted by view and
    movie."""
    targets: pl.DataFrame
    """Ratings to predict, of movies that aren't visible. Columns view, movie and rating, sorted by view and movie."""
    play_count: NDArray[np.int64]
    """(V,) number of visible plays."""

    def only(self, chosen: NDArray[np.bool_]) -> "Views":
        """Return the views selected by a (V,) mask, renumbered."""
        number = pl.Series(np.cumsum(chosen) - 1)
        shown = (table.filter(pl.Series(chosen).gather(table[VIEW])) for table in (self.plays, self.targets))
        plays, targets = (table.with_columns(number.gather(table[VIEW]).alias(VIEW)) for table in shown)
        return Views(
            self.member[chosen],
            self.half[chosen],
            self.attributes[chosen],
            plays,
            targets,
            self.play_count[chosen],
        )

    @staticmethod
    def joined(parts: Sequence["Views"]) -> "Views":
        """Return the views of all parts, numbered anew."""
        starts = np.cumsum([0, *(len(part.member) for part in parts)])
        plays, targets = (
            pl.concat(
                getattr(part, name).with_columns(pl.col(VIEW) + pl.lit(start, pl.Int64))
                for part, start in zip(parts, starts.tolist(), strict=False)
            )
            for name in ("plays", "targets")
        )
        member, half, attributes, play_count = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("member", "half", "attributes", "play_count")
        )
        return Views(member, half, attributes, plays, targets, play_count)


def divided(plays: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    """Add the columns rater (0 to U - 1) and half to the plays of raters, and is_short to those in short views.

    `plays` has the columns member, movie and rating, sorted by the first two. Plays of members without ratings are
    left out.
    """
    owner = plays[MEMBER].to_numpy()
    rates = np.bincount(owner, plays[RATING].is_not_null().to_numpy(), minlength=1) > 0
    place = np.cumsum(rates) - 1
    drawn = plays.with_columns(
        pl.Series("rater", place[owner]),
        pl.Series(HALF, random.integers(0, 2, len(plays))),
        pl.Series("draw", random.random(len(plays))),
    ).filter(pl.Series(rates[owner]))
    raters = int(rates.sum())
    counts = np.bincount(drawn.filter(pl.col(HALF) == 0)["rater"].to_numpy(), minlength=raters)
    lengths = np.floor(np.exp(random.random(raters) * np.log(np.maximum(counts, 1) + 1)))
    rank = pl.col("draw").rank("ordinal").over("rater", HALF)
    length = pl.Series("length", lengths[drawn["rater"].to_numpy()])
    return drawn.with_columns(is_short=(pl.col(HALF) == 0) & (rank <= length)).drop("draw")


def make_views(
    plays: pl.DataFrame, raters: NDArray[np.int64], attributes: NDArray[np.float32], random: np.random.Generator
) -> Views:
    """Return three views of each of U raters: two with half of the plays visible, one with only a few.

    `plays` is the result of `divided`, with completion and age_days; `raters` (U,) are the row numbers of the raters
    in the dataset, and `attributes` (U, A) their attributes. A view may have no plays or no ratings to predict.
    """
    halves = plays.with_columns((pl.col("rater") * VIEWS + pl.col(HALF)).alias(VIEW))
    short = plays.filter("is_short").with_columns((pl.col("rater") * VIEWS + SHORT).alias(VIEW))
    columns = [VIEW, MOVIE, COMPLETION, AGE_DAYS, RATING]
    visible = pl.concat([halves.select(columns), short.select(columns)]).sort(VIEW, MOVIE)
    rated = plays.filter(pl.col(RATING).is_not_null())
    first_half, other_half = pl.col(HALF) == 0, pl.col(HALF) == 1
    targets = pl.concat(
        [
            rated.filter(keep).select((pl.col("rater") * VIEWS + offset).alias(VIEW), MOVIE, RATING)
            for keep, offset in ((other_half, 0), (first_half, 1), (other_half, SHORT))
        ]
    ).sort(VIEW, MOVIE)
    half = np.tile([0, 1, SHORT], len(raters))
    shown = np.repeat(attributes, VIEWS, axis=0)
    hides = (half == SHORT) & (random.random(len(half)) < HIDING_SHARE)
    shown[hides[:, None] & (random.random(shown.shape) < HIDDEN_SHARE)] = np.nan
    play_count = np.bincount(visible[VIEW].to_numpy(), minlength=len(half))
    return Views(np.repeat(raters, VIEWS), half, shown, visible, targets, play_count)


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


def show_ratings(views: Views, random: np.random.Generator, most_targets: int = MOST_TARGETS) -> ShownRatings:
    """Return ratings for views to show: all for a short view, and some at random for any other.

    The number for the others is drawn such that few and many ratings are equally frequent on a logarithmic scale. If
    all raters have more than `most_targets` ratings to predict, only as many raters as have these show any.
    """
    counts = rated_count(views)
    most = np.floor(np.exp(random.random(len(counts)) * np.log(counts + 1.0)))
    most[views.half == SHORT] = np.inf
    targets = np.bincount(views.targets[VIEW].to_numpy(), minlength=len(most)).reshape(-1, VIEWS).sum(axis=1)
    if targets.sum() > most_targets:
        raters = random.permutation(len(targets))
        most.reshape(-1, VIEWS)[raters[np.cumsum(targets[raters]) > most_targets]] = 0
    return show_at_most(views, most, random)


def show_at_most(views: Views, most: NDArray[np.float64], random: np.random.Generator) -> ShownRatings:
    """Return ratings for V views to show, drawn at random, at most so many for each view as in `most` (V,).

    With the same random numbers, and the same views that show any, a view that shows more shows the fewer ones too.
    """
    shows = pl.Series(most > 0)
    rated = views.plays.filter(pl.col(RATING).is_not_null() & shows.gather(views.plays[VIEW]))
    drawn = rated.with_columns(pl.Series("draw", random.random(len(rated))))
    rank = pl.col("draw").rank("ordinal").over(VIEW)
    rated = drawn.filter(rank <= pl.Series(most[rated[VIEW].to_numpy()]))
    starts = np.searchsorted(rated[VIEW].to_numpy(), np.arange(len(most) + 1))
    return ShownRatings(starts, rated[MOVIE].to_numpy().astype(np.int64), rated[RATING].to_numpy())


def rated_count(views: Views) -> NDArray[np.int64]:
    """Return (V,) numbers of visible plays whose rating is known."""
    rated = views.plays.filter(pl.col(RATING).is_not_null())
    return np.bincount(rated[VIEW].to_numpy(), minlength=len(views.member))
