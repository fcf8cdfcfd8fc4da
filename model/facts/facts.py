"""What is known of a member (attributes, plays, ratings) or a movie (year, genres, attributes), encoded as numbers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.schema import Schema
from features.values.genres import genre_numbers
from features.values.missing import marked_numbers

SECONDS_PER_DAY = 86_400.0


class Play(NamedTuple):
    """One play of a movie in the catalogue, perhaps with the member's rating."""

    movie: int
    """Row of the movie in the catalogue."""
    completion: float = float("nan")
    """Share of the movie that was watched, 0 to 1; NaN if unknown."""
    played_at: float = float("nan")
    """Time of the play, or of the rating if there is one, in seconds since 1970 UTC; NaN if unknown."""
    rating: float = float("nan")
    """Rating that the member gave; NaN if none."""


class Plays(NamedTuple):
    """Several plays as columns, one for each field of Play, and the ratings among them."""

    movies: Sequence[int]
    completion: Sequence[float]
    played_at: Sequence[float]
    ratings: Sequence[tuple[int, float, float]] = ()
    """Ratings that the member gave, each as catalogue row, rating and time; all rated movies are among the plays."""

    def with_ratings(self, ratings: Sequence[tuple[int, float, float]]) -> "Plays":
        """Return a copy with ratings added, each as catalogue row, rating and time, since a rating is a play too.

        When a movie was rated doesn't tell when it was played.
        """
        if not ratings:
            return self
        unknown = [float("nan")] * len(ratings)
        return Plays(
            [*self.movies, *(movie for movie, _, _ in ratings)],
            [*self.completion, *unknown],
            [*self.played_at, *unknown],
            [*self.ratings, *ratings],
        )


@dataclass(frozen=True)
class Ratings:
    """R ratings of one member, of movies in the catalogue."""

    movies: NDArray[np.int32]
    """(R,) catalogue rows of the rated movies, ascending and unique."""
    values: NDArray[np.float64]
    """(R,) ratings, within the scale."""
    rated_at: NDArray[np.float64]
    """(R,) times of the ratings in seconds since 1970 UTC; NaN if unknown."""

    @staticmethod
    def of(movies: NDArray[np.int32], values: NDArray[np.float64], rated_at: NDArray[np.float64]) -> "Ratings":
        """Return the ratings among P plays, of which `values` (P,) and `rated_at` (P,) are NaN if not rated."""
        rated = ~np.isnan(values)
        return Ratings(movies[rated], values[rated], rated_at[rated]) if rated.any() else NO_RATINGS

    def __len__(self) -> int:
        return len(self.movies)

    def without(self, movie: int) -> "Ratings":
        """Return the ratings of all other movies than that in this catalogue row."""
        kept = self.movies != movie
        return self if kept.all() else Ratings(self.movies[kept], self.values[kept], self.rated_at[kept])

    def followed_by(self, ratings: Sequence[tuple[int, float, float]]) -> "Ratings":
        """Return these ratings with further ones, each given as catalogue row, rating and time.

        Of two ratings of a movie, the one given last in the order of these ratings and then of `ratings` counts, unless
        its time is known to be earlier.
        """
        if not ratings:
            return self
        if len(self) or len({movie for movie, _, _ in ratings}) < len(ratings):
            ratings = self._merged(ratings)
        movies, values, times = np.array(sorted(ratings, key=itemgetter(0))).T
        return Ratings(movies.astype(np.int32), values, times)

    def _merged(self, ratings: Sequence[tuple[int, float, float]]) -> Sequence[tuple[int, float, float]]:
        """Return one rating of each movie, of these ratings and the given ones, as in `followed_by`."""
        own = zip(self.movies.tolist(), self.values.tolist(), self.rated_at.tolist(), strict=True)
        last: dict[int, tuple[int, float, float]] = {}
        for given in chain(own, ratings):
            movie, _, time = given
            if not (movie in last and time < last[movie][2]):
                last[movie] = given
        return list(last.values())


NO_RATINGS = Ratings(np.empty(0, np.int32), np.empty(0), np.empty(0))


