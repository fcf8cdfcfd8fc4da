"""Decodes requests into queries for one model, with each field validated once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.facts.facts import MemberFacts, MovieFacts
from model.facts.member_record import MemberRecord
from model.prediction.model import Model
from model.prediction.movie_targets import Movie
from service.requests.facts_decoder import FactsDecoder, UnusedFacts
from service.requests.limits import DEFAULT_PAGE_SIZE, ID_LENGTH, MOVIES, PAGE_SIZE
from service.requests.page_tokens import page_offset
from service.requests.violations import Violations


@dataclass(frozen=True)
class PredictionQuery:
    """A decoded request for predictions of N movies, or for an explanation of a single movie."""

    member: MemberFacts
    movie_ids: Sequence[str]
    """(N,) in the order of the response."""
    movies: Sequence[Movie]
    """(N,) the movies as the model takes them."""
    unused: UnusedFacts
    catalogue_rows: NDArray[np.int64] | None = None
    """(N,) row of each movie in the catalogue; None unless every movie is there."""

    @property
    def played_count(self) -> int:
        """The number of movies that the member has played."""
        played = set(self.member.movies.tolist())
        if self.catalogue_rows is not None and played.isdisjoint(self.movies):
            return 0
        return sum(movie in played for movie in self.movies if isinstance(movie, int))


@dataclass(frozen=True)
class RankingQuery:
    """A decoded request for a page of a ranking."""

    member: MemberFacts
    allowed: NDArray[np.bool_] | None
    """(M,) whether each movie of the catalogue passes the filters; None if all do."""
    offset: int
    """Position of the page in the whole ranking, from 0."""
    page_size: int
    """The largest number of movies in the page."""
    unused: UnusedFacts


class Decoder:
    """Decodes requests for one model. Each method raises InvalidRequest with the path of every malformed field.

    `record` is the member's record in the store beside the model, if there is one.
    """

    def __init__(self, model: Model) -> None:
        self._version = model.version
        self._schema = model.schema
        self._facts = FactsDecoder(model)
        self._catalogue = model.catalogue

    def prediction(self, request: pb.PredictEnjoymentRequest, record: MemberRecord | None = None) -> PredictionQuery:
        """The member and the movies in the order of the response: movie_ids, then the remaining new_movies."""
        violations, unused = Violations(), UnusedFacts()
        count = len(request.movie_ids) + len(request.new_movies)
        if not 1 <= count <= MOVIES:
            violations.add("movie_ids", f"must be, together with new_movies, 1 to {MOVIES} movies")
            violations.raise_if_any()
        member = self._facts.member(request.member, violations, unused, record)
        new_movies = self._new_movies(request.new_movies, violations, unused)
        movie_ids = list(request.movie_ids)
        lengths = set(map(len, movie_ids))
        if lengths and not 0 < min(lengths) <= max(lengths) <= ID_LENGTH:
            for number, movie_id in enumerate(movie_ids):
                violations.check_id(movie_id, f"movie_ids[{number}]")
        violations.raise_if_any()
        if not new_movies:
            rows = self._catalogue.rows(movie_ids)
            unused.unknown_movies += rows.count(None)
            known = None if unused.unknown_movies else np.array(rows, np.int64)
            return PredictionQuery(member, movie_ids, rows, unused, known)
        listed = set(movie_ids)
        movie_ids += [movie_id for movie_id in new_movies if movie_id not in listed]
        movies = [self._movie(movie_id, new_movies.get(movie_id), member, unused) for movie_id in movie_ids]
        return PredictionQuery(member, movie_ids, movies, unused)

    def explanation(self, request: pb.ExplainEnjoymentRequest, record: MemberRecord | None = None) -> PredictionQuery:
        """The member and the single movie."""
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

    def ranking(self, request: pb.RankMoviesRequest, record: MemberRecord | None = None) -> RankingQuery:
        """The member, the movies that pass the filters, and the page."""
        violations, unused = Violations(), UnusedFacts()
        member = self._facts.member(request.member, violations, unused, record)
        if request.page_size < 0:
            violations.add("page_size", "must not be negative")
        violations.check_genres(request.genres, "genres")
        for name in ("min_release_year", "max_release_year"):
            if request.HasField(name):
                violations.check_year(getattr(request, name), name)
        both = request.HasField("min_release_year") and request.HasField("max_release_year")
        if both and request.min_release_year > request.max_release_year:
            violations.add("max_release_year", "must not be before min_release_year")
        violations.raise_if_any()
        page_size = min(request.page_size or DEFAULT_PAGE_SIZE, PAGE_SIZE)
        offset = page_offset(request, self._version)
        return RankingQuery(member, self._allowed(request, unused), offset, page_size, unused)

    def _new_movies(
        self, new_movies: Sequence[pb.Movie], violations: Violations, unused: UnusedFacts
    ) -> dict[str, MovieFacts]:
        """The descriptions of new movies, by movie_id."""
        descriptions: dict[str, MovieFacts] = {}
        for number, movie in enumerate(new_movies):
            if movie.movie_id in descriptions:
                violations.add(f"new_movies[{number}].movie_id", "must be another one than those before")
            descriptions[movie.movie_id] = self._facts.movie(movie, f"new_movies[{number}]", violations, unused)
        return descriptions

    def _movie(self, movie_id: str, described: MovieFacts | None, member: MemberFacts, unused: UnusedFacts) -> Movie:
        unused.unknown_movies += self._catalogue.row(movie_id) is None
        return self._catalogue.asked(movie_id, described, member.movies)

    def _allowed(self, request: pb.RankMoviesRequest, unused: UnusedFacts) -> NDArray[np.bool_] | None:
        """(M,) whether each movie of the catalogue passes the filters; None if all do."""
        allowed = np.ones(len(self._catalogue), bool)
        if request.genres:
            wanted = [self._schema.genres.index(genre) for genre in request.genres if genre in self._schema.genres]
            unused.unknown_genres += len(request.genres) - len(wanted)
            allowed &= (self._catalogue.genres[:, wanted] == 1).any(axis=1)
        if request.HasField("min_release_year"):
            allowed &= self._catalogue.release_year >= request.min_release_year
        if request.HasField("max_release_year"):
            allowed &= self._catalogue.release_year <= request.max_release_year
        return None if allowed.all() else allowed
