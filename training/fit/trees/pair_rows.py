"""Training rows of the trees: pairs of a view and a movie that the view doesn't show, and the features of pairs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import RATING
from features.movies import MOVIE
from features.pair_features import Members, Movies, ReadyMovies, pair_features, ready
from features.plays import VIEW
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.prediction.pair_columns import MemberColumns, as_unrated
from model.prediction.prior.member_inputs import MovieColumns
from model.prediction.prior.prior import Prior, prior_numbers, rating_of
from training.data.dataset import Dataset
from training.data.never_rater_views import Views
from training.fit.cross_fit import OutOfFold
from training.fit.prior.fit_prior import FittedPrior
from training.fit.trees.group_effects import group_residuals

Array = NDArray[np.float64]
CHUNK = 20_000
"""Number of rows whose features are computed at once, few enough for the processor's cache."""


@dataclass(frozen=True)
class Rows:
    """N pairs of a view and a movie."""

    view: NDArray[np.int64]
    """(N,) index of the view."""
    movie: NDArray[np.int64]
    """(N,) index of the movie."""
    rating: Array
    """(N,) rating to predict."""
    evidence: NDArray[np.int64]
    """(N,) MemberEvidence: the kinds of facts about the member that the model may use."""
    movie_evidence: NDArray[np.int64]
    """(N,) MovieEvidence: the kind of facts about the movie that the model may use."""

    def take(self, chosen: NDArray[np.int64] | NDArray[np.bool_] | slice) -> "Rows":
        """Return the rows selected by indices, a mask or a slice."""
        return Rows(
            self.view[chosen],
            self.movie[chosen],
            self.rating[chosen],
            self.evidence[chosen],
            self.movie_evidence[chosen],
        )

    def with_movie_evidence(self, evidence: MovieEvidence) -> "Rows":
        """Return a copy with another kind of evidence about the movies."""
        return replace(self, movie_evidence=np.full(len(self), int(evidence)))

    def __len__(self) -> int:
        return len(self.view)


def target_rows(views: Views, chosen: NDArray[np.bool_], evidence: MemberEvidence) -> Rows:
    """Return the targets of the views selected by a (V,) mask as rows with the given kind of member evidence."""
    table = views.targets.filter(pl.Series(chosen).gather(views.targets[VIEW]))
    size = len(table)
    return Rows(
        table[VIEW].to_numpy().astype(np.int64),
        table[MOVIE].to_numpy().astype(np.int64),
        table[RATING].to_numpy(),
        np.full(size, int(evidence)),
        np.full(size, int(MovieEvidence.RATED)),
    )


def concatenate(parts: list[Rows]) -> Rows:
    """Concatenate rows in the order of the parts."""
    return Rows(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("view", "movie", "rating", "evidence", "movie_evidence")
        )
    )


@dataclass(frozen=True)
class PairTable:
    """Data, views and out-of-fold priors from which features of pairs are computed."""

    data: Dataset
    views: Views
    out_of_fold: OutOfFold
    """Outputs for the views, each from the prior fitted without the view's fold."""
    movies: tuple[Movies, ...]
    """Movie columns for each fold, computed from the members of all other folds."""
    grouped: tuple[int, ...]
    """Positions of the member attributes whose group effects are used as features."""

    def factors(self, rows: Rows) -> tuple[Array, Array, Array]:
        """Return out-of-fold factors of members (N, K) and movies (N, K), and standard deviations of ratings (N,)."""
        fold = self.out_of_fold.fold[rows.view]
        members = np.empty((len(rows), self.out_of_fold.fitted[0].prior.movies.shape[1]))
        for evidence, values in self.out_of_fold.factors.items():
            chosen = rows.evidence == evidence
            members[chosen] = values[rows.view[chosen]]
        movies = np.empty_like(members)
        deviation = np.empty(len(rows))
        for number, fitted in enumerate(self.out_of_fold.fitted):
            chosen = np.flatnonzero(fold == number)
            movies[chosen] = movie_factors(fitted, rows.movie[chosen], rows.movie_evidence[chosen])
            deviation[chosen] = _deviation(fitted.prior, movies[chosen], rows.take(chosen))
        return members, movies, deviation

    def base(self, rows: Rows) -> tuple[Array, Array]:
        """Return out-of-fold predictions of the prior (N,) and standard deviations of the ratings about them (N,)."""
        means = np.array([fitted.prior.mean for fitted in self.out_of_fold.fitted])
        rating, deviation = means[self.out_of_fold.fold[rows.view]], np.empty(len(rows))
        for part in _parts(len(rows)):
            members, movies, deviation[part] = self.factors(rows.take(part))
            rating[part] += rating_of(members, movies)
        return rating, deviation

    def features(self, rows: Rows, offset: Array) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Yield features in chunks of rows; `offset` (N,) is added to the prior's prediction."""
        for part in _parts(len(rows)):
            yield part, self._features(rows.take(part), offset[part])

    def all_features(self, rows: Rows, offset: Array) -> NDArray[np.float32]:
        """Return (N, F) features of all rows at once."""
        features = np.empty((len(rows), 0), np.float32)
        for part, chunk in self.features(rows, offset):
            if not features.shape[1]:
                features = np.empty((len(rows), chunk.shape[1]), np.float32)
            features[part] = chunk
        return features

    def _features(self, rows: Rows, offset: Array) -> NDArray[np.float32]:
        of_members, of_movies, deviation = self.factors(rows)
        prior = prior_numbers(of_members, of_movies, offset, deviation)
        fold, members = self.out_of_fold.fold[rows.view], self._members_of(rows)
        features = np.empty((len(rows), 0), np.float32)
        for (number, kind), movies in self._movies.items():
            chosen = np.flatnonzero((fold == number) & (rows.movie_evidence == kind))
            if len(chosen):
                of_kind = pair_features(members.take(chosen), movies.take(rows.movie[chosen]), prior[chosen])
                if not features.shape[1]:
                    features = np.empty((len(rows), of_kind.shape[1]), np.float32)
                features[chosen] = of_kind
        return features

    def _members_of(self, rows: Rows) -> Members:
        """Return the columns of each row's member; values that the evidence excludes are missing."""
        members = replace(self._members.take(rows.view), evidence=rows.evidence)
        without_plays, without_attributes = ~_has_plays(rows.evidence), ~_has_attributes(rows.evidence)
        members.log_plays[without_plays] = 0
        members.compared[without_plays] = members.genres[without_plays] = np.nan
        members.groups[without_attributes] = -1
        return members

    @cached_property
    def _members(self) -> Members:
        """Columns of the members of all V views, with all visible facts."""
        columns = MemberColumns(self.data.schema, self.out_of_fold.fitted[0].prior.columns, self.grouped)
        nothing = np.zeros(len(self.views.member), np.int64)
        return columns.of(nothing, self.out_of_fold.inputs, self.views.play_count, self.views.attributes)

    @cached_property
    def _movies(self) -> dict[tuple[int, MovieEvidence], ReadyMovies]:
        """Columns of all M movies by fold and kind of evidence about them."""
        return {
            (number, kind): ready(shown(movies, kind), len(self.grouped))
            for number, movies in enumerate(self.movies)
            for kind in MovieEvidence
        }


