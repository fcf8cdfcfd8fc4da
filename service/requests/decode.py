"""From request messages to what the model takes, checking every field once."""

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
    """Predictions asked for."""

    member: MemberFacts
    movie_ids: Sequence[str]
    movies: Sequence[Movie]
    unused: UnusedFacts
    catalogue_rows: NDArray[np.int64] | None = None
    """(N,) row of each movie in the catalogue; None unless every movie is there."""

    @property
    def played_count(self) -> int:
        """How many of the movies the member has played."""
        rows = set(self.member.movies.tolist())
        if self.catalogue_rows is not None and rows.isdisjoint(self.movies):
            return 0
        return sum(movie in rows for movie in self.movies if isinstance(movie, int))


@dataclass(frozen=True)
class RankingQuery:
    """A ranking asked for."""

    member: MemberFacts
    allowed: NDArray[np.bool_] | None
    """(M,) movies of the catalogue that pass the filters; None where there are none."""
    offset: int
    """Where the page begins in the whole ranking."""
    page_size: int
    """How many movies it has at most."""
    unused: UnusedFacts


class Decoder:
    """Decodes requests for one model. Each method raises InvalidRequest with the path of every malformed field.

    `recorded` is what a store beside the model says of the request's member.
    """

    def __init__(self, model: Model) -> None:
        self._version = model.version
        self._schema = model.schema
        self._facts = FactsDecoder(model)
        self._catalogue = model.catalogue

    def prediction(self, request: pb.PredictEnjoymentRequest, recorded: MemberRecord | None = None) -> PredictionQuery:
        """The member and the movies in the order of the answer: movie_ids, then further new movies."""
        found, unused = Violations(), UnusedFacts()
        count = len(request.movie_ids) + len(request.new_movies)
        if not 1 <= count <= MOVIES:
            found.add("movie_ids", f"must be, together with new_movies, 1 to {MOVIES} movies")
            found.raise_if_any()
        member = self._facts.member(request.member, found, unused, recorded)
        described: dict[str, MovieFacts] = {}
        for number, movie in enumerate(request.new_movies):
            if movie.movie_id in described:
                found.add(f"new_movies[{number}].movie_id", "must be another one than those before")
            described[movie.movie_id] = self._facts.description(movie, f"new_movies[{number}]", found, unused)
        movie_ids = list(request.movie_ids)
        lengths = set(map(len, movie_ids))
        if lengths and not 0 < min(lengths) <= max(lengths) <= ID_LENGTH:
            for number, movie_id in enumerate(movie_ids):
                found.check_id(movie_id, f"movie_ids[{number}]")
        found.raise_if_any()
        if not described:
            found_rows = self._catalogue.rows(movie_ids)
            unused.unknown_movies += found_rows.count(None)
            rows = None if unused.unknown_movies else np.array(found_rows, np.int64)
            return PredictionQuery(member, movie_ids, found_rows, unused, rows)
        asked = set(movie_ids)
        movie_ids += [movie_id for movie_id in described if movie_id not in asked]
        movies = [self._movie(movie_id, described.get(movie_id), member, unused) for movie_id in movie_ids]
        return PredictionQuery(member, movie_ids, movies, unused)

    def explanation(self, request: pb.ExplainEnjoymentRequest, recorded: MemberRecord | None = None) -> PredictionQuery:
        """The member and the one movie."""
        found, unused = Violations(), UnusedFacts()
        member = self._facts.member(request.member, found, unused, recorded)
        described = None
        if request.WhichOneof("movie") == "new_movie":
            movie_id = request.new_movie.movie_id
            described = self._facts.description(request.new_movie, "new_movie", found, unused)
        else:
            movie_id = request.movie_id
            found.check_id(movie_id, "movie_id")
        found.raise_if_any()
        return PredictionQuery(member, [movie_id], [self._movie(movie_id, described, member, unused)], unused)

    def ranking(self, request: pb.RankMoviesRequest, recorded: MemberRecord | None = None) -> RankingQuery:
        """The member, the movies that pass the filters and the size of a page."""
        found, unused = Violations(), UnusedFacts()
        member = self._facts.member(request.member, found, unused, recorded)
        if request.page_size < 0:
            found.add("page_size", "must not be negative")
        found.check_genres(request.genres, "genres")
        for name in ("min_release_year", "max_release_year"):
            if request.HasField(name):
                found.check_year(getattr(request, name), name)
        both = request.HasField("min_release_year") and request.HasField("max_release_year")
        if both and request.min_release_year > request.max_release_year:
            found.add("max_release_year", "must not be before min_release_year")
        found.raise_if_any()
        page_size = min(request.page_size or DEFAULT_PAGE_SIZE, PAGE_SIZE)
        offset = page_offset(request, self._version)
        return RankingQuery(member, self._allowed(request, unused), offset, page_size, unused)

    def _movie(self, movie_id: str, described: MovieFacts | None, member: MemberFacts, unused: UnusedFacts) -> Movie:
        unused.unknown_movies += self._catalogue.row(movie_id) is None
        return self._catalogue.asked(movie_id, described, member.movies)

    def _allowed(self, request: pb.RankMoviesRequest, unused: UnusedFacts) -> NDArray[np.bool_] | None:
        """(M,) the movies of the catalogue that pass the filters; None where no filter is given."""
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
