"""Movies to predict: in the catalogue, known only by a description, or unknown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.pair_features import ReadyMovies, ready
from features.schema import Schema
from model.facts.catalogue import Catalogue
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.facts.facts import MovieFacts
from model.prediction.pair_columns import PairColumns, described_movie
from model.prediction.prior.prior import Description, Prior

Array = NDArray[np.float64]
Bins = NDArray[np.int64]
"""Index of the bin of PLAY_BINS that holds a member's number of plays; 0 without plays. The shape is (N,), or (1,) if
all N movies are predicted for one member."""
Movie = int | MovieFacts | None
"""A row of the catalogue, a description, or None for a movie about which nothing is known."""


@dataclass(frozen=True)
class Targets:
    """N movies to predict, for one member or for N members of one kind of evidence."""

    factors: Array
    """(N, K) taste and quality of each movie."""
    offset: Array
    """(N,) offset of the movie's ratings from the prior, for the member's evidence and number of plays."""
    deviation: Array
    """(N,) standard deviation of a rating about its prediction."""
    columns: ReadyMovies
    """N rows of columns from which the tree features are computed."""
    evidence: NDArray[np.int8]
    """(N,) MovieEvidence of each movie."""


@dataclass(frozen=True)
class Offsets:
    """Offsets of movies' ratings from the prior, for one kind of member evidence.

    There are B bins of plays; B is 1 for evidence without plays.
    """

    movies: Array
    """(B, M) offsets of the movies of the catalogue."""
    description: Description
    """Regression with B outputs that predicts the offsets of movies without ratings."""


class MovieView:
    """Movies as targets of predictions; arrays that depend only on the catalogue are computed once."""

    def __init__(
        self,
        schema: Schema,
        catalogue: Catalogue,
        prior: Prior,
        pairs: PairColumns,
        offsets: Mapping[MemberEvidence, Offsets],
    ) -> None:
        self._schema, self._prior, self._pairs, self._offsets = schema, prior, pairs, offsets
        unrated = np.where(catalogue.described, MovieEvidence.DESCRIBED, MovieEvidence.UNKNOWN)
        self.evidence = np.where(catalogue.rated, MovieEvidence.RATED, unrated).astype(np.int8)
        """(M,) MovieEvidence of each movie of the catalogue."""
        variance = prior.movie_variance.copy()
        for evidence, value in prior.unrated_variance.items():
            variance[self.evidence == evidence] = value
        self.ready = ready(pairs.movies, len(pairs.grouped))
        """M rows of columns of the catalogue's movies, from which the tree features are computed."""
        self._deviations = {kind: prior.deviation(kind, prior.movies, variance) for kind in prior.spread}

    def prior_of_rows(
        self, rows: NDArray[np.int64], evidence: MemberEvidence, bins: Bins
    ) -> tuple[Array, Array, Array]:
        """Return the (N, K) factors, (N,) offsets and (N,) standard deviations of N movies, given by catalogue row."""
        return (
            self._prior.movies.take(rows, axis=0),
            self._offsets[evidence].movies[bins, rows],
            self._deviations[evidence].take(rows),
        )

    def of_rows(self, rows: NDArray[np.int64], evidence: MemberEvidence, bins: Bins) -> Targets:
        """Return movies, given by catalogue row, as targets of predictions."""
        return Targets(*self.prior_of_rows(rows, evidence, bins), self.ready.take(rows), self.evidence.take(rows))

    def of(self, movies: Sequence[Movie], evidence: MemberEvidence, bins: Bins) -> Targets:
        """Return rows, descriptions or unknown movies as targets for one member, in the order of `movies`."""
        rows = [movie for movie in movies if isinstance(movie, int)]
        if len(rows) == len(movies):
            return self.of_rows(np.array(rows, np.int64), evidence, bins)
        parts = [
            self.of_rows(np.array([movie]), evidence, bins)
            if isinstance(movie, int)
            else self._unrated(movie, evidence, bins)
            for movie in movies
        ]
        return Targets(
            np.concatenate([part.factors for part in parts]),
            np.concatenate([part.offset for part in parts]),
            np.concatenate([part.deviation for part in parts]),
            ReadyMovies.join([part.columns for part in parts]),
            np.concatenate([part.evidence for part in parts]),
        )

    def _unrated(self, movie: MovieFacts | None, evidence: MemberEvidence, bins: Bins) -> Targets:
        known = movie if movie is not None and movie.is_described else None
        kind = MovieEvidence.UNKNOWN if known is None else MovieEvidence.DESCRIBED
        factors = self._prior.description.predict_one(self._schema, known)[None]
        movies = described_movie(self._schema, known, self._pairs.movies, self._prior.columns.mean_year)
        return Targets(
            factors,
            self._offsets[evidence].description.predict_one(self._schema, known)[bins],
            self._prior.deviation(evidence, factors, np.array([self._prior.unrated_variance[kind]])),
            ready(movies, len(self._pairs.grouped)),
            np.array([kind], np.int8),
        )