@dataclass(frozen=True)
class MemberFacts:
    """What is known of a member: A attributes, P plays of movies in the catalogue, and ratings of some of these."""

    attributes: NDArray[np.float32]
    """(A,) category number or numeric value of each attribute in the schema; NaN if unknown."""
    movies: NDArray[np.int32]
    """(P,) catalogue rows of the played movies, ascending and unique."""
    completion: NDArray[np.float32]
    """(P,) share of the movie that was watched, 0 to 1; NaN if unknown."""
    age_days: NDArray[np.float32]
    """(P,) days from the play to the end of the training data, at least 0; NaN if unknown."""
    ratings: Ratings = NO_RATINGS
    """The member's ratings; all rated movies are among the played ones."""

    @staticmethod
    def nothing(schema: Schema) -> "MemberFacts":
        """Return what stands for a member of whom nothing is known: all attributes NaN, and no plays."""
        none = np.empty(0, np.float32)
        return MemberFacts(
            np.full(len(schema.member_attributes), np.nan, np.float32), np.empty(0, np.int32), none, none
        )

    def has_played(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return, for each of N catalogue rows, whether the member played the movie; False for negative rows."""
        if not len(self.movies):
            return np.zeros(len(rows), bool)
        places = np.minimum(self.movies.searchsorted(rows), len(self.movies) - 1)
        played: NDArray[np.bool_] = self.movies[places] == rows
        return played

    def without(self, movie: int) -> "MemberFacts":
        """Return a copy without play and rating of the movie in this catalogue row, so that it can be predicted."""
        kept = self.movies != movie
        return MemberFacts(
            self.attributes, self.movies[kept], self.completion[kept], self.age_days[kept], self.ratings.without(movie)
        )

    def without_plays(self) -> "MemberFacts":
        """Return a copy that has the attributes but neither plays nor ratings."""
        return MemberFacts(self.attributes, self.movies[:0], self.completion[:0], self.age_days[:0])

    def without_ratings(self) -> "MemberFacts":
        """Return a copy in which the rated movies are only known to have been played."""
        return replace(self, ratings=NO_RATINGS)

    def with_attributes(self, given: Mapping[int, float]) -> "MemberFacts":
        """Return a copy with some attributes replaced; `given` maps positions in the schema to encoded values."""
        if not given:
            return self
        attributes = self.attributes.copy()
        attributes[list(given)] = list(given.values())
        return replace(self, attributes=attributes)

    def with_plays(self, plays: Iterable[Play], schema: Schema) -> "MemberFacts":
        """Return a copy with plays added, and with their ratings.

        Plays of the same movie are merged into one, with the latest time and the highest completion. The time of a
        rating isn't that of a play, nor is it in training. For two ratings of one movie, see `Ratings.followed_by`.
        """
        added = list(plays)
        if not added:
            return self
        movies, completion, played_at, rating = zip(*added, strict=True)
        times = [float("nan") if value == value else time for value, time in zip(rating, played_at, strict=True)]
        ratings = [(play.movie, play.rating, play.played_at) for play in added if play.rating == play.rating]
        return self.with_all_plays(Plays(movies, completion, times, ratings), schema)

    def with_all_plays(self, plays: Plays, schema: Schema) -> "MemberFacts":
        """Return a copy with plays added as in `with_plays`, but given as columns."""
        if not plays.movies:
            return self
        ratings = self.ratings.followed_by(plays.ratings)
        movies, completion = np.array(plays.movies, np.int32), np.array(plays.completion, np.float32)
        age_days = age_in_days(np.array(plays.played_at, np.float64), schema)
        once = len(set(plays.movies)) == len(movies)
        if len(self.movies):
            once = once and set(plays.movies).isdisjoint(self.movies.tolist())
            movies = np.concatenate([self.movies, movies])
            completion = np.concatenate([self.completion, completion])
            age_days = np.concatenate([self.age_days, age_days])
        if once:  # true for most requests
            order = movies.argsort()
            return MemberFacts(
                self.attributes, movies.take(order), completion.take(order), age_days.take(order), ratings
            )
        unique, place = np.unique(movies, return_inverse=True)
        highest = np.full(len(unique), np.nan, np.float32)
        youngest = np.full(len(unique), np.nan, np.float32)
        np.fmax.at(highest, place, completion)
        np.fmin.at(youngest, place, age_days)
        return MemberFacts(self.attributes, unique.astype(np.int32), highest, youngest, ratings)


@dataclass(frozen=True)
class MovieFacts:
    """What is known of a movie: its year, G genres and B attributes."""

    release_year: float
    """Release year; NaN if unknown."""
    genres: NDArray[np.float32]
    """(G,) 1 for each genre of the movie, else 0; all NaN if unknown."""
    attributes: NDArray[np.float32]
    """(B,) category number or numeric value of each movie attribute in the schema; NaN if unknown."""

    @staticmethod
    def of(
        schema: Schema, release_year: float | None, genres: Iterable[str] | None, attributes: Mapping[int, float]
    ) -> "MovieFacts":
        """Return the description of a movie from its year, names of genres and attributes; None if a value is unknown.

        `attributes` maps positions in the schema to encoded values. Genres outside the schema count as "other" if the
        schema has that genre, and are ignored otherwise. If no genre is left, the genres are unknown. Marks of the
        schema stand for unknown years and genres too.
        """
        values = np.full(len(schema.movie_attributes), np.nan, np.float32)
        values[list(attributes)] = list(attributes.values())
        known = [number for number in genre_numbers(schema, genres or ()) if number is not None]
        shares = np.full(len(schema.genres), np.nan, np.float32)
        if known:
            shares[:] = 0
            shares[known] = 1
        if release_year is None or release_year in marked_numbers(schema.missing_in_movies):
            release_year = float("nan")
        return MovieFacts(float(release_year), shares, values)

    def over(self, known: "MovieFacts") -> "MovieFacts":
        """Return this description with its unknown year, genres and attributes filled in from `known`."""
        year, genres = self.release_year, self.genres
        return MovieFacts(
            year if np.isfinite(year) else known.release_year,
            genres if genres.size and np.isfinite(genres[0]) else known.genres,
            np.where(np.isfinite(self.attributes), self.attributes, known.attributes),
        )

    def same_as(self, other: "MovieFacts") -> bool:
        """Return whether two descriptions of a movie are equal; NaN equals NaN."""
        return all(
            np.array_equal(getattr(self, name), getattr(other, name), equal_nan=True)
            for name in ("release_year", "genres", "attributes")
        )

    @property
    def is_described(self) -> bool:
        """Whether anything is known of the movie: its year, its genres or an attribute."""
        return bool(
            np.isfinite(self.release_year)
            or (self.genres.size and np.isfinite(self.genres[0]))
            or np.isfinite(self.attributes).any()
        )


def age_in_days(played_at: NDArray[np.float64], schema: Schema) -> NDArray[np.float32]:
    """Return the age of each of P plays: the days to the end of the training data, at least 0; NaN if unknown.

    `played_at` (P,) are the times of the plays in seconds since 1970 UTC.
    """
    if schema.end_of_data is None:
        return np.full(len(played_at), np.nan, np.float32)
    return np.maximum((schema.end_of_data - played_at) / SECONDS_PER_DAY, 0).astype(np.float32)
