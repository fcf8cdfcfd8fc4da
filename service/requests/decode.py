"""Decodes requests into what a model takes (member, movies, filters), and checks their fields."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from features.schema import Attribute
from features.values.attribute_value import WrongKind, encode_attribute, is_missing
from features.values.categories import plain
from features.values.genres import genre_numbers
from model.facts.facts import MemberFacts, MovieFacts, Plays
from model.facts.stored_member import StoredMember
from model.prediction.model import Model
from model.prediction.movie_targets import Movie
from service.requests.limits import (
    ATTRIBUTES,
    DEFAULT_PAGE_SIZE,
    DEFAULT_SUGGESTIONS,
    ID_LENGTH,
    MOVIES,
    MOVIES_TO_CHOOSE_FROM,
    PAGE_SIZE,
    PLAYS,
    RATINGS,
    SUGGESTIONS,
)
from service.requests.page_tokens import page_offset
from service.requests.violations import Violations

Filtered: TypeAlias = pb.RankMoviesRequest | pb.SuggestMoviesToRateRequest
"""A request whose movies are filtered by genre and year."""
UNKNOWN: tuple[int, Attribute | None] = (-1, None)
"""Position and attribute for an attribute name that is not in the model's schema."""


@dataclass
class UnusedFacts:
    """Counts of what a request says and the model can't use, such as unknown attributes; they are told in the response.

    For each field of the message UnusedFacts, there is a field of the same name.
    """

    unknown_attributes: int = 0
    """Number of attributes that are not in the model's schema."""
    unseen_categories: int = 0
    """Number of values whose category is not in the model's schema and can't be counted as "other"."""
    plays_of_unknown_movies: int = 0
    """Number of plays of movies that are not in the catalogue."""
    ratings_of_unknown_movies: int = 0
    """Number of ratings of movies that are not in the catalogue."""
    unknown_member: bool = False
    """Whether the request has a member_id that is neither in the model nor in the member store."""
    stored_facts_may_be_missing: bool = False
    """Whether facts stored of the member may be missing, because the member store failed or lacks ratings."""
    unknown_genres: int = 0
    """Number of genres that are not in the model's schema."""
    unknown_movies: int = 0
    """Number of requested movies that are not in the catalogue. Responses report these by their movie evidence."""
    unseen_positions: tuple[int, ...] = ()
    """Positions in the schema of the member's attributes whose category was not seen in training."""


@dataclass(frozen=True)
class PredictionQuery:
    """A decoded request for predictions of N movies by one member, or for an explanation of a single movie."""

    member: MemberFacts
    movie_ids: Sequence[str]
    """(N,) movie ids, in the order of the response."""
    movies: Sequence[Movie]
    """(N,) how each movie is predicted: its catalogue row or description; None if nothing is known about it."""
    unused: UnusedFacts
    catalogue_rows: NDArray[np.int64] | None = None
    """(N,) catalogue row of each movie; None if any movie is not in the catalogue or the request describes movies."""

    @property
    def played_count(self) -> int:
        """Number of requested movies that the member has played."""
        played = set(self.member.movies.tolist())
        if self.catalogue_rows is not None and played.isdisjoint(self.movies):
            return 0
        return sum(movie in played for movie in self.movies if isinstance(movie, int))


@dataclass(frozen=True)
class RankingQuery:
    """A decoded request for one page of the movies in order of a member's predicted rating."""

    member: MemberFacts
    allowed: NDArray[np.bool_] | None
    """(M,) whether each movie of the catalogue passes the filters; None if all movies pass."""
    offset: int
    """Position of the page's first movie in the ranking, starting at 0."""
    page_size: int
    """Maximum number of movies on the page."""
    unused: UnusedFacts


@dataclass(frozen=True)
class SuggestionQuery:
    """A decoded request for movies that a member should be asked to rate."""

    member: MemberFacts
    allowed: NDArray[np.bool_] | None
    """(M,) whether each movie of the catalogue may be suggested; None if all may."""
    size: int
    """Maximum number of movies."""
    unused: UnusedFacts


