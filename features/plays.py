"""Features of a member's plays, such as their number and mean year, by the same formulas for training and requests.

Every feature is a formula over sums. Each play adds its own columns and those of its movie to the sums of its member.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.exact_sums import on_grid

VIEW = "view"
"""Column of a table of plays that tells whose they are: a member, or a rater with only some of the plays visible."""
AGE_DAYS = "age_days"
"""Column that holds the days from the play to the end of the data."""

PRIOR_PLAYS = 5.0
"""Number of made-up plays with value 0 that are added to a member's plays, to shrink means towards 0."""
RECENT_DAYS = 30.0
"""Age in days of a play whose recency, which falls from 1 to 0 with age, is 1/2."""

Sums = Mapping[str, Any]
"""Sums over a member's plays, such as of completions, by name; arrays of one shape."""


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
    """Return a movie column's mean over a member's plays, shrunk towards 0, from its `total` and the play count."""
    return total / (plays + PRIOR_PLAYS)


def own_sums(
    completion: NDArray[np.floating], age_days: NDArray[np.floating], owner: NDArray[np.int64], members: int
) -> NDArray[np.float64]:
    """Return the (N, 5) sums in OWN of N members, which don't depend on the order of the plays.

    `completion`, `age_days` (NaN if unknown) and `owner`, 0 to N - 1, are (P,) columns of plays.
    """
    watched, aged = np.isfinite(completion), np.isfinite(age_days)
    columns = (
        None,
        np.where(watched, share_watched(completion.astype(np.float64)), 0.0),
        watched,
        np.where(aged, recency(age_days.astype(np.float64)), 0.0),
        aged,
    )
    return np.array([np.bincount(owner, column, members) for column in columns], np.float64).T


def of_sums(own: NDArray[np.float64], movie_sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (N, F) features of N members, from sums in OWN (N, 5) and of each movie column (N, C)."""
    features = np.array([*own_formulas(dict(zip(OWN, own.T, strict=True)), np.log1p).values()])
    return np.concatenate([features.T, mean_of_movies(movie_sums, own[:, :1])], axis=1)


def of_members(
    completion: NDArray[np.float32],
    age_days: NDArray[np.float32],
    plays: NDArray[np.int64],
    movie_sums: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the (N, F) features of the plays of N members.

    `plays` (N,) is the number of plays of each member. `completion` and `age_days` (P,) hold the plays of all members,
    one member after the other; NaN if unknown. `movie_sums` (N, C) is the sum of each movie column over the plays.
    """
    owner = np.arange(len(plays)).repeat(plays)
    return of_sums(own_sums(completion, age_days, owner, len(plays)), movie_sums)


def names(movie_columns: Sequence[str]) -> list[str]:
    """Return the names of the features of plays that `of_members` returns, in the order of its columns."""
    own = own_formulas(dict.fromkeys(OWN, 1.0), np.log1p)
    return [*own, *(f"movies:{name}" for name in movie_columns)]
