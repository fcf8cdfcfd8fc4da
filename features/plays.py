"""Features of a member's plays, such as their number and mean year, by the same formulas for tables and requests.

Every feature is a formula over sums. Each play adds its own columns and those of its movie to the sums of its member.
The formulas use only operations that polars expressions (for tables) and NumPy arrays (for requests) have in common.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import COMPLETION
from features.exact_sums import on_grid
from features.movies import MOVIE

VIEW = "view"
"""Column of a table of plays that tells whose they are: a member, or a rater with only some of the plays visible."""
AGE_DAYS = "age_days"
"""Column that holds the days from the play to the end of the data."""

PRIOR_PLAYS = 5.0
"""Number of made-up plays with value 0 that are added to a member's plays, to shrink means towards 0."""
RECENT_DAYS = 30.0
"""Age in days of a play whose recency, which falls from 1 to 0 with age, is 1/2."""

Sums = Mapping[str, Any]
"""Sums over a member's plays, such as of completions, by name: polars expressions, or NumPy arrays of one shape."""


OWN = ("plays", "completion", "completion_known", "recency", "age_known")
"""Names of the sums over plays that don't depend on which movies were played; unknown values add 0."""


def share_watched(completion: Any) -> Any:
    """Return the completion of a play (share watched, 0 to 1), rounded so that sums of completions are exact."""
    return on_grid(completion)


def recency(age_days: Any) -> Any:
    """Return the recency of a play: 1 at age 0, 1/2 at age RECENT_DAYS, and less for older plays.

    The result is rounded, so that sums of recencies are exact.
    """
    return on_grid(RECENT_DAYS / (age_days + RECENT_DAYS))


def own_formulas(sums: Sums, log1p: Callable[[Any], Any]) -> dict[str, Any]:
    """Return the features of a member's plays that don't depend on which movies were played, by name.

    `sums` has the sums named in OWN, as polars expressions or NumPy arrays. `log1p` computes log(1 + x) of a sum.
    """
    log_plays = log1p(sums["plays"])
    return {
        "log_plays": log_plays,
        "log_plays_squared": log_plays * log_plays,
        "completion": sums["completion"] / (sums["completion_known"] + PRIOR_PLAYS),
        "completion_known": sums["completion_known"] / (sums["plays"] + PRIOR_PLAYS),
        "recency": sums["recency"] / (sums["age_known"] + PRIOR_PLAYS),
        "age_known": sums["age_known"] / (sums["plays"] + PRIOR_PLAYS),
    }


def mean_of_movies(total: Any, plays: Any) -> Any:
    """Return the mean, shrunk to 0, of a movie column over a member's plays, from its `total` and their number."""
    return total / (plays + PRIOR_PLAYS)


def of_table(plays: pl.LazyFrame, movies: pl.LazyFrame, movie_columns: Sequence[str]) -> pl.LazyFrame:
    """Return the features of the plays of each view (a member, or a rater with some plays visible), sorted by view.

    The result has one row for each view. `plays` must have the columns view, movie (a row number), completion and
    age_days (null if unknown). `movies` must have the column movie and all movie columns.
    """
    columns = (
        pl.lit(1.0),
        share_watched(pl.col(COMPLETION)).fill_null(0.0),
        pl.col(COMPLETION).is_not_null().cast(pl.Float64),
        recency(pl.col(AGE_DAYS)).fill_null(0.0),
        pl.col(AGE_DAYS).is_not_null().cast(pl.Float64),
    )
    own = dict(zip(OWN, columns, strict=True))
    sums = (
        plays.join(movies, on=MOVIE, how="left")
        .with_columns(**{f"own:{name}": column for name, column in own.items()})
        .group_by(VIEW)
        .agg(
            *(pl.col(f"own:{name}").sum().alias(f"sum:{name}") for name in own),
            *(pl.col(name).cast(pl.Float64).sum().alias(f"sum:{name}") for name in movie_columns),
        )
    )
    features = own_formulas({name: pl.col(f"sum:{name}") for name in own}, lambda sum_: sum_.log1p())
    features |= {f"movies:{name}": mean_of_movies(pl.col(f"sum:{name}"), pl.col("sum:plays")) for name in movie_columns}
    return sums.select(VIEW, **features).sort(VIEW)


def of_members(
    completion: NDArray[np.float32],
    age_days: NDArray[np.float32],
    plays: NDArray[np.int64],
    movie_sums: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the (N, F) features of the plays of N members, computed by the same formulas as in `of_table`.

    `plays` (N,) is the number of plays of each member. `completion` and `age_days` (P,) hold the plays of all members,
    one member after the other; NaN if unknown. `movie_sums` (N, C) is the sum of each movie column over the plays.
    """
    owner, members = np.arange(len(plays)).repeat(plays), len(plays)
    watched, aged = np.isfinite(completion), np.isfinite(age_days)
    columns = (
        np.where(watched, share_watched(completion.astype(np.float64)), 0.0),
        watched,
        np.where(aged, recency(age_days.astype(np.float64)), 0.0),
        aged,
    )
    added = (np.bincount(owner, column, members) for column in columns)  # exact, so independent of the other members
    sums = dict(zip(OWN, (plays.astype(np.float64), *added), strict=True))
    own = np.array([*own_formulas(sums, np.log1p).values()])
    return np.concatenate([own.T, mean_of_movies(movie_sums, plays[:, None])], axis=1)


def names(movie_columns: Sequence[str]) -> list[str]:
    """Return the names of the features of plays that `of_members` returns, in the order of its columns."""
    own = own_formulas(dict.fromkeys(OWN, 1.0), np.log1p)
    return [*own, *(f"movies:{name}" for name in movie_columns)]