class FactsDecoder:
    """Decodes the members and movies in requests for one model, that is, what is known of them, into its numbers.

    Methods add malformed fields to `violations` and count in `unused` what the model can't use.
    """

    def __init__(self, model: Model) -> None:
        self._schema = model.schema
        self._members = model.members
        self._catalogue = model.catalogue
        self._no_facts = MemberFacts.nothing(model.schema)
        self._member_attributes = _by_name(model.schema.member_attributes)
        self._movie_attributes = _by_name(model.schema.movie_attributes)

    def member(
        self, member: pb.Member, violations: Violations, unused: UnusedFacts, record: StoredMember | None
    ) -> MemberFacts:
        """Decode what is known of a member: stored attributes, plays and ratings, overridden by those in the request.

        They are stored in `record`, what an external store holds of the member, if there is one, and with the model.
        """
        if len(member.member_id) > ID_LENGTH:
            violations.add("member.member_id", f"must have at most {ID_LENGTH} characters")
        stored = self._stored(member.member_id, record)
        unused.unknown_member = bool(member.member_id) and stored is None
        unused.stored_facts_may_be_missing = record is not None and record.may_lack
        attributes, unseen = self._attributes(
            member.attributes, self._member_attributes, "member.attributes", violations, unused
        )
        unused.unseen_positions = tuple(unseen)
        plays = self._plays(member.plays, violations, unused)
        if member.ratings:
            plays = self._with_ratings(plays, member.ratings, violations, unused)
        facts = self._no_facts if stored is None else stored
        return facts.with_attributes(attributes).with_all_plays(plays, self._schema)

    def _stored(self, member_id: str, record: StoredMember | None) -> MemberFacts | None:
        """Return what is stored of a member, in an external store or with the model; None if nothing is."""

        def published() -> MemberFacts | None:
            return self._members.find(member_id) if member_id else None

        return published() if record is None else record.facts(published, self._schema, self._catalogue)

    def movie(self, movie: pb.Movie, path: str, violations: Violations, unused: UnusedFacts) -> MovieFacts:
        """Decode the year, genres and attributes of a movie. The paths of malformed fields start with `path`."""
        violations.check_id(movie.movie_id, f"{path}.movie_id")
        if movie.HasField("release_year"):
            violations.check_year(movie.release_year, f"{path}.release_year")
        violations.check_genres(movie.genres, f"{path}.genres")
        attributes, _ = self._attributes(
            movie.attributes, self._movie_attributes, f"{path}.attributes", violations, unused
        )
        unused.unknown_genres += genre_numbers(self._schema, movie.genres).count(None)
        year = movie.release_year if movie.HasField("release_year") else None
        return MovieFacts.of(self._schema, year, movie.genres, attributes)

    def _plays(self, plays: Sequence[pb.Play], violations: Violations, unused: UnusedFacts) -> Plays:
        """Decode the plays of movies in the catalogue, field by field, which is twice as fast as play by play."""
        if not violations.check_count(len(plays), PLAYS, "member.plays"):
            return Plays([], [], [])
        plays = list(plays)
        movie_ids = [play.movie_id for play in plays]
        rows = self._catalogue.rows(movie_ids)
        completions = [play.completion for play in plays]
        for number in [number for number, completion in enumerate(completions) if not 0 < completion <= 1]:
            if plays[number].HasField("completion"):
                violations.check_share(completions[number], f"member.plays[{number}].completion")
            else:
                completions[number] = math.nan  # protobuf returns 0 for an absent field
        times = [math.nan] * len(plays)
        for number in [number for number, play in enumerate(plays) if play.HasField("played_at")]:
            played_at = plays[number].played_at
            times[number] = played_at.seconds + played_at.nanos / 1e9
            violations.check_time(played_at, f"member.plays[{number}].played_at")
        known_rows = [row for row in rows if row is not None]
        if len(known_rows) < len(rows):
            unused.plays_of_unknown_movies += len(rows) - len(known_rows)
            for number in [number for number, row in enumerate(rows) if row is None]:
                violations.check_id(movie_ids[number], f"member.plays[{number}].movie_id")
            known = [number for number, row in enumerate(rows) if row is not None]
            completions, times = ([column[number] for number in known] for column in (completions, times))
        return Plays(known_rows, completions, times)

    def _with_ratings(
        self, plays: Plays, ratings: Sequence[pb.Rating], violations: Violations, unused: UnusedFacts
    ) -> Plays:
        """Decode the ratings of movies in the catalogue, and add them to the plays, since a rating is a play too."""
        if not violations.check_count(len(ratings), RATINGS, "member.ratings"):
            return plays
        ratings = list(ratings)
        rows = self._catalogue.rows([rating.movie_id for rating in ratings])
        values, times = [rating.rating for rating in ratings], [math.nan] * len(ratings)
        low, high = self._schema.scale.low, self._schema.scale.high
        for number in [number for number, value in enumerate(values) if not low <= value <= high]:
            violations.check_rating(values[number], f"member.ratings[{number}].rating", self._schema.scale)
        for number in [number for number, rating in enumerate(ratings) if rating.HasField("rated_at")]:
            rated_at = ratings[number].rated_at
            times[number] = rated_at.seconds + rated_at.nanos / 1e9
            violations.check_time(rated_at, f"member.ratings[{number}].rated_at")
        known = [(row, value, time) for row, value, time in zip(rows, values, times, strict=True) if row is not None]
        if len(known) < len(rows):
            unused.ratings_of_unknown_movies += len(rows) - len(known)
            for number in [number for number, row in enumerate(rows) if row is None]:
                violations.check_id(ratings[number].movie_id, f"member.ratings[{number}].movie_id")
        return plays.with_ratings(known)

    def _attributes(
        self,
        values: Mapping[str, pb.AttributeValue],
        schema: Mapping[str, tuple[int, Attribute]],
        path: str,
        violations: Violations,
        unused: UnusedFacts,
    ) -> tuple[dict[int, float], list[int]]:
        """Return the encoded values of attributes, and where their category was not seen in training.

        The values are keyed by position in the schema; the others are positions. Paths of malformed fields only contain
        names in the schema.
        """
        encoded: dict[int, float] = {}
        unseen: list[int] = []
        if not violations.check_count(len(values), ATTRIBUTES, path):
            return encoded, unseen
        for name in values:
            message = values[name]  # faster than items() of a protobuf map
            position, attribute = schema.get(name, UNKNOWN)
            value_path = path if attribute is None else f'{path}["{name}"]'
            kind = message.WhichOneof("kind")
            if kind is None:
                violations.add(value_path, "must have a value of one kind")
                continue
            value = getattr(message, kind)
            if kind == "text":
                violations.check_text(value, value_path)
            elif kind == "number":
                violations.check_number(value, value_path)
            if attribute is None:
                unused.unknown_attributes += 1
                violations.check_name(name, path)
                continue
            try:
                encoded[position] = encode_attribute(attribute, value)
            except WrongKind:
                rule = "must be a number" if attribute.kind == "numeric" else "must be text or a flag"
                violations.add(value_path, rule)
                continue
            if math.isnan(encoded[position]) and not is_missing(attribute, value):
                unseen.append(position)
        unused.unseen_categories += len(unseen)
        return encoded, unseen


