"""Fits the factorization prior: factors of raters, and how to tell them from what is known of a member."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import RATING
from features.movies import MEMBER, MOVIE, play_weighted_columns, statistics
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.prediction.calibration import PLAY_BINS, bin_of, bins_of
from model.prediction.prior.kernel_regression import KernelRegression
from model.prediction.prior.member_inputs import MovieColumns, of_attributes
from model.prediction.prior.prior import Description, Prior
from training.data.dataset import Dataset
from training.data.views import SHORT, Views
from training.fit.prior.factorization import Factorization, Ratings
from training.fit.prior.inputs import BLOCK_WEIGHTS, blocks_of, play_features, play_inputs, sight_of, standardise
from training.fit.prior.kernel_ridge import fit
from training.fit.prior.movie_descriptions import fit_description
from training.fit.prior.play_space import embed
from training.settings import KernelSettings, PriorSettings

Array = NDArray[np.float64]


ALONE = 1 / BLOCK_WEIGHTS["attributes"]
"""On their own, attributes reach as far as one whole block."""
ATTRIBUTES_LEAD = (1.0, 0.3)
"""Where both are known, attributes may also reach as far as on their own, with plays as far as else or less: few
people's plays can say less than their attributes do. Cross-validation decides."""


FEW_PLAYS = 30
"""With fewer plays it is measured how far they are to be followed."""
FEWEST_VIEWS = 50
"""On so many views at least; else as with the next number of plays."""


@dataclass(frozen=True)
class Said:
    """What a regression says of views whose members it did not see."""

    rows: NDArray[np.int64]
    """(R,) rows of the views."""
    factors: Array
    """(R, K)"""


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
    weight: Array | None = None,
) -> FittedPrior:
    """The prior of a dataset; `views` are of its raters, `report` is told of each step.

    `weight` is (N,) what each member counts in the regressions; all alike where there is none.
    """
    report("factors")
    work = _Work(data, views, random, settings, weight)
    for round_ in range(settings.rounds):
        report(f"regression {round_ + 1} of {settings.rounds + 1}")
        work.draw_towards_facts()
    report(f"regression {settings.rounds + 1} of {settings.rounds + 1}")
    return work.finish()


