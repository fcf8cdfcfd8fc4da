"""Training rows of the trees: pairs of a view and a movie that the view doesn't show, and the features of pairs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import RATING
from features.movies import MOVIE
from features.pair_features import Members, Movies, ReadyMovies, pair_features, ready
from features.plays import VIEW
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.prediction.pair_columns import MemberColumns, as_unrated
from model.prediction.prior.prior import Prior, prior_numbers, rating_of
from training.data.dataset import Dataset
from training.data.never_rater_views import Views
from training.data.passes.side_by_side import side_by_side
from training.fit.cross_fit import OutOfFold
from training.fit.prior.fit_prior import FittedPrior

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
    evidence: NDArray[np.int8]
    """(N,) MemberEvidence: the kinds of facts about the member that the model may use."""
    movie_evidence: NDArray[np.int8]
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

    def sample(self, most: int, random: np.random.Generator) -> "Rows":
        """Return `most` rows drawn at random, or all if there are no more; they keep their order."""
        return self.take(np.sort(random.permutation(len(self))[:most]))

    def with_movie_evidence(self, evidence: MovieEvidence) -> "Rows":
        """Return a copy with another kind of evidence about the movies."""
        return replace(self, movie_evidence=np.full(len(self), int(evidence), np.int8))

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
        np.full(size, int(evidence), np.int8),
        np.full(size, int(MovieEvidence.RATED), np.int8),
    )


def concatenate(parts: list[Rows]) -> Rows:
    """Concatenate rows in the order of the parts."""
    return Rows(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("view", "movie", "rating", "evidence", "movie_evidence")
        )
    )


class PriorOfRows(NamedTuple):
    """Out-of-fold outputs of the prior for N rows, with K factors."""

    members: Array
    """(N, K) factors of the members."""
    movies: Array
    """(N, K) factors of the movies."""
    rating: Array
    """(N,) predictions."""


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

    def prior_of(self, rows: Rows) -> PriorOfRows:
        """Return the out-of-fold outputs of the prior for rows, all at once."""
        fold, fitted = self.out_of_fold.fold[rows.view], self.out_of_fold.fitted
        members = np.empty((len(rows), fitted[0].prior.movies.shape[1]))
        for evidence, values in self.out_of_fold.factors.items():
            chosen = np.flatnonzero(rows.evidence == evidence)
            members[chosen] = values[rows.view[chosen]]
        movies, mean = np.empty_like(members), np.array([each.prior.mean for each in fitted])[fold]
        for number, each in enumerate(fitted):
            chosen = np.flatnonzero(fold == number)
            movies[chosen] = movie_factors(each, rows.movie[chosen], rows.movie_evidence[chosen])
        return PriorOfRows(members, movies, mean + rating_of(members, movies))

    def directions(self, rows: Rows) -> NDArray[np.float32]:
        """Return (N, E) unit vectors of the movies in the embedding of the fold's prior; zeros for unrated movies."""
        fold = self.out_of_fold.fold[rows.view]
        directions = np.zeros((len(rows), self.movies[0].direction.shape[1]), np.float32)
        for number, movies in enumerate(self.movies):
            chosen = np.flatnonzero((fold == number) & (rows.movie_evidence == MovieEvidence.RATED))
            directions[chosen] = movies.direction[rows.movie[chosen]]
        return directions

    def errors_of(self, rows: Rows) -> tuple[Array, Array]:
        """Return the (N,) variances of the noise of ratings, and those due to the movies, as in `Prior.errors_of`."""
        fold, (noise, variance) = self.out_of_fold.fold[rows.view], np.empty((2, len(rows)))
        for number, fitted in enumerate(self.out_of_fold.fitted):
            own = np.flatnonzero(fold == number)
            noise[own], variance[own] = fitted.prior.errors_of(rows.movie[own], rows.movie_evidence[own])
        return noise, variance

    def base(self, rows: Rows) -> Array:
        """Return (N,) out-of-fold predictions of the prior."""
        return np.concatenate([np.empty(0), *(self.prior_of(rows.take(part)).rating for part in chunks(len(rows)))])

    def deviation(self, rows: Rows, prior: PriorOfRows) -> Array:
        """Return (N,) standard deviations of the ratings about the prior's predictions."""
        fold, deviation = self.out_of_fold.fold[rows.view], np.empty(len(rows))
        for number, fitted in enumerate(self.out_of_fold.fitted):
            chosen = np.flatnonzero(fold == number)
            deviation[chosen] = _deviation(fitted.prior, prior.movies[chosen], rows.take(chosen))
        return deviation

    def features(self, rows: Rows, offset: Array) -> NDArray[np.float32]:
        """Return (N, F) features; `offset` (N,) is added to the prior's prediction."""
        prior = self.prior_of(rows)
        return self.features_of(rows, prior, self.deviation(rows, prior), offset)

    def all_features(self, rows: Rows, offset: Array) -> NDArray[np.float32]:
        """Return (N, F) features of many rows; `offset` (N,) is added to the prior's prediction."""
        return in_chunks(len(rows), lambda part: self.features(rows.take(part), offset[part]))

    def features_of(self, rows: Rows, prior: PriorOfRows, deviation: Array, offset: Array) -> NDArray[np.float32]:
        """Return (N, F) features, given the prior's outputs and their standard deviations (N,)."""
        numbers = prior_numbers(prior.members, prior.movies, offset, deviation)
        fold, members = self.out_of_fold.fold[rows.view], self._members_of(rows)
        chosen_of = {key: np.flatnonzero((fold == key[0]) & (rows.movie_evidence == key[1])) for key in self._movies}
        return filled(
            len(rows),
            (
                (
                    chosen,
                    pair_features(members.take(chosen), self._movies[key].take(rows.movie[chosen]), numbers[chosen]),
                )
                for key, chosen in chosen_of.items()
                if len(chosen)
            ),
        )

    def _members_of(self, rows: Rows) -> Members:
        """Return the columns of each row's member; values that the evidence excludes are missing."""
        members = replace(self._members.take(rows.view), evidence=rows.evidence.astype(np.int64))
        without_plays, without_attributes = ~has_plays(rows.evidence), ~has_attributes(rows.evidence)
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


