"""Features of member-movie pairs, in NumPy, used by both training and serving.

They are called tree features, since they are the inputs of the trees that correct the prior.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

MOVIE_NUMBERS = ("quality", "log_ratings", "spread", "log_plays", "release_year")
"""Names of the tree features of a movie alone; quality and spread are NaN if nobody rated the movie."""
COMPARED = ("quality", "popularity", "year")
"""Names of the scaled movie columns whose difference from their mean over the member's plays is a tree feature."""
PRIOR_NUMBERS = ("prior", "fit", "generosity", "uncertainty")
"""Names of the tree features from the prior: its rating less the mean, taste part, generosity, standard deviation."""


@dataclass(frozen=True)
class Movies:
    """Columns of N movies from which the tree features are computed."""

    numbers: Array
    """(N, 5) features of the movie alone, in the order of MOVIE_NUMBERS."""
    compared: Array
    """(N, 3) scaled columns, in the order of COMPARED."""
    genres: Array
    """(N, G) share of each genre; NaN if unknown."""
    attributes: Array
    """(N, B) category numbers or numeric values; NaN if unknown."""
    direction: Array
    """(N, E) unit vector of the movie in the embedding space of plays; zeros if nobody played the movie."""
    group_residuals: Array
    """(N, T) shrunk mean residual of the movie's ratings by members of each of the T groups, of all attributes."""


@dataclass(frozen=True)
class ReadyMovies:
    """N movies for which the features that depend on the movie alone are already computed."""

    features: NDArray[np.float32]
    """(N, F) features of pairs; those that don't depend on the movie alone are NaN."""
    compared: Array
    """(N, 3) scaled columns, as in Movies."""
    genres: Array
    """(N, G) share of each genre; 0 if unknown."""
    direction: Array
    """(N, E) unit vectors, as in Movies."""
    group_residuals: Array
    """(N, T + 1) residuals, as in Movies, and a last column of NaN for members whose group is unknown."""

    def take(self, rows: NDArray[np.int64]) -> "ReadyMovies":
        """Return the movies at the given row numbers, in the same order."""
        return ReadyMovies(
            self.features.take(rows, axis=0),
            self.compared.take(rows, axis=0),
            self.genres.take(rows, axis=0),
            self.direction.take(rows, axis=0),
            self.group_residuals.take(rows, axis=0),
        )

    @staticmethod
    def join(parts: "Sequence[ReadyMovies]") -> "ReadyMovies":
        """Return the movies of all parts, concatenated."""
        return ReadyMovies(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in ReadyMovies.__dataclass_fields__)
        )


@dataclass(frozen=True)
class Members:
    """Columns of members from which the tree features are computed: N rows, or a single row for all N movies."""

    evidence: NDArray[np.int64]
    """(N,) MemberEvidence of each member."""
    log_plays: Array
    """(N,) log(1 + number of plays)."""
    compared: Array
    """(N, 3) mean over the member's plays of each column in COMPARED; NaN without plays."""
    genres: Array
    """(N, G) mean genre shares of the member's plays, less their mean over all plays; NaN without plays."""
    embedding: Array
    """(N, E) position in the embedding space of plays."""
    groups: NDArray[np.int64]
    """(N, A') index of the column of `group_residuals` for the member's group in each attribute; -1 if unknown."""

    def repeat(self, counts: NDArray[np.int64]) -> "Members":
        """Return a copy in which the row of each member is repeated; `counts` (N,) has the numbers of repetitions."""
        return Members(*(getattr(self, name).repeat(counts, axis=0) for name in Members.__dataclass_fields__))


EVIDENCE, LOG_PLAYS, PRIOR, NUMBERS, BEYOND, AFFINITY, SIMILARITY = 0, 1, 2, 6, 11, 14, 15
"""Column numbers of the features, or of the first of several features of one kind."""
GROUPS = 16
"""Column number of the first group residual; genres follow after the residuals, then movie attributes."""


def ready(movies: Movies, groups: int) -> ReadyMovies:
    """Return the movies with the features computed that depend on the movie alone.

    `groups` is the number of member attributes with group residuals.
    """
    rows, genres = movies.genres.shape
    width = GROUPS + groups + genres + movies.attributes.shape[1]
    features = np.full((rows, width), np.nan, np.float32)
    features[:, NUMBERS:BEYOND] = movies.numbers
    features[:, GROUPS + groups : GROUPS + groups + genres] = movies.genres
    features[:, GROUPS + groups + genres :] = movies.attributes
    nothing = np.full((rows, 1), np.nan, movies.group_residuals.dtype)
    residuals = np.concatenate([movies.group_residuals, nothing], axis=1)
    return ReadyMovies(features, movies.compared, np.nan_to_num(movies.genres), movies.direction, residuals)


def of_movies_alone(groups: int, width: int) -> NDArray[np.bool_]:
    """Return a mask of the features that depend on the movie alone.

    `groups` is the number of member attributes with group residuals, and `width` the number of all features.
    """
    alone = np.zeros(width, bool)
    alone[NUMBERS:BEYOND] = alone[GROUPS + groups :] = True
    return alone


def pair_features(members: Members, movies: ReadyMovies, prior: Array) -> NDArray[np.float32]:
    """Return the (N, F) features of N pairs, which overwrite `movies.features` in place.

    `prior` (N, 4) has the features from the prior, in the order of PRIOR_NUMBERS.
    """
    features, plays = movies.features, np.isfinite(members.compared[:, 0])
    features[:, EVIDENCE] = members.evidence
    features[:, LOG_PLAYS] = members.log_plays
    features[:, PRIOR:NUMBERS] = prior
    features[:, BEYOND:AFFINITY] = movies.compared - members.compared
    features[:, AFFINITY] = (movies.genres * members.genres).sum(axis=1)
    similarity = (movies.direction * members.embedding).sum(axis=1)
    features[:, SIMILARITY] = np.where(plays, similarity, np.nan)
    groups = members.groups.shape[1]
    if groups and len(members.groups) == 1:  # -1 (unknown) selects the last column, NaN, in both branches
        features[:, GROUPS : GROUPS + groups] = movies.group_residuals.take(members.groups[0], axis=1)
    elif groups:
        features[:, GROUPS : GROUPS + groups] = np.take_along_axis(movies.group_residuals, members.groups, axis=1)
    return features


def pair_names(member_attributes: Sequence[str], genres: Sequence[str], movie_attributes: Sequence[str]) -> list[str]:
    """Return the names of the F features of a pair. The part before the colon decides the group in explanations."""
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