def movie_factors(fitted: FittedPrior, movie: NDArray[np.int64], evidence: NDArray[np.int64]) -> Array:
    """Return (N, K) movie factors: fitted, predicted from the description, or average, depending on the evidence."""
    factors = fitted.prior.movies[movie]
    described, unknown = evidence == MovieEvidence.DESCRIBED, evidence == MovieEvidence.UNKNOWN
    factors[described] = fitted.described[movie[described]]
    factors[unknown] = fitted.prior.description.intercept
    return factors


def _deviation(prior: Prior, factors: Array, rows: Rows) -> Array:
    """Return (N,) standard deviations of ratings about the prior's predictions."""
    variance = prior.movie_variance[rows.movie]
    for kind, value in prior.unrated_variance.items():
        variance[rows.movie_evidence == kind] = value
    deviation = np.empty(len(rows))
    for evidence in prior.spread:
        chosen = rows.evidence == evidence
        deviation[chosen] = prior.deviation(evidence, factors[chosen], variance[chosen])
    return deviation


def shown(movies: Movies, evidence: MovieEvidence) -> Movies:
    """Return the columns of movies; values that the evidence excludes are missing."""
    if evidence is MovieEvidence.RATED:
        return movies
    unrated = as_unrated(movies)
    if evidence is MovieEvidence.DESCRIBED:
        return unrated
    numbers = np.full_like(unrated.numbers, np.nan)
    numbers[:, 1] = unrated.numbers[:, 1]
    missing = {name: np.full_like(getattr(unrated, name), np.nan) for name in ("compared", "genres", "attributes")}
    return replace(unrated, numbers=numbers, **missing)


def movie_columns(data: Dataset, fitted: FittedPrior, columns: MovieColumns, grouped: tuple[int, ...]) -> Movies:
    """Return the columns of all movies for the trees, computed from the data that the prior was fitted on."""
    table = fitted.table
    place = {name: number for number, name in enumerate(columns.names)}
    rated = table["ratings"].to_numpy() > 0
    numbers = np.stack(
        [
            np.where(rated, table["quality"].to_numpy(), np.nan),
            np.log1p(table["ratings"].to_numpy()),
            table["spread"].fill_null(float("nan")).to_numpy(),
            np.log1p(table["plays"].to_numpy()),
            data.release_year,
        ],
        axis=1,
    )
    length = np.linalg.norm(columns.embedding, axis=1, keepdims=True)
    shares = data.genres / np.maximum(np.nansum(data.genres, axis=1, keepdims=True), 1)
    compared = columns.columns[:, [place["quality"], place["popularity"], place["year"]]].astype(np.float64)
    compared[~np.isfinite(data.release_year), 2] = np.nan
    return Movies(
        numbers.astype(np.float32),
        compared.astype(np.float32),
        shares.astype(np.float32),
        data.movie_attributes,
        (columns.embedding / np.maximum(length, 1e-9)).astype(np.float32),
        group_residuals(data, grouped),
    )


def _parts(size: int) -> list[slice]:
    return [slice(start, min(start + CHUNK, size)) for start in range(0, size, CHUNK)]


def _has_plays(evidence: NDArray[np.int64]) -> NDArray[np.bool_]:
    return (evidence == MemberEvidence.PLAYS) | (evidence == MemberEvidence.ATTRIBUTES_AND_PLAYS)


def _has_attributes(evidence: NDArray[np.int64]) -> NDArray[np.bool_]:
    return (evidence == MemberEvidence.ATTRIBUTES) | (evidence == MemberEvidence.ATTRIBUTES_AND_PLAYS)
