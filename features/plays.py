"""Features of a member's plays: one definition, over tables in polars and for requests in numpy.

Every feature is a formula over sums: each play adds columns of its movie, and of itself, to the sums of its member.
The formulas use only what polars expressions and numpy numbers share.
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
"""Identifies a member, or a part of a member's plays, in a table of plays."""
AGE_DAYS = "age_days"
"""Days from the play to the end of the data."""

PRIOR_PLAYS = 5.0
"""Pseudo-count of plays at the mean of all plays, by which means are shrunk."""
RECENT_DAYS = 30.0
"""Half-life of recency, in days."""

Sums = Mapping[str, Any]
"""Sums over a member's plays by column: polars expressions, or numpy arrays of one shape."""


OWN = ("plays", "completion", "completion_known", "recency", "age_known")
"""The terms of a play in the sums that don't depend on its movie; 0 for unknown values."""


def share_watched(completion: Any) -> Any:
    """The term of a play of known completion in the sum of completions."""
    return on_grid(completion)


def recency(age_days: Any) -> Any:
    """The term of a play of known age in the sum of recencies: 1 on the last day, decreasing with age."""
    return on_grid(RECENT_DAYS / (age_days + RECENT_DAYS))


def own_formulas(sums: Sums, log1p: Callable[[Any], Any]) -> dict[str, Any]:
    """The features that don't depend on the movies, from sums over a member's plays."""
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
    """The feature of a column of the movies from its sum over a member's plays."""
    return total / (plays + PRIOR_PLAYS)


def of_table(plays: pl.LazyFrame, movies: pl.LazyFrame, movie_columns: Sequence[str]) -> pl.LazyFrame:
    """One row of features for each view, in order of the views.

    `plays` has view, movie (a row number), completion and age_days (null where unknown); `movies` has movie and the
    movie columns.
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
    """(N, F) the same features for N members with these numbers of `plays` (N,).

    `completion` and `age_days` (P,) of all their plays, one member after the other, are NaN where unknown; `movie_sums`
    is (N, C).
    """
    owner, members = np.arange(len(plays)).repeat(plays), len(plays)
    watched, aged = np.isfinite(completion), np.isfinite(age_days)
    columns = (
        np.where(watched, share_watched(completion.astype(np.float64)), 0.0),
        watched,
        np.where(aged, recency(age_days.astype(np.float64)), 0.0),
        aged,
    )
    added = (np.bincount(owner, column, members) for column in columns)  # exact, and so the same in any company
    sums = dict(zip(OWN, (plays.astype(np.float64), *added), strict=True))
    own = np.array([*own_formulas(sums, np.log1p).values()])
    return np.concatenate([own.T, mean_of_movies(movie_sums, plays[:, None])], axis=1)


def names(movie_columns: Sequence[str]) -> list[str]:
    """The features' names in their order."""
    own = own_formulas(dict.fromkeys(OWN, 1.0), np.log1p)
    return [*own, *(f"movies:{name}" for name in movie_columns)]
