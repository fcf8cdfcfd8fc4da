"""Fits the factorization prior: factors of raters, and how to tell them from what is known of a member."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from features.columns import RATING
from features.movies import MEMBER, MOVIE, play_weighted_columns, statistics
from features.plays import VIEW, names, of_table
from model.evidence import MemberEvidence, MovieEvidence
from model.inputs import MovieColumns, join_plays, of_attributes
from model.prior import Prior
from model.regression import KernelRegression
from training.dataset import Dataset
from training.description import fit_description
from training.embedding import embed
from training.factors import Factorization, Ratings
from training.regression import KernelSettings, fit
from training.views import SHORT, Views

Array = NDArray[np.float64]
BOTH, PLAYS, ATTRIBUTES = MemberEvidence.ATTRIBUTES_AND_PLAYS, MemberEvidence.PLAYS, MemberEvidence.ATTRIBUTES


RIDGES = (6.0, 16.0, 64.0, 256.0, 1024.0)
WITH_PLAYS = KernelSettings(ridges=RIDGES, gamma=0.7, amplitude=1.6, landmarks=1400)
ATTRIBUTES_ONLY = KernelSettings(ridges=RIDGES, gamma=0.4, amplitude=1.0, landmarks=600)


@dataclass(frozen=True)
class PriorSettings:
    """How the prior is fitted; the values were chosen on inner member folds of MovieLens 1M."""

    rank: int = 16
    """Dimensions of taste; those that aren't needed shrink to nothing."""
    sweeps: int = 12
    """Sweeps of expectation-maximization before members' features come in."""
    rounds: int = 2
    """Rounds of regression from features to factors and back."""
    sweeps_per_round: int = 3
    """Sweeps after each regression."""
    embedding: int = 150
    """Dimensions of the space of plays."""
    folds: int = 3
    """Member folds by which a member's own factors are kept out of the prediction of them."""
    prior_ratings: float = 20.0
    """A rater weighs half of full weight in the regression at so many ratings."""
    with_plays: KernelSettings = WITH_PLAYS
    """The regressions that see plays."""
    attributes_only: KernelSettings = ATTRIBUTES_ONLY
    """The regression that sees attributes alone."""


BLOCK_WEIGHTS = {"counts": 0.2, "means": 0.2, "deciles": 0.3, "genres": 0.6, "watching": 0.2, "taste": 0.7,
                 "embedding": 1.0, "attributes": 0.2}  # fmt: skip
"""How far the inputs of a block reach in the kernel: their columns' standard deviations, root-summed."""


@dataclass(frozen=True)
class FittedPrior:
    """A prior, with what only training needs of it."""

    prior: Prior
    """The prior as it is served."""
    table: pl.DataFrame
    """Statistics of the M movies: ratings, quality, spread, plays."""
    described: Array
    """(M, K) factors of each movie told from its description by a fit that didn't see the movie."""


def fit_prior(
    data: Dataset,
    views: Views,
    random: np.random.Generator,
    settings: PriorSettings,
    report: Callable[[str], None] = lambda _: None,
) -> FittedPrior:
    """The prior of a dataset; `views` are of its raters, `report` is told of each step."""
    movie_count = len(data.movie_ids)
    members = data.ratings[MEMBER].to_numpy()
    movies = data.ratings[MOVIE].to_numpy()
    values = data.ratings[RATING].to_numpy()
    mean = float(values.mean())
    raters, places = np.unique(members, return_inverse=True)
    table = statistics(data.ratings.lazy(), data.plays.lazy(), movie_count, mean).collect()
    column_names, columns, mean_year = play_weighted_columns(table, data.release_year, data.genres, data.schema.genres)
    embedding, squared = embed(
        data.plays[MEMBER].to_numpy(), data.plays[MOVIE].to_numpy(), movie_count, settings.embedding, random
    )
    report("factors")
    factors = Factorization(
        Ratings.of(places, movies, values - mean, (len(raters), movie_count)), settings.rank, random
    )
    for _ in range(settings.sweeps):
        factors.sweep()
    place_of = np.full(len(data.member_ids), -1)
    place_of[raters] = np.arange(len(raters))
    owner = place_of[views.member]
    weights = np.bincount(places, minlength=len(raters)).astype(np.float64)
    weights = weights / (weights + settings.prior_ratings)
    ratings_of_movie = table["ratings"].to_numpy()
    member_fold = random.permutation(len(raters)) % settings.folds
    features = play_features(views, columns, column_names)
    attributes = of_attributes(views.attributes, data.schema)
    usable = (owner >= 0) & (views.play_count > 0)
    for round_ in range(settings.rounds + 1):
        report(f"regression {round_ + 1} of {settings.rounds + 1}")
        description, described = fit_description(data, factors.movie_mean, ratings_of_movie, random)
        movie_columns = MovieColumns(
            tuple(column_names), mean_year, columns, embedding, squared, factors.movie_mean[:, :-1].astype(np.float32)
        )
        inputs = play_inputs(views, features, movie_columns)
        fitting = _Fitting(factors.member_mean, weights, owner, member_fold, random)
        last = round_ == settings.rounds
        rows = np.flatnonzero(usable) if last else np.flatnonzero(usable & (views.half != SHORT))
        centre, scale = _standardise(inputs, attributes, views, rows, movie_columns)
        together = np.concatenate([inputs, attributes], axis=1)
        if last:
            break
        _, apart = fitting.fit(together, rows, centre, scale, settings.with_plays)
        total = np.zeros_like(factors.member_mean)
        np.add.at(total, owner[rows], apart)
        seen = np.bincount(owner[rows], minlength=len(raters))
        centre_of_all = weights @ factors.member_mean / weights.sum()
        factors.member_prior = np.where(seen[:, None] > 0, total / np.maximum(seen, 1)[:, None], centre_of_all)
        factors.movie_prior = described
        for _ in range(settings.sweeps_per_round):
            factors.sweep()
    heads, spread = {}, {}
    average = weights @ factors.member_mean / weights.sum()
    spread[MemberEvidence.NOTHING] = factors.spread_about(np.tile(average, (len(raters), 1)), np.arange(len(raters)))
    split = inputs.shape[1]
    shows_attributes = views.shows_attributes
    everyone = np.flatnonzero((owner >= 0) & shows_attributes & (views.half != 1))
    alone = scale[split:] / BLOCK_WEIGHTS["attributes"]
    for evidence, given, seen_rows, (middle, reach), kernel in (
        (PLAYS, inputs, rows, (centre[:split], scale[:split]), settings.with_plays),
        (BOTH, together, rows[shows_attributes[rows]], (centre, scale), settings.with_plays),
        (ATTRIBUTES, attributes, everyone, (centre[split:], alone), settings.attributes_only),
    ):
        if len(seen_rows):
            heads[evidence], apart = fitting.fit(given, seen_rows, middle, reach, kernel)
            spread[evidence] = factors.spread_about(apart, owner[seen_rows])
    rated = ratings_of_movie > 0
    error = (factors.movie_mean - described)[rated]
    blind = (factors.movie_mean - description.intercept)[rated]
    prior = Prior(
        mean=mean,
        columns=movie_columns,
        movies=np.where(rated[:, None], factors.movie_mean, described),
        description=description,
        average_member=average,
        heads=heads,
        spread=spread,
        movie_variance=np.trace(factors.movie_cov, axis1=1, axis2=2),
        unrated_variance={
            MovieEvidence.DESCRIBED: float(np.mean((error**2).sum(axis=1))),
            MovieEvidence.UNKNOWN: float(np.mean((blind**2).sum(axis=1))),
        },
        noise=factors.noise,
    )
    return FittedPrior(prior, table, described)


