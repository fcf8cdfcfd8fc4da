"""What the plays of a member say of it: one definition, over tables in polars and for one request in numpy.

Every feature is a formula over sums: each play adds columns of its movie, and of itself, to the sums of its member.
The formulas use only what polars expressions and numpy numbers share.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import COMPLETION
from features.grid import on_grid
from features.movies import MOVIE

VIEW = "view"
"""Tells apart members, or parts of one member's plays, in a table of plays."""
AGE_DAYS = "age_days"
"""Days from the play to the end of the data."""

PRIOR_PLAYS = 5.0
"""Means are drawn towards the mean of all plays as if so many plays had shown just that."""
RECENT_DAYS = 30.0
"""A play so many days old counts half as recent as one on the last day."""

Sums = Mapping[str, Any]
"""Sums over a member's plays by column: polars expressions, or numpy arrays of one shape."""


def play_columns(completion: Any, completion_known: Any, age_days: Any, age_known: Any) -> dict[str, Any]:
    """Columns of the plays themselves; what isn't known is given as 0 with a 0 beside it."""
    return {
        "plays": completion_known * 0.0 + 1.0,
        "completion": on_grid(completion * completion_known),
        "completion_known": completion_known,
        "recency": on_grid(age_known * RECENT_DAYS / (age_days + RECENT_DAYS)),
        "age_known": age_known,
    }


def formulas(sums: Sums, movie_columns: Sequence[str], log1p: Callable[[Any], Any]) -> dict[str, Any]:
    """The features of a member's plays from their sums."""
    log_plays = log1p(sums["plays"])
    return {
        "log_plays": log_plays,
        "log_plays_squared": log_plays * log_plays,
        "completion": sums["completion"] / (sums["completion_known"] + PRIOR_PLAYS),
        "completion_known": sums["completion_known"] / (sums["plays"] + PRIOR_PLAYS),
        "recency": sums["recency"] / (sums["age_known"] + PRIOR_PLAYS),
        "age_known": sums["age_known"] / (sums["plays"] + PRIOR_PLAYS),
        **{f"movies:{name}": sums[name] / (sums["plays"] + PRIOR_PLAYS) for name in movie_columns},
    }


def of_table(plays: pl.LazyFrame, movies: pl.LazyFrame, movie_columns: Sequence[str]) -> pl.LazyFrame:
    """One row of features for each view, in order of the views.

    `plays` has view, movie (a row number), completion and age_days (null where unknown); `movies` has movie and the
    movie columns.
    """
    own = play_columns(
        pl.col(COMPLETION).fill_null(0.0),
        pl.col(COMPLETION).is_not_null().cast(pl.Float64),
        pl.col(AGE_DAYS).fill_null(0.0),
        pl.col(AGE_DAYS).is_not_null().cast(pl.Float64),
    )
    names = [*own, *movie_columns]
    sums = (
        plays.join(movies, on=MOVIE, how="left")
        .with_columns(**{f"own:{name}": column for name, column in own.items()})
        .group_by(VIEW)
        .agg(
            *(pl.col(f"own:{name}").sum().alias(f"sum:{name}") for name in own),
            *(pl.col(name).cast(pl.Float64).sum().alias(f"sum:{name}") for name in movie_columns),
        )
    )
    features = formulas({name: pl.col(f"sum:{name}") for name in names}, movie_columns, lambda sum_: sum_.log1p())
    return sums.select(VIEW, **features).sort(VIEW)


def of_member(
    completion: NDArray[np.float32],
    age_days: NDArray[np.float32],
    movie_rows: NDArray[np.float32],
    movie_columns: Sequence[str],
) -> NDArray[np.float64]:
    """(F,) the same features for the P plays of one member; `movie_rows` is (P, C), NaN stands for unknown."""
    own = play_columns(
        np.nan_to_num(completion.astype(float)),
        np.isfinite(completion).astype(float),
        np.nan_to_num(age_days.astype(float)),
        np.isfinite(age_days).astype(float),
    )
    sums = {name: column.sum() for name, column in own.items()}
    sums |= dict(zip(movie_columns, movie_rows.sum(axis=0, dtype=np.float64), strict=True))
    return np.array(list(formulas(sums, movie_columns, np.log1p).values()))


def names(movie_columns: Sequence[str]) -> list[str]:
    """The features' names in their order."""
    none = np.zeros(1)
    ones = dict.fromkeys([*play_columns(none, none, none, none), *movie_columns], 1.0)
    return list(formulas(ones, movie_columns, np.log1p))