class Decoder:
    """Decodes requests for one model. Each method raises InvalidRequest, with the paths of the malformed fields.

    The argument `record` is the member's record in the member store; None if there is no record.
    """

    def __init__(self, model: Model) -> None:
        self._version = model.version
        self._schema = model.schema
        self._facts = FactsDecoder(model)
        self._catalogue = model.catalogue

    def prediction(self, request: pb.PredictEnjoymentRequest, record: StoredMember | None = None) -> PredictionQuery:
        """Decode a request for predictions. The result has the movies of movie_ids first, then the other new_movies."""
        violations, unused = Violations(), UnusedFacts()
        count = len(request.movie_ids) + len(request.new_movies)
        if not 1 <= count <= MOVIES:
            violations.add("movie_ids", f"must be, together with new_movies, 1 to {MOVIES} movies")
            violations.raise_if_any()
        member = self._facts.member(request.member, violations, unused, record)
        new_movies = self._new_movies(request.new_movies, violations, unused)
        movie_ids = list(request.movie_ids)
        rows = self._catalogue.rows(movie_ids)
        for number in [number for number, row in enumerate(rows) if row is None]:
            violations.check_id(movie_ids[number], f"movie_ids[{number}]")
        violations.raise_if_any()
        if not new_movies:
            unused.unknown_movies += rows.count(None)
            known = None if unused.unknown_movies else np.array(rows, np.int64)
            return PredictionQuery(member, movie_ids, rows, unused, known)
        listed = set(movie_ids)
        movie_ids += [movie_id for movie_id in new_movies if movie_id not in listed]
        movies = [self._movie(movie_id, new_movies.get(movie_id), member, unused) for movie_id in movie_ids]
        return PredictionQuery(member, movie_ids, movies, unused)

    def explanation(self, request: pb.ExplainEnjoymentRequest, record: StoredMember | None = None) -> PredictionQuery:
        """Decode a request to explain the prediction of a single movie."""
        violations, unused = Violations(), UnusedFacts()
        member = self._facts.member(request.member, violations, unused, record)
        described = None
        if request.WhichOneof("movie") == "new_movie":
            movie_id = request.new_movie.movie_id
            described = self._facts.movie(request.new_movie, "new_movie", violations, unused)
        else:
            movie_id = request.movie_id
            violations.check_id(movie_id, "movie_id")
        violations.raise_if_any()
        return PredictionQuery(member, [movie_id], [self._movie(movie_id, described, member, unused)], unused)

    def ranking(self, request: pb.RankMoviesRequest, record: StoredMember | None = None) -> RankingQuery:
        """Decode a request for one page of the movies in order of predicted rating."""
        violations, unused = Violations(), UnusedFacts()
        member = self._facts.member(request.member, violations, unused, record)
        if request.page_size < 0:
            violations.add("page_size", "must not be negative")
        _check_filters(request, violations)
        violations.raise_if_any()
        page_size = min(request.page_size or DEFAULT_PAGE_SIZE, PAGE_SIZE)
        offset = page_offset(request, self._version)
        return RankingQuery(member, self._allowed(request, unused), offset, page_size, unused)

    def suggestion(self, request: pb.SuggestMoviesToRateRequest, record: StoredMember | None = None) -> SuggestionQuery:
        """Decode a request for movies that a member should be asked to rate."""
        violations, unused = Violations(), UnusedFacts()
        member = self._facts.member(request.member, violations, unused, record)
        if request.size < 0:
            violations.add("size", "must not be negative")
        rows = self._choice(request.movie_ids, violations, unused)
        _check_filters(request, violations)
        violations.raise_if_any()
        allowed = self._allowed(request, unused)
        if request.movie_ids:
            chosen = np.zeros(len(self._catalogue), bool)
            chosen[rows] = True
            allowed = chosen if allowed is None else chosen & allowed
        return SuggestionQuery(member, allowed, min(request.size or DEFAULT_SUGGESTIONS, SUGGESTIONS), unused)

    def _choice(self, movie_ids: Sequence[str], violations: Violations, unused: UnusedFacts) -> list[int]:
        """Return the catalogue rows of the movies to choose from; other movies are only counted."""
        if not violations.check_count(len(movie_ids), MOVIES_TO_CHOOSE_FROM, "movie_ids"):
            return []
        rows = self._catalogue.rows(movie_ids)
        for number in [number for number, row in enumerate(rows) if row is None]:
            violations.check_id(movie_ids[number], f"movie_ids[{number}]")
        unused.unknown_movies += rows.count(None)
        return [row for row in rows if row is not None]

    def _new_movies(
        self, new_movies: Sequence[pb.Movie], violations: Violations, unused: UnusedFacts
    ) -> dict[str, MovieFacts]:
        """Decode what the request itself says of movies (year, genres and attributes), by movie_id."""
        descriptions: dict[str, MovieFacts] = {}
        for number, movie in enumerate(new_movies):
            if movie.movie_id in descriptions:
                violations.add(f"new_movies[{number}].movie_id", "must be another one than those before")
            descriptions[movie.movie_id] = self._facts.movie(movie, f"new_movies[{number}]", violations, unused)
        return descriptions

    def _movie(self, movie_id: str, described: MovieFacts | None, member: MemberFacts, unused: UnusedFacts) -> Movie:
        unused.unknown_movies += self._catalogue.row(movie_id) is None
        return self._catalogue.asked(movie_id, described, member.movies)

    def _allowed(self, request: Filtered, unused: UnusedFacts) -> NDArray[np.bool_] | None:
        """Return an (M,) mask of the movies of the catalogue that pass the filters; None if all movies pass."""
        allowed = np.ones(len(self._catalogue), bool)
        if request.genres:
            numbers = [self._schema.genre_numbers.get(plain(genre)) for genre in request.genres]
            wanted = [number for number in numbers if number is not None]
            unused.unknown_genres += len(numbers) - len(wanted)
            allowed &= (self._catalogue.genres[:, wanted] == 1).any(axis=1)
        if request.HasField("min_release_year"):
            allowed &= self._catalogue.release_year >= request.min_release_year
        if request.HasField("max_release_year"):
            allowed &= self._catalogue.release_year <= request.max_release_year
        return None if allowed.all() else allowed


def _check_filters(request: Filtered, violations: Violations) -> None:
    violations.check_genres(request.genres, "genres")
    for name in ("min_release_year", "max_release_year"):
        if request.HasField(name):
            violations.check_year(getattr(request, name), name)
    both = request.HasField("min_release_year") and request.HasField("max_release_year")
    if both and request.min_release_year > request.max_release_year:
        violations.add("max_release_year", "must not be before min_release_year")


def _by_name(attributes: Sequence[Attribute]) -> dict[str, tuple[int, Attribute]]:
    """Return the position in the schema and the attribute, by the attribute's name."""
    return {attribute.name: (position, attribute) for position, attribute in enumerate(attributes)}