def play_features(views: Views, columns: NDArray[np.float32], column_names: list[str]) -> Array:
    """(V, F) features of the visible plays of each view; a view without plays has zeros."""
    movies = pl.LazyFrame(columns, schema=column_names).with_row_index(MOVIE).with_columns(pl.col(MOVIE).cast(pl.Int32))
    table = of_table(views.plays.lazy(), movies, column_names).collect(engine="streaming")
    features = np.zeros((len(views.member), len(names(column_names))))
    features[table[VIEW].to_numpy()] = table.drop(VIEW).to_numpy()
    return features


def play_inputs(views: Views, features: Array, movies: MovieColumns) -> Array:
    """(V, I) inputs from the visible plays of each view."""
    pairs = (views.plays[VIEW].to_numpy(), views.plays[MOVIE].to_numpy())
    shape = (len(views.member), len(movies.columns))
    seen = sparse.csr_array((np.ones(len(pairs[0])), pairs), shape=shape)
    return join_plays(
        features,
        seen @ movies.taste.astype(np.float64),
        seen @ movies.embedding.astype(np.float64),
        seen @ movies.squared_weight.astype(np.float64),
        views.play_count,
    )


@dataclass(frozen=True)
class _Fitting:
    """What all regressions of one round share."""

    factors: Array
    weights: Array
    owner: NDArray[np.int64]
    member_fold: NDArray[np.int64]
    random: np.random.Generator

    def fit(
        self, inputs: Array, rows: NDArray[np.int64], centre: Array, scale: Array, settings: KernelSettings
    ) -> tuple[KernelRegression, Array]:
        """A regression from the inputs of those rows, and what fits without each row's member say of it."""
        owner = self.owner[rows]
        return fit(
            inputs[rows], self.factors[owner], self.weights[owner], centre, scale, settings,
            self.member_fold[owner], self.random,
        )  # fmt: skip


def _standardise(
    inputs: Array, attributes: Array, views: Views, rows: NDArray[np.int64], movies: MovieColumns
) -> tuple[Array, Array]:
    """Centre and scale of each input, so that each block reaches as far as its weight says."""
    feature_names = names(movies.names)
    blocks = np.array([_block(name) for name in feature_names])
    blocks = np.concatenate([blocks, ["taste"] * movies.taste.shape[1], ["embedding"] * movies.embedding.shape[1],
                             ["attributes"] * attributes.shape[1]])  # fmt: skip
    seen = rows[views.half[rows] != SHORT]
    together = np.concatenate([inputs[seen], attributes[seen]], axis=1)
    known = np.isfinite(together)
    count = np.maximum(known.sum(axis=0), 1)
    centre = np.nan_to_num(together).sum(axis=0) / count
    variance = (np.nan_to_num(together - centre) ** 2).sum(axis=0) / count
    embedding = blocks == "embedding"
    variance[embedding] = variance[embedding].mean() if embedding.any() else 0
    scale = np.zeros(len(blocks))
    for block, weight in BLOCK_WEIGHTS.items():
        columns = blocks == block
        alive = columns & (variance > 1e-10)
        scale[alive] = weight / np.sqrt(max(alive.sum(), 1) * variance[alive])
    return centre, scale


def _block(name: str) -> str:
    if name.startswith("log_plays"):
        return "counts"
    if name.startswith("movies:genre:"):
        return "genres"
    if "_decile_" in name:
        return "deciles"
    return "means" if name.startswith("movies:") else "watching"
