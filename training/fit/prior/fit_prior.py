"""Fits the prior: a factorization of ratings, and regressions from members' plays and attributes to factors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import RATING
from features.movies import play_weighted_columns, statistics
from model.facts.evidence import MovieEvidence
from model.prediction.prior.member_inputs import MovieColumns
from model.prediction.prior.prior import Prior
from training.data.dataset import Dataset
from training.data.passes.passes import Passes
from training.fit.prior.factorization import Factors, Ratings, start, sweep
from training.fit.prior.fit_heads import fit_heads
from training.fit.prior.member_partition import MemberPartition
from training.fit.prior.movie_descriptions import fit_description
from training.fit.prior.play_space import embed
from training.fit.prior.prior_means import prior_means
from training.fit.prior.raters import Raters
from training.settings import PriorSettings

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FittedPrior:
    """A prior, with the results of its fit that only training needs."""

    prior: Prior
    """Prior to be served."""
    table: pl.DataFrame
    """Statistics of the M movies, with the columns ratings, quality, spread and plays."""
    described: Array
    """(M, K) out-of-fold factors of the movies, predicted from their descriptions."""


def fit_prior(
    passes: Passes,
    partitions: Sequence[MemberPartition],
    data: Dataset,
    random: np.random.Generator,
    settings: PriorSettings,
    report: Callable[[str], None] = lambda _: None,
) -> FittedPrior:
    """Factorize the ratings, and regress the members' factors on what is known of them, in rounds that improve both.

    `partitions` hold the dataset's raters, each seen as if they never rated, with part of their plays; `passes` applies
    functions to all partitions. `report` is called with the name of each step.
    """
    report("factors")
    mean = float(data.ratings[RATING].mean())  # type: ignore[arg-type]  # ratings are numeric and never empty
    table = statistics(data.ratings.lazy(), data.plays.lazy(), len(data.movie_ids), mean).collect()
    columns = _movie_columns(passes, partitions, data, table, settings, random)
    ratings = passes.collect(partial(_centred, mean), partitions)
    factors = _swept(passes, ratings, start(passes, ratings, settings.rank, random), settings.sweeps)
    raters = Raters.of(passes, partitions, ratings, data.schema, settings, random)
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
        rating_weights={},
    )
    return FittedPrior(prior_, table, described)


def _movie_columns(
    passes: Passes,
    partitions: Sequence[MemberPartition],
    data: Dataset,
    table: pl.DataFrame,
    settings: PriorSettings,
    random: np.random.Generator,
) -> MovieColumns:
    """Return the columns of movies that are summed over plays, still without tastes."""
    names, columns, year = play_weighted_columns(table, data.release_year, data.genres, data.schema.genres)
    embedding, squared = embed(passes, [part.plays for part in partitions], settings.embedding, random)
    taste = np.zeros((len(table), settings.rank), np.float32)
    return MovieColumns(tuple(names), year, columns, embedding, squared, taste)


def _with_taste(columns: MovieColumns, factors: Factors) -> MovieColumns:
    return replace(columns, taste=factors.movies.mean[:, :-1].astype(np.float32))


def _centred(mean: float, partition: MemberPartition) -> Ratings:
    ratings = partition.ratings.copy()
    ratings.data -= np.float32(mean)
    return Ratings.of(ratings)


def _swept(passes: Passes, ratings: Sequence[Ratings], factors: Factors, sweeps: int) -> Factors:
    for _ in range(sweeps):
        factors = sweep(passes, ratings, factors)
    return factors


def _mean_square(errors: Array) -> float:
    """Return the mean squared Euclidean norm of N errors (N, K)."""
    return float(np.mean((errors**2).sum(axis=1)))