class _Work:
    """A prior in the making: what all steps of its fit share."""

    def __init__(
        self,
        data: Dataset,
        views: Views,
        random: np.random.Generator,
        settings: PriorSettings,
        weight: Array | None,
    ) -> None:
        self.data, self.views, self.random, self.settings = data, views, random, settings
        movie_count = len(data.movie_ids)
        ratings = data.ratings[RATING].to_numpy()
        self.mean = float(ratings.mean())
        raters, places = np.unique(data.ratings[MEMBER].to_numpy(), return_inverse=True)
        self.table = statistics(data.ratings.lazy(), data.plays.lazy(), movie_count, self.mean).collect()
        self.ratings_of_movie = self.table["ratings"].to_numpy()
        names_, columns, year = play_weighted_columns(self.table, data.release_year, data.genres, data.schema.genres)
        embedding, squared = embed(
            data.plays[MEMBER].to_numpy(), data.plays[MOVIE].to_numpy(), movie_count, settings.embedding, random
        )
        self.columns = MovieColumns(
            tuple(names_), year, columns, embedding, squared, np.zeros((movie_count, settings.rank), np.float32)
        )
        pairs = Ratings.of(places, data.ratings[MOVIE].to_numpy(), ratings - self.mean, (len(raters), movie_count))
        self.factors = Factorization(pairs, settings.rank, random)
        for _ in range(settings.sweeps):
            self.factors.sweep()
        place_of = np.full(len(data.member_ids), -1)
        place_of[raters] = np.arange(len(raters))
        self.owner = place_of[views.member]
        counts = np.bincount(places, minlength=len(raters)).astype(np.float64)
        self.weights = counts / (counts + settings.prior_ratings) * (1.0 if weight is None else weight[raters])
        self.member_fold = random.permutation(len(raters)) % settings.folds
        self.lead: int | None = None
        self.features = play_features(views, columns, names_)
        self.attributes = of_attributes(views.attributes, data.schema)

    @property
    def average(self) -> Array:
        """(K,) factors of the average rater, weighed by how well each is known."""
        return np.asarray(self.weights @ self.factors.member_mean / self.weights.sum())

    def draw_towards_facts(self) -> None:
        """Draw members towards what their facts say, told by fits without them, and movies towards descriptions."""
        _, described = self._describe()
        rows = np.flatnonzero((self.owner >= 0) & (self.views.play_count > 0) & (self.views.half != SHORT))
        inputs, centre, scale = self._inputs(rows)
        reaches = self._reaches(scale)
        if self.lead is None:
            kernel = self.settings.with_plays
            tries = [self._regress(inputs, rows, centre, reach, self.sight, kernel)[1] for reach in reaches]
            self.lead = int(np.argmin([self._error(apart, rows) for apart in tries]))
            apart = tries[self.lead]
        else:
            reach = reaches[self.lead]
            apart = self._regress(inputs, rows, centre, reach, self.sight, self.settings.with_plays)[1]
        total = np.zeros_like(self.factors.member_mean)
        np.add.at(total, self.owner[rows], apart)
        seen = np.bincount(self.owner[rows], minlength=len(total))[:, None]
        self.factors.member_prior = np.where(seen > 0, total / np.maximum(seen, 1), self.average)
        self.factors.movie_prior = described
        for _ in range(self.settings.sweeps_per_round):
            self.factors.sweep()

    def finish(self) -> FittedPrior:
        """The prior as the factors stand."""
        factors, everyone = self.factors, len(self.weights)
        description, described = self._describe()
        rows = np.flatnonzero((self.owner >= 0) & (self.views.play_count > 0))
        inputs, centre, scale = self._inputs(rows)
        plays = slice(inputs.shape[1] - self.attributes.shape[1])
        attributes = slice(plays.stop, None)
        shows, first = self.views.shows_attributes, self.views.half != 1
        shown = np.flatnonzero((self.owner >= 0) & shows & first)
        alone = scale[attributes] * ALONE
        with_plays, attributes_only = self.settings.with_plays, self.settings.attributes_only
        spread = {
            MemberEvidence.NOTHING: factors.spread_about(np.tile(self.average, (everyone, 1)), np.arange(everyone))
        }
        heads, said = {}, {}
        both = self._reaches(scale)[self.lead or 0]
        for evidence, part, seen, reach, kernel in (
            (MemberEvidence.PLAYS, plays, rows, scale[plays], with_plays),
            (MemberEvidence.ATTRIBUTES_AND_PLAYS, slice(None), rows[shows[rows]], both, with_plays),
            (MemberEvidence.ATTRIBUTES, attributes, shown, alone, attributes_only),
        ):
            if len(seen):
                sight = self.sight[part]
                heads[evidence], apart = self._regress(inputs[:, part], seen, centre[part], reach, sight, kernel)
                said[evidence] = Said(seen, apart)
        bare = np.tile(self.average, (len(self.owner), 1))
        told = bare.copy()
        if MemberEvidence.ATTRIBUTES in said:
            told[said[MemberEvidence.ATTRIBUTES].rows] = said[MemberEvidence.ATTRIBUTES].factors
            told[1::3] = told[::3]  # both halves of a member show the same attributes
        followed = {}
        for evidence, one in said.items():
            if evidence.has_plays:
                base = (told if evidence.has_attributes else bare)[one.rows]
                followed[evidence] = self._followed(one, base)
                share = followed[evidence][bins_of(self.views.play_count[one.rows])][:, None]
                predicted = share * one.factors + (1 - share) * base
            else:
                predicted = one.factors
            spread[evidence] = factors.spread_about(predicted, self.owner[one.rows])
        rated = self.ratings_of_movie > 0
        prior = Prior(
            mean=self.mean,
            columns=self.columns,
            movies=np.where(rated[:, None], factors.movie_mean, described),
            description=description,
            average_member=self.average,
            heads=heads,
            followed=followed,
            spread=spread,
            movie_variance=np.trace(factors.movie_cov, axis1=1, axis2=2),
            unrated_variance={
                MovieEvidence.DESCRIBED: _mean_square((factors.movie_mean - described)[rated]),
                MovieEvidence.UNKNOWN: _mean_square((factors.movie_mean - description.intercept)[rated]),
            },
            noise=factors.noise,
        )
        return FittedPrior(prior, self.table, described)

    def _followed(self, said: "Said", base: Array) -> Array:
        """(bins,) how far what plays say is better than the base (R, K) without them, by number of plays.

        Least squares of ratings, over the movies that are rated. With many plays it is followed all the way.
        """
        owner = self.owner[said.rows]
        design = np.concatenate([self.factors.movie_mean[:, :-1], np.ones((len(self.ratings_of_movie), 1))], axis=1)
        metric = (design * self.ratings_of_movie[:, None]).T @ design
        step = (said.factors - base) @ metric * self.weights[owner][:, None]
        gain = (step * (self.factors.member_mean[owner] - base)).sum(axis=1)
        power = (step * (said.factors - base)).sum(axis=1)
        bins = bins_of(self.views.play_count[said.rows])
        share = np.ones(len(PLAY_BINS))
        for number in reversed(range(bin_of(FEW_PLAYS))):
            inside = bins == number
            total = power[inside].sum()
            share[number] = (
                np.clip(gain[inside].sum() / total, 0, 1)
                if inside.sum() >= FEWEST_VIEWS and total > 0
                else share[number + 1]
            )
        return share

    def _reaches(self, scale: Array) -> list[Array]:
        """Scales of plays and attributes together that are tried: the usual one, then those where attributes lead."""
        split = len(scale) - self.attributes.shape[1]
        led = [np.concatenate([scale[:split] * share, scale[split:] * ALONE]) for share in ATTRIBUTES_LEAD]
        return [scale, *led] if self.attributes.shape[1] else [scale]

    def _error(self, apart: Array, rows: NDArray[np.int64]) -> float:
        """How far predictions are off the factors, members weighed by how well they are known."""
        owner = self.owner[rows]
        return float(np.sum(self.weights[owner][:, None] * (apart - self.factors.member_mean[owner]) ** 2))

    def _describe(self) -> tuple[Description, Array]:
        return fit_description(self.data, self.factors.movie_mean, self.ratings_of_movie, self.random)

    def _inputs(self, rows: NDArray[np.int64]) -> tuple[Array, Array, Array]:
        """(V, I + W) inputs of all views from the movies' factors as they stand; their centre and scale over `rows`."""
        self.columns = replace(self.columns, taste=self.factors.movie_mean[:, :-1].astype(np.float32))
        plays = play_inputs(self.views, self.features, self.columns)
        inputs = np.concatenate([plays, self.attributes], axis=1)
        whole = inputs[rows[self.views.half[rows] != SHORT]]
        blocks = blocks_of(self.columns, self.attributes.shape[1])
        self.sight = sight_of(whole, blocks, self.settings.sight)
        return inputs, *standardise(whole, blocks)

    def _regress(
        self,
        inputs: Array,
        rows: NDArray[np.int64],
        centre: Array,
        scale: Array,
        sight: Array,
        settings: KernelSettings,
    ) -> tuple[KernelRegression, Array]:
        """A regression from the inputs of those rows, and what fits without each row's member say of it."""
        owner = self.owner[rows]
        return fit(
            inputs[rows], self.factors.member_mean[owner], self.weights[owner], centre, scale, settings,
            self.member_fold[owner], self.random, sight,
        )  # fmt: skip


def _mean_square(errors: Array) -> float:
    return float(np.mean((errors**2).sum(axis=1)))
