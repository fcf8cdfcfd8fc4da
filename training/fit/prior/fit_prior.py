"""Fits the prior: a factorization of ratings, and regressions from members' plays and attributes to factors."""

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
from training.data.never_rater_views import SHORT, Views
from training.fit.prior.factorization import Factorization, Ratings
from training.fit.prior.inputs import BLOCK_WEIGHTS, blocks_of, play_features, play_inputs, rbf_mask_of, standardise
from training.fit.prior.kernel_ridge import fit
from training.fit.prior.movie_descriptions import fit_description
from training.fit.prior.play_space import embed
from training.settings import KernelSettings, PriorSettings

Array = NDArray[np.float64]


ALONE = 1 / BLOCK_WEIGHTS["attributes"]
"""Factor of the attributes' scale in a regression on attributes alone, which gives their block weight 1."""
ATTRIBUTES_LEAD = (1.0, 0.3)
"""Factors of the plays' scale to try if attributes get weight 1 in the regression on plays and attributes. With few
raters, attributes can predict better than plays. Cross-validation chooses between these and the usual weights."""


FEW_PLAYS = 30
"""Number of plays from which the prediction from plays isn't shrunk towards the prediction without plays."""
FEWEST_VIEWS = 50
"""Minimum number of views to estimate a bin's shrinkage weight; with fewer, the next bin's weight is used."""


@dataclass(frozen=True)
class OutOfFoldFactors:
    """Out-of-fold factors from a regression: each member is predicted by a fit without the member's views."""

    rows: NDArray[np.int64]
    """(R,) rows of the predicted views."""
    factors: Array
    """(R, K) predicted factors."""


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
    data: Dataset,
    views: Views,
    random: np.random.Generator,
    settings: PriorSettings,
    report: Callable[[str], None] = lambda _: None,
    weight: Array | None = None,
) -> FittedPrior:
    """Fit the prior to a dataset; `report` is called with the name of each step.

    `views` show raters as if they never rated, with part of their plays, as inputs to the regressions. `weight` (N,)
    weights the members in the regressions; without it, all members have equal weight.
    """
    report("factors")
    work = _PriorFit(data, views, random, settings, weight)
    for round_ in range(settings.rounds):
        report(f"regression {round_ + 1} of {settings.rounds + 1}")
        work.update_prior_means()
    report(f"regression {settings.rounds + 1} of {settings.rounds + 1}")
    return work.finish()


