"""What a member and a movie are to each other: one definition in numpy for training rows and for requests."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

MOVIE_NUMBERS = ("quality", "log_ratings", "spread", "log_plays", "release_year")
"""What trees see of a movie itself; NaN where nobody rated it."""
COMPARED = ("quality", "popularity", "year")
"""Scaled columns of movies whose distance to the mean of a member's plays is a feature."""
PRIOR_NUMBERS = ("prior", "fit", "generosity", "uncertainty")
"""What trees see of the prior: its rating less the mean, the taste part, generosity, standard deviation."""


@dataclass(frozen=True)
class Movies:
    """Movies as trees see them: N rows."""

    numbers: Array
    """(N, 5) in the order of MOVIE_NUMBERS."""
    compared: Array
    """(N, 3) in the order of COMPARED, centred and scaled over plays."""
    genres: Array
    """(N, G) share of each genre; NaN where unknown."""
    attributes: Array
    """(N, B) category numbers or numbers; NaN where unknown."""
    direction: Array
    """(N, E) unit vector in the space of plays; zeros for a movie that nobody played."""
    group_residuals: Array
    """(N, T) for each group of each member attribute: how much better the group rates it than all do."""


@dataclass(frozen=True)
class Members:
    """Members as trees see them: N rows, or 1 that goes with every movie."""

    evidence: NDArray[np.int64]
    """(N,) a MemberEvidence each."""
    log_plays: Array
    """(N,) log(1 + plays)."""
    compared: Array
    """(N, 3) mean of the plays in the order of COMPARED; NaN without plays."""
    genres: Array
    """(N, G) how much more of each genre it plays than all do; NaN without plays."""
    embedding: Array
    """(N, E) place in the space of plays."""
    groups: NDArray[np.int64]
    """(N, A') column of the movies' `group_residuals` that the member belongs to, for each attribute; -1 unknown."""


def pair_features(members: Members, movies: Movies, prior: Array) -> NDArray[np.float32]:
    """(N, F) features of N pairs; `prior` is (N, 4) in the order of PRIOR_NUMBERS."""
    rows = len(movies.numbers)
    wide = [np.broadcast_to(column, (rows,))[:, None] for column in (members.evidence, members.log_plays)]
    affinity = (np.nan_to_num(movies.genres) * members.genres).sum(axis=1, keepdims=True)
    similarity = (movies.direction * members.embedding).sum(axis=1, keepdims=True)
    similarity = np.where(np.isfinite(members.compared[:, :1]), similarity, np.nan)
    groups = np.broadcast_to(members.groups, (rows, members.groups.shape[1]))
    residuals = np.take_along_axis(movies.group_residuals, np.maximum(groups, 0), axis=1) if groups.size else groups
    return np.concatenate(
        [
            *wide,
            prior,
            movies.numbers,
            movies.compared - members.compared,
            affinity,
            similarity,
            np.where(groups >= 0, residuals, np.nan),
            movies.genres,
            movies.attributes,
        ],
        axis=1,
        dtype=np.float32,
        casting="same_kind",
    )


def pair_names(member_attributes: Sequence[str], genres: Sequence[str], movie_attributes: Sequence[str]) -> list[str]:
    """(F,) names of the features, each after the group of an explanation that it belongs to."""
    return [
        "prior:evidence",
        "plays:log_plays",
        *(f"prior:{name}" for name in PRIOR_NUMBERS),
        *(f"movie:{name}" for name in MOVIE_NUMBERS),
        *(f"plays:{name}_beyond_plays" for name in COMPARED),
        "plays:genre_affinity",
        "plays:similarity",
        *(f"attributes:{name}" for name in member_attributes),
        *(f"movie:genre_{place}" for place, _ in enumerate(genres)),
        *(f"movie:attribute_{place}" for place, _ in enumerate(movie_attributes)),
    ]
