"""Features of pairs of a member and a movie, in numpy, for training and serving alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

MOVIE_NUMBERS = ("quality", "log_ratings", "spread", "log_plays", "release_year")
"""The trees' features of a movie alone; NaN where nobody rated it."""
COMPARED = ("quality", "popularity", "year")
"""Scaled columns of movies whose distance to the mean of a member's plays is a feature."""
PRIOR_NUMBERS = ("prior", "fit", "generosity", "uncertainty")
"""The trees' features of the prior: its rating less the mean, the taste part, generosity, standard deviation."""


@dataclass(frozen=True)
class Movies:
    """The trees' columns of N movies."""

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
    """(N, T) how much higher each group of each member attribute rates the movie than all members do."""


@dataclass(frozen=True)
class ReadyMovies:
    """N movies with all features that depend on the movie alone computed."""

    features: NDArray[np.float32]
    """(N, F) features of pairs, of which those of the movie alone are filled in."""
    compared: Array
    """(N, 3) as in Movies."""
    genres: Array
    """(N, G) share of each genre; 0 where unknown."""
    direction: Array
    """(N, E) as in Movies."""
    group_residuals: Array
    """(N, T + 1) as in Movies, with NaN in a last column for members whose group isn't known."""

    def take(self, rows: NDArray[np.int64]) -> "ReadyMovies":
        """The movies in these rows."""
        return ReadyMovies(
            self.features.take(rows, axis=0),
            self.compared.take(rows, axis=0),
            self.genres.take(rows, axis=0),
            self.direction.take(rows, axis=0),
            self.group_residuals.take(rows, axis=0),
        )

    @staticmethod
    def join(parts: "Sequence[ReadyMovies]") -> "ReadyMovies":
        """Concatenate the movies of all parts."""
        return ReadyMovies(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in ReadyMovies.__dataclass_fields__)
        )


@dataclass(frozen=True)
class Members:
    """The trees' columns of N members, or of 1 for all movies."""

    evidence: NDArray[np.int64]
    """(N,) a MemberEvidence each."""
    log_plays: Array
    """(N,) log(1 + plays)."""
    compared: Array
    """(N, 3) mean of the plays in the order of COMPARED; NaN without plays."""
    genres: Array
    """(N, G) share of each genre in the member's plays, centred over all plays; NaN without plays."""
    embedding: Array
    """(N, E) place in the space of plays."""
    groups: NDArray[np.int64]
    """(N, A') column of the movies' `group_residuals` that the member belongs to, for each attribute; -1 unknown."""

    def repeat(self, counts: NDArray[np.int64]) -> "Members":
        """Repeat the row of each member by its (N,) count."""
        return Members(*(getattr(self, name).repeat(counts, axis=0) for name in Members.__dataclass_fields__))


EVIDENCE, LOG_PLAYS, PRIOR, NUMBERS, BEYOND, AFFINITY, SIMILARITY = 0, 1, 2, 6, 11, 14, 15
"""Positions of features, or of the first of several; residuals of groups come next, then genres, then attributes."""
GROUPS = 16


def ready(movies: Movies, groups: int) -> ReadyMovies:
    """Compute the features that depend on the movies alone, for `groups` member attributes with groups."""
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
    """(F,) whether each of F features depends on the movie alone, for `groups` member attributes with groups."""
    alone = np.zeros(width, bool)
    alone[NUMBERS:BEYOND] = alone[GROUPS + groups :] = True
    return alone


def pair_features(members: Members, movies: ReadyMovies, prior: Array) -> NDArray[np.float32]:
    """(N, F) features of N pairs, written into those of `movies`; `prior` is (N, 4) in the order of PRIOR_NUMBERS."""
    features, plays = movies.features, np.isfinite(members.compared[:, 0])
    features[:, EVIDENCE] = members.evidence
    features[:, LOG_PLAYS] = members.log_plays
    features[:, PRIOR:NUMBERS] = prior
    features[:, BEYOND:AFFINITY] = movies.compared - members.compared
    features[:, AFFINITY] = (movies.genres * members.genres).sum(axis=1)
    similarity = (movies.direction * members.embedding).sum(axis=1)
    features[:, SIMILARITY] = np.where(plays, similarity, np.nan)
    groups = members.groups.shape[1]
    if groups and len(members.groups) == 1:  # -1, not known, takes the last column in both
        features[:, GROUPS : GROUPS + groups] = movies.group_residuals.take(members.groups[0], axis=1)
    elif groups:
        features[:, GROUPS : GROUPS + groups] = np.take_along_axis(movies.group_residuals, members.groups, axis=1)
    return features


def pair_names(member_attributes: Sequence[str], genres: Sequence[str], movie_attributes: Sequence[str]) -> list[str]:
    """(F,) names of the features, each with its group of explanations as a prefix."""
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
