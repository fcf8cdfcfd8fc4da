"""Inputs of the trees: features of a member and a movie together, computed alike in training and serving.

The trees are a LightGBM model that corrects the rating predicted by a factorization, which is called the prior. Their
inputs are also called tree features.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

MOVIE_NUMBERS = ("quality", "log_ratings", "spread", "log_plays", "release_year")
"""Names of the features of a movie alone; quality (shrunk mean rating) and spread are NaN if nobody rated the movie."""
COMPARED = ("quality", "popularity", "year")
"""Names of the movie columns of which the difference from the mean of the member's plays is a feature."""
PRIOR_NUMBERS = ("prior", "fit", "generosity", "uncertainty")
"""Names of the features from the prior: its rating less the mean, the part due to taste, the member's generosity, and
the standard deviation of the rating about it."""


@dataclass(frozen=True)
class Movies:
    """Columns of N movies from which the inputs of the trees are computed."""

    numbers: Array
    """(N, 5) features of the movie alone, in the order of MOVIE_NUMBERS."""
    compared: Array
    """(N, 3) columns, on comparable scales, in the order of COMPARED."""
    genres: Array
    """(N, G) 1 / number of the movie's genres for each of its genres, else 0; NaN if unknown."""
    attributes: Array
    """(N, B) category numbers or numeric values; NaN if unknown."""
    direction: Array
    """(N, E) unit vector of the movie in the embedding that is computed from who plays what; zeros if nobody played
    it."""
    group_residuals: Array
    """(N, T) mean by which members of each of T groups (such as one gender) rate the movie above the prior, shrunk to
    0."""


@dataclass(frozen=True)
class ReadyMovies:
    """N movies for which the inputs of the trees that depend on the movie alone are already computed."""

    features: NDArray[np.float32]
    """(N, F) inputs of the trees; those that don't depend on the movie alone are still NaN."""
    compared: Array
    """(N, 3) columns in the order of COMPARED, as in Movies."""
    genres: Array
    """(N, G) 1 / number of the movie's genres for each of its genres, else 0, also if unknown."""
    direction: Array
    """(N, E) unit vectors of the movies in the embedding, as in Movies."""
    group_residuals: Array
    """(N, T + 1) mean residuals by group of members, as in Movies, and a last column of NaN for members of unknown
    group."""

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
        """Return the movies of all parts as one object, in order."""
        return ReadyMovies(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in ReadyMovies.__dataclass_fields__)
        )


@dataclass(frozen=True)
class Members:
    """Columns of members from which the inputs of the trees are computed: N rows, or one row for all N movies."""

    evidence: NDArray[np.int64]
    """(N,) what is known of each member: a MemberEvidence, such as attributes or plays."""
    log_plays: Array
    """(N,) log(1 + number of plays)."""
    compared: Array
    """(N, 3) mean over the movies that the member played of each column in COMPARED; NaN without plays."""
    genres: Array
    """(N, G) mean share of each genre among the member's plays, less that among all plays; NaN without plays."""
    embedding: Array
    """(N, E) position of the member in the embedding that is computed from who plays what."""
    groups: NDArray[np.int64]
    """(N, A') column of `group_residuals` for the group that the member's value of each attribute is in; -1 if
    unknown."""

    def repeat(self, counts: NDArray[np.int64]) -> "Members":
        """Return a copy with the row of member n repeated `counts[n]` times, once for each movie to predict."""
        return Members(*(getattr(self, name).repeat(counts, axis=0) for name in Members.__dataclass_fields__))

    def take(self, rows: NDArray[np.int64]) -> "Members":
        """Return a copy of these rows."""
        return Members(*(getattr(self, name).take(rows, axis=0) for name in Members.__dataclass_fields__))


EVIDENCE, LOG_PLAYS, PRIOR, NUMBERS, BEYOND, AFFINITY, SIMILARITY = 0, 1, 2, 6, 11, 14, 15
"""Column numbers of the inputs of the trees, or of the first of several of one kind."""
GROUPS = 16
"""Column number of the first mean residual by group; genres follow after these, then movie attributes."""


def ready(movies: Movies, groups: int) -> ReadyMovies:
    """Return the movies with all inputs of the trees computed that depend on the movie alone.

    `groups` is the number of member attributes for which there are mean residuals by group of members.
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
    """Return a mask of the inputs of the trees that depend on the movie alone, not on the member.

    `groups` is the number of member attributes with mean residuals by group, and `width` the number of all inputs.
    """
    alone = np.zeros(width, bool)
    alone[NUMBERS:BEYOND] = alone[GROUPS + groups :] = True
    return alone


def pair_features(members: Members, movies: ReadyMovies, prior: Array) -> NDArray[np.float32]:
    """Return the (N, F) inputs of the trees for N pairs of member and movie; `movies.features` is overwritten.

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
    """Return the names of the inputs of the trees, in order.

    The part of a name before the colon tells the heading under which explanations count the input.
    """
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
