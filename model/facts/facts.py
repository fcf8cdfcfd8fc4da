"""What is known of one member and of one movie, as numbers that the features are made from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.schema import Schema

SECONDS_PER_DAY = 86_400.0


class Play(NamedTuple):
    """One play of a movie of the catalogue."""

    movie: int
    """Row of the catalogue."""
    completion: float = float("nan")
    """Share of the movie that was watched, 0 to 1; NaN where unknown."""
    played_at: float = float("nan")
    """Seconds since 1970 UTC; NaN where unknown."""


class Plays(NamedTuple):
    """Many plays, field by field as in Play."""

    movies: Sequence[int]
    completion: Sequence[float]
    played_at: Sequence[float]


@dataclass(frozen=True)
class MemberFacts:
    """What is known of a member: A attributes, P plays."""

    attributes: NDArray[np.float32]
    """(A,) category number or number of each attribute of the schema; NaN where unknown."""
    movies: NDArray[np.int32]
    """(P,) rows of the catalogue that were played, ascending, each once."""
    completion: NDArray[np.float32]
    """(P,) share watched, 0 to 1; NaN where unknown."""
    age_days: NDArray[np.float32]
    """(P,) days from the play to the end of the training data, at least 0; NaN where unknown."""

    @staticmethod
    def nothing(schema: Schema) -> "MemberFacts":
        """A member of whom nothing is known."""
        none = np.empty(0, np.float32)
        return MemberFacts(
            np.full(len(schema.member_attributes), np.nan, np.float32), np.empty(0, np.int32), none, none
        )

    def has_played(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(N,) whether each of these rows of the catalogue was played; a row below 0 never was."""
        if not len(self.movies):
            return np.zeros(len(rows), bool)
        places = np.minimum(self.movies.searchsorted(rows), len(self.movies) - 1)
        played: NDArray[np.bool_] = self.movies[places] == rows
        return played

    def without(self, movie: int) -> "MemberFacts":
        """The same member, had it not played this row of the catalogue."""
        kept = self.movies != movie
        return MemberFacts(self.attributes, self.movies[kept], self.completion[kept], self.age_days[kept])

    def without_plays(self) -> "MemberFacts":
        """The same member, had it played nothing."""
        return MemberFacts(self.attributes, self.movies[:0], self.completion[:0], self.age_days[:0])

    def with_attributes(self, given: Mapping[int, float]) -> "MemberFacts":
        """The same member with these encoded values, by position in the schema, in place of its own."""
        if not given:
            return self
        attributes = self.attributes.copy()
        attributes[list(given)] = list(given.values())
        return MemberFacts(attributes, self.movies, self.completion, self.age_days)

    def with_plays(self, plays: Iterable[Play], schema: Schema) -> "MemberFacts":
        """The same member with further plays; of two plays of one movie, the later and the higher completion count."""
        added = list(plays)
        return self.with_all_plays(Plays(*zip(*added, strict=True)), schema) if added else self

    def with_all_plays(self, plays: Plays, schema: Schema) -> "MemberFacts":
        """The same as `with_plays`, of plays as columns."""
        if not plays.movies:
            return self
        movies, completion = np.array(plays.movies, np.int32), np.array(plays.completion, np.float32)
        age_days = age_in_days(np.array(plays.played_at, np.float64), schema)
        once = len(set(plays.movies)) == len(movies)
        if len(self.movies):
            once = once and set(plays.movies).isdisjoint(self.movies.tolist())
            movies = np.concatenate([self.movies, movies])
            completion = np.concatenate([self.completion, completion])
            age_days = np.concatenate([self.age_days, age_days])
        if once:  # as in most requests
            order = movies.argsort()
            return MemberFacts(self.attributes, movies.take(order), completion.take(order), age_days.take(order))
        unique, place = np.unique(movies, return_inverse=True)
        highest = np.full(len(unique), np.nan, np.float32)
        youngest = np.full(len(unique), np.nan, np.float32)
        np.fmax.at(highest, place, completion)
        np.fmin.at(youngest, place, age_days)
        return MemberFacts(self.attributes, unique.astype(np.int32), highest, youngest)


@dataclass(frozen=True)
class MovieFacts:
    """What is known of a movie before anybody rates it: G genres, A attributes."""

    release_year: float
    """Year; NaN where unknown."""
    genres: NDArray[np.float32]
    """(G,) 1 for its genres, 0 for the others; all NaN where genres are not known."""
    attributes: NDArray[np.float32]
    """(A,) category number or number of each movie attribute of the schema; NaN where unknown."""

    @staticmethod
    def of(
        schema: Schema, release_year: float | None, genres: Iterable[str] | None, attributes: Mapping[int, float]
    ) -> "MovieFacts":
        """Facts from a description; genres that the schema lacks are left out, and none left means not known."""
        values = np.full(len(schema.movie_attributes), np.nan, np.float32)
        values[list(attributes)] = list(attributes.values())
        known = [schema.genres.index(genre) for genre in genres or () if genre in schema.genres]
        shares = np.full(len(schema.genres), np.nan, np.float32)
        if known:
            shares[:] = 0
            shares[known] = 1
        return MovieFacts(float("nan") if release_year is None else float(release_year), shares, values)

    def over(self, known: "MovieFacts") -> "MovieFacts":
        """These facts, field by field, in place of those known before; what these lack stays as it was known."""
        year, genres = self.release_year, self.genres
        return MovieFacts(
            year if np.isfinite(year) else known.release_year,
            genres if genres.size and np.isfinite(genres[0]) else known.genres,
            np.where(np.isfinite(self.attributes), self.attributes, known.attributes),
        )

    def same_as(self, other: "MovieFacts") -> bool:
        """Whether both tell the same."""
        return all(
            np.array_equal(getattr(self, name), getattr(other, name), equal_nan=True)
            for name in ("release_year", "genres", "attributes")
        )

    @property
    def is_described(self) -> bool:
        """Whether anything is known."""
        return bool(
            np.isfinite(self.release_year)
            or (self.genres.size and np.isfinite(self.genres[0]))
            or np.isfinite(self.attributes).any()
        )


def age_in_days(played_at: NDArray[np.float64], schema: Schema) -> NDArray[np.float32]:
    """Days from plays to the end of the training data; a play after it is 0 days old, NaN stays NaN."""
    if schema.end_of_data is None:
        return np.full(len(played_at), np.nan, np.float32)
    return np.maximum((schema.end_of_data - played_at) / SECONDS_PER_DAY, 0).astype(np.float32)
