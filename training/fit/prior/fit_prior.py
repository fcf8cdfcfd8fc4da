"""Fits the prior: a factorization of ratings, and regressions from members' plays and attributes to factors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.movies import play_weighted_columns
from model.facts.evidence import MovieEvidence
from model.prediction.prior.member_inputs import MovieColumns
from model.prediction.prior.prior import Prior
from training.data.dataset import Dataset
from training.data.passes.member_partition import MemberPartition
from training.data.passes.movie_statistics import MovieStatistics
from training.data.passes.passes import Passes
from training.fit.prior.factorization import Factors, KeptRatings, start, sweep
from training.fit.prior.fit_heads import fit_heads
from training.fit.prior.movie_descriptions import fit_description
from training.fit.prior.play_space import KeptPlays, embed
from training.fit.prior.prior_means import prior_means
from training.fit.prior.raters import Raters
from training.settings import PriorSettings

Array = NDArray[np.float64]

WARM_SWEEPS = 5
"""Number of sweeps before the first regression of a prior that begins with the movies of another."""


@dataclass(frozen=True)
class FittedPrior:
    """A prior, with the results of its fit that only training needs."""

    prior: Prior
    """Prior to be served."""
    table: pl.DataFrame
    """Statistics of the M movies, with the columns ratings, quality, spread and plays."""
    described: Array
    """(M, K) out-of-fold factors of the movies, predicted from their descriptions."""


@dataclass(frozen=True)
class Learned:
    """Data that one prior is fitted to: all partitions, or all without a fold of members."""

    partitions: Sequence[MemberPartition]
    """The partitions of the whole data."""
    kept: NDArray[np.bool_]
    """(N,) mask of the members to fit to."""
    weight: Array
    """(N,) weight of each member in the regressions, besides that of the number of ratings."""
    statistics: MovieStatistics
    """Statistics of the movies, of these members."""


def fit_prior(
    passes: Passes,
    data: Dataset,
    learned: Learned,
    random: np.random.Generator,
    settings: PriorSettings,
    report: Callable[[str], None] = lambda _: None,
    whole: FittedPrior | None = None,
) -> FittedPrior:
    """Factorize the ratings, and regress the members' factors on what is known of them, in rounds that improve both.

    The regressions see the raters as if they never rated, with part of their plays. `data` has schema and movies, and
    `report` is called with the name of each step. If the prior of `whole` data is given, this one begins with its
    movies: with their factors, of which WARM_SWEEPS leave no trace of the members without whom this one is fitted, and
    with their places in the play space, to which each of many members adds next to nothing.
    """
    report("factors")
    table, mean = learned.statistics.table(), learned.statistics.mean
    columns = _movie_columns(passes, data, learned, table, settings, random, whole)
    ratings = [KeptRatings(part, learned.kept[part.raters], mean) for part in learned.partitions]
    movies, sweeps = (None, settings.sweeps) if whole is None else (whole.prior.movies, WARM_SWEEPS)
    factors = _swept(passes, ratings, start(ratings, learned.statistics, settings.rank, random, movies), sweeps)
    weights = [learned.weight[part.raters] for part in learned.partitions]
    raters = Raters.of(passes, ratings, weights, data.schema, settings, random)
    ratings_of_movie, lead = table["ratings"].to_numpy(), None
    for round_ in range(settings.rounds):
        report(f"regression {round_ + 1} of {settings.rounds + 1}")
        described = fit_description(data, factors.movies.mean, ratings_of_movie, random)[1]
        columns = _with_taste(columns, factors)
        prior, lead = prior_means(raters, raters.targets(factors), columns, lead, random)
        factors = replace(factors, member_prior=prior, movie_prior=described)
        factors = _swept(passes, ratings, factors, settings.sweeps_per_round)
    report(f"regression {settings.rounds + 1} of {settings.rounds + 1}")
    description, described = fit_description(data, factors.movies.mean, ratings_of_movie, random)
    columns = _with_taste(columns, factors)
    heads = fit_heads(raters, factors, columns, ratings_of_movie, lead or 0, random)
    rated, movies = ratings_of_movie > 0, factors.movies.mean
    prior_ = Prior(
        mean=mean,
        columns=columns,
        movies=np.where(rated[:, None], movies, described),
        description=description,
        average_member=heads.average,
        heads=heads.regressions,
        shrinkage=heads.shrinkage,
        spread=heads.spread,
        movie_variance=np.trace(factors.movies.cov, axis1=1, axis2=2),
        unrated_variance={
            MovieEvidence.DESCRIBED: _mean_square((movies - described)[rated]),
            MovieEvidence.UNKNOWN: _mean_square((movies - description.intercept)[rated]),
        },
        noise=factors.noise,
        movie_noise=factors.movie_noise,
        rating_weights={},
        noise_spread=factors.noise_spread,
    )
    return FittedPrior(prior_, table, described)


def _movie_columns(
    passes: Passes,
    data: Dataset,
    learned: Learned,
    table: pl.DataFrame,
    settings: PriorSettings,
    random: np.random.Generator,
    whole: FittedPrior | None,
) -> MovieColumns:
    """Return the columns of movies that are summed over plays, still without tastes."""
    names, columns, year = play_weighted_columns(table, data.release_year, data.genres, data.schema.genres)
    if whole is None:
        plays = [KeptPlays(part, learned.kept[part.members]) for part in learned.partitions]
        embedding, squared = embed(passes, plays, settings.embedding, random)
    else:
        embedding, squared = whole.prior.columns.embedding, whole.prior.columns.squared_weight
    taste = np.zeros((len(table), settings.rank), np.float32)
    return MovieColumns(tuple(names), year, columns, embedding, squared, taste)


def _with_taste(columns: MovieColumns, factors: Factors) -> MovieColumns:
    return replace(columns, taste=factors.movies.mean[:, :-1].astype(np.float32))


def _swept(passes: Passes, ratings: Sequence[KeptRatings], factors: Factors, sweeps: int) -> Factors:
    for _ in range(sweeps):
        factors = sweep(passes, ratings, factors)
    return factors


def _mean_square(errors: Array) -> float:
    """Return the mean squared Euclidean norm of N errors (N, K)."""
    return float(np.mean((errors**2).sum(axis=1)))