class _PriorFit:
    """State shared by the steps of a fit."""

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
        """(K,) mean of the raters' factors, weighted by `weights`."""
        return np.asarray(self.weights @ self.factors.member_mean / self.weights.sum())

    def update_prior_means(self) -> None:
        """Set the prior means to out-of-fold predictions from facts and descriptions, and sweep the factorization."""
        _, described = self._describe()
        rows = np.flatnonzero((self.owner >= 0) & (self.views.play_count > 0) & (self.views.half != SHORT))
        inputs, centre, scale = self._inputs(rows)
        scales = self._candidate_scales(scale)
        if self.lead is None:
            kernel = self.settings.with_plays
            candidates = [self._regress(inputs, rows, centre, scale, self.rbf_mask, kernel)[1] for scale in scales]
            self.lead = int(np.argmin([self._error(candidate, rows) for candidate in candidates]))
            out_of_fold = candidates[self.lead]
        else:
            scale = scales[self.lead]
            out_of_fold = self._regress(inputs, rows, centre, scale, self.rbf_mask, self.settings.with_plays)[1]
        total = np.zeros_like(self.factors.member_mean)
        np.add.at(total, self.owner[rows], out_of_fold)
        views = np.bincount(self.owner[rows], minlength=len(total))[:, None]
        self.factors.member_prior = np.where(views > 0, total / np.maximum(views, 1), self.average)
        self.factors.movie_prior = described
        for _ in range(self.settings.sweeps_per_round):
            self.factors.sweep()

    def finish(self) -> FittedPrior:
        """Fit the final regressions to the factors of the last sweep, and return the prior."""
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
        heads, predictions = {}, {}
        both = self._candidate_scales(scale)[self.lead or 0]
        for evidence, part, learned, scale_of_part, kernel in (
            (MemberEvidence.PLAYS, plays, rows, scale[plays], with_plays),
            (MemberEvidence.ATTRIBUTES_AND_PLAYS, slice(None), rows[shows[rows]], both, with_plays),
            (MemberEvidence.ATTRIBUTES, attributes, shown, alone, attributes_only),
        ):
            if len(learned):
                heads[evidence], out_of_fold = self._regress(
                    inputs[:, part], learned, centre[part], scale_of_part, self.rbf_mask[part], kernel
                )
                predictions[evidence] = OutOfFoldFactors(learned, out_of_fold)
        without_facts = np.tile(self.average, (len(self.owner), 1))
        from_attributes = without_facts.copy()
        if MemberEvidence.ATTRIBUTES in predictions:
            of_attributes_only = predictions[MemberEvidence.ATTRIBUTES]
            from_attributes[of_attributes_only.rows] = of_attributes_only.factors
            from_attributes[1::3] = from_attributes[::3]  # both half views of a member show the same attributes
        shrinkage = {}
        for evidence, prediction in predictions.items():
            if evidence.has_plays:
                base = (from_attributes if evidence.has_attributes else without_facts)[prediction.rows]
                shrinkage[evidence] = self._shrinkage(prediction, base)
                share = shrinkage[evidence][bins_of(self.views.play_count[prediction.rows])][:, None]
                predicted = share * prediction.factors + (1 - share) * base
            else:
                predicted = prediction.factors
            spread[evidence] = factors.spread_about(predicted, self.owner[prediction.rows])
        rated = self.ratings_of_movie > 0
        prior = Prior(
            mean=self.mean,
            columns=self.columns,
            movies=np.where(rated[:, None], factors.movie_mean, described),
            description=description,
            average_member=self.average,
            heads=heads,
            shrinkage=shrinkage,
            spread=spread,
            movie_variance=np.trace(factors.movie_cov, axis1=1, axis2=2),
            unrated_variance={
                MovieEvidence.DESCRIBED: _mean_square((factors.movie_mean - described)[rated]),
                MovieEvidence.UNKNOWN: _mean_square((factors.movie_mean - description.intercept)[rated]),
            },
            noise=factors.noise,
        )
        return FittedPrior(prior, self.table, described)

    def _shrinkage(self, prediction: OutOfFoldFactors, base: Array) -> Array:
        """Return (B,) weights, 0 to 1, of a prediction from plays relative to `base` (R, K) without plays, by bin.

        The weights minimise the squared error of ratings over all rated movies. They are 1 from FEW_PLAYS plays.
        """
        owner = self.owner[prediction.rows]
        design = np.concatenate([self.factors.movie_mean[:, :-1], np.ones((len(self.ratings_of_movie), 1))], axis=1)
        metric = (design * self.ratings_of_movie[:, None]).T @ design
        step = (prediction.factors - base) @ metric * self.weights[owner][:, None]
        gain = (step * (self.factors.member_mean[owner] - base)).sum(axis=1)
        power = (step * (prediction.factors - base)).sum(axis=1)
        bins = bins_of(self.views.play_count[prediction.rows])
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

    def _candidate_scales(self, scale: Array) -> list[Array]:
        """Return candidate scales of plays and attributes: the usual scale, then one per factor in ATTRIBUTES_LEAD."""
        split = len(scale) - self.attributes.shape[1]
        leading = [np.concatenate([scale[:split] * share, scale[split:] * ALONE]) for share in ATTRIBUTES_LEAD]
        return [scale, *leading] if self.attributes.shape[1] else [scale]

    def _error(self, predicted: Array, rows: NDArray[np.int64]) -> float:
        """Return the weighted sum of squared errors of predicted factors (R, K) for views in rows (R,)."""
        owner = self.owner[rows]
        return float(np.sum(self.weights[owner][:, None] * (predicted - self.factors.member_mean[owner]) ** 2))

    def _describe(self) -> tuple[Description, Array]:
        return fit_description(self.data, self.factors.movie_mean, self.ratings_of_movie, self.random)

    def _inputs(self, rows: NDArray[np.int64]) -> tuple[Array, Array, Array]:
        """Return (V, D) inputs of all views, and their centre and scale (D,) computed from the half views in `rows`."""
        self.columns = replace(self.columns, taste=self.factors.movie_mean[:, :-1].astype(np.float32))
        plays = play_inputs(self.views, self.features, self.columns)
        inputs = np.concatenate([plays, self.attributes], axis=1)
        whole = inputs[rows[self.views.half[rows] != SHORT]]
        blocks = blocks_of(self.columns, self.attributes.shape[1])
        self.rbf_mask = rbf_mask_of(whole, blocks, self.settings.sight)
        return inputs, *standardise(whole, blocks)

    def _regress(
        self,
        inputs: Array,
        rows: NDArray[np.int64],
        centre: Array,
        scale: Array,
        rbf_mask: Array,
        settings: KernelSettings,
    ) -> tuple[KernelRegression, Array]:
        """Fit a regression from inputs of the views in `rows` to factors; return it and its out-of-fold predictions."""
        owner = self.owner[rows]
        return fit(
            inputs[rows], self.factors.member_mean[owner], self.weights[owner], centre, scale, settings,
            self.member_fold[owner], self.random, rbf_mask,
        )  # fmt: skip


def _mean_square(errors: Array) -> float:
    """Return the mean squared Euclidean norm of N errors (N, K)."""
    return float(np.mean((errors**2).sum(axis=1)))