def filled(count: int, parts: Iterable[tuple[slice | NDArray[np.int64], NDArray[np.float32]]]) -> NDArray[np.float32]:
    """Return (count, F) features of all rows from those of each part of the rows; without parts, F is 0."""
    features = np.empty((count, 0), np.float32)
    for part, values in parts:
        if not features.shape[1]:
            features = np.empty((count, values.shape[1]), np.float32)
        features[part] = values
    return features


def in_chunks(count: int, features_of: Callable[[slice], NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return (count, F) features, of which the function computes those of a range of rows; without rows, F is 0."""
    if not count:
        return np.empty((0, 0), np.float32)
    first, *others = chunks(count)
    values = features_of(first)
    features = np.empty((count, values.shape[1]), np.float32)
    features[first] = values

    def fill(part: slice) -> None:
        features[part] = features_of(part)

    side_by_side(fill, others)
    return features


def movie_factors(fitted: FittedPrior, movie: NDArray[np.int64], evidence: NDArray[np.int8]) -> Array:
    """Return (N, K) movie factors: fitted, predicted from the description, or average, depending on the evidence."""
    factors = fitted.prior.movies[movie]
    described, unknown = evidence == MovieEvidence.DESCRIBED, evidence == MovieEvidence.UNKNOWN
    factors[described] = fitted.described[movie[described]]
    factors[unknown] = fitted.prior.description.intercept
    return factors


def _deviation(prior: Prior, factors: Array, rows: Rows) -> Array:
    """Return (N,) standard deviations of ratings about the prior's predictions."""
    noise, variance = prior.errors_of(rows.movie, rows.movie_evidence)
    error, deviation = noise + variance, np.empty(len(rows))
    for evidence in prior.spread:
        chosen = rows.evidence == evidence
        deviation[chosen] = prior.deviation(evidence, factors[chosen], error[chosen])
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


def movie_columns(data: Dataset, fitted: FittedPrior, residuals: NDArray[np.float32]) -> Movies:
    """Return the columns of all movies for the trees.

    `residuals` (M, T) are the group effects, of the members that the prior was fitted to.
    """
    table, columns = fitted.table, fitted.prior.columns
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
        residuals,
    )


def chunks(size: int) -> list[slice]:
    """Return ranges of CHUNK rows that together hold `size` rows."""
    return [slice(start, min(start + CHUNK, size)) for start in range(0, size, CHUNK)]


def has_plays(evidence: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Return (N,) whether plays are among the facts about the member that the model may use."""
    return np.asarray((evidence == MemberEvidence.PLAYS) | (evidence == MemberEvidence.ATTRIBUTES_AND_PLAYS))


def has_attributes(evidence: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Return (N,) whether attributes are among the facts about the member that the model may use."""
    return np.asarray((evidence == MemberEvidence.ATTRIBUTES) | (evidence == MemberEvidence.ATTRIBUTES_AND_PLAYS))
