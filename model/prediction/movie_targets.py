"""Movies to predict, with all that predictions need of them: in the catalogue, known by a description, or unknown."""

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
"""How a movie to predict is given: a row of the catalogue, a description, or None if nothing is known of it."""


@dataclass(frozen=True)
class Targets:
    """N movies to predict and all that this needs of them, for one member or for N members with the same evidence."""

    factors: Array
    """(N, K) taste factors and quality of each movie."""
    offset: Array
    """(N,) rating points to add to the factorization's rating of the movie, for what is known of the member."""
    deviation: Array
    """(N,) standard deviation of a rating about its prediction."""
    noise: Array
    """(N,) variance of the noise of a typical member's rating."""
    variance: Array
    """(N,) variance of a rating due to the uncertainty of the movie's factors."""
    columns: ReadyMovies
    """Columns of N movies from which the inputs of the trees are computed."""
    evidence: NDArray[np.int8]
    """(N,) MovieEvidence of each movie."""


@dataclass(frozen=True)
class Offsets:
    """Rating points to add to the factorization's rating of each movie, for members with one kind of evidence.

    There are B bins of plays; B is 1 for evidence without plays. The factorization's quality of a movie is that for an
    average member, but those who choose a movie aren't average.
    """

    movies: Array
    """(B, M) offsets of the movies of the catalogue."""
    description: Description
    """Regression with B outputs that predicts the offsets of movies without ratings."""


class MovieView:
    """The movies of a model with all that predictions need of them; what depends on the catalogue is computed once."""

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
        """(M,) MovieEvidence of each movie of the catalogue: rated, described or unknown."""
        self.noise, self.variance = prior.errors_of(np.arange(len(self.evidence)), self.evidence)
        """(M,) variances of a rating of each movie of the catalogue: its noise, and the uncertainty of the movie."""
        self.ready = ready(pairs.movies, len(pairs.grouped))
        """Columns of the M movies of the catalogue from which the inputs of the trees are computed."""
        self._deviations = {
            kind: prior.deviation(kind, prior.movies, self.noise + self.variance) for kind in prior.spread
        }

    def prior_of_all(self, factors: Array, evidence: MemberEvidence, plays_bin: int) -> Array:
        """Return the (M,) ratings of one member with the given factors (K,) by the factorization.

        They are those of `prior_numbers` but for rounding, and take a tenth of the time.
        """
        per_movie = np.append(factors[:-1], 1.0)  # the last factor of a movie is its quality
        rating = self._prior.movies @ per_movie + (self._prior.mean + factors[-1])
        return np.asarray(rating + self._offsets[evidence].movies[plays_bin])

    def prior_of_rows(
        self, rows: NDArray[np.int64], evidence: MemberEvidence, bins: Bins
    ) -> tuple[Array, Array, Array]:
        """Return the (N, K) factors, offsets and standard deviations of N movies, given by catalogue row.

        They are what the factorization needs of the movies; offsets and standard deviations are (N,).
        """
        return (
            self._prior.movies.take(rows, axis=0),
            self._offsets[evidence].movies[bins, rows],
            self._deviations[evidence].take(rows),
        )

    def of_rows(self, rows: NDArray[np.int64], evidence: MemberEvidence, bins: Bins) -> Targets:
        """Return all that predictions need of movies that are given by catalogue row."""
        return Targets(
            *self.prior_of_rows(rows, evidence, bins),
            self.noise.take(rows),
            self.variance.take(rows),
            self.ready.take(rows),
            self.evidence.take(rows),
        )

    def of(self, movies: Sequence[Movie], evidence: MemberEvidence, bins: Bins) -> Targets:
        """Return all that predictions for one member need of movies, in the order of `movies`."""
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
            np.concatenate([part.noise for part in parts]),
            np.concatenate([part.variance for part in parts]),
            ReadyMovies.join([part.columns for part in parts]),
            np.concatenate([part.evidence for part in parts]),
        )

    def _unrated(self, movie: MovieFacts | None, evidence: MemberEvidence, bins: Bins) -> Targets:
        known = movie if movie is not None and movie.is_described else None
        kind = MovieEvidence.UNKNOWN if known is None else MovieEvidence.DESCRIBED
        factors = self._prior.description.predict_one(self._schema, known)[None]
        movies = described_movie(self._schema, known, self._pairs.movies, self._prior.columns.mean_year)
        noise, variance = np.array([self._prior.noise]), np.array([self._prior.unrated_variance[kind]])
        return Targets(
            factors,
            self._offsets[evidence].description.predict_one(self._schema, known)[bins],
            self._prior.deviation(evidence, factors, noise + variance),
            noise,
            variance,
            ready(movies, len(self._pairs.grouped)),
            np.array([kind], np.int8),
        )
