"""Fits the update by ratings, and updates out-of-fold predictions by ratings that views show."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model.facts.evidence import MemberEvidence, MovieEvidence
from model.prediction.calibration import PLAY_BINS, bins_of
from model.prediction.prior.rating_update import FactorErrors, Movies, Rated, RatingUpdate, update_by_ratings
from training.data.never_rater_views import ShownRatings
from training.data.passes.side_by_side import side_by_side
from training.fit.movie_offsets import SHARE_SPREAD, SMALLEST_VARIANCE, shares_by_bin
from training.fit.out_of_fold_predictions import OutOfFoldPredictions
from training.fit.out_of_fold_targets import OutOfFoldTargets
from training.fit.trees.pair_rows import PairTable, Rows, chunks

Array = NDArray[np.float64]
Evidence = tuple[MemberEvidence, MovieEvidence]

BINS = len(PLAY_BINS)
"""Number of bins by number of ratings."""
MOST_ROWS = 200_000
"""Maximum number of rows, of views drawn at random, to which the weights of the update are fitted, for each kind of
evidence."""


@dataclass(frozen=True)
class RatingUpdates:
    """Updates out-of-fold predictions by ratings that views show.

    Neither the prior nor the offsets that predict a rater were fitted to the rater's ratings.
    """

    targets: OutOfFoldTargets
    table: PairTable
    shown: ShownRatings
    weights: Mapping[MemberEvidence, Array]
    """(bins, 2) weights of the update by kind of evidence with ratings, as in `Prior.rating_weights`."""

    def apply(self, predictions: OutOfFoldPredictions) -> OutOfFoldPredictions:
        """Return the predictions of those views that show ratings, updated by these.

        All predictions have the same kind of member evidence, without ratings, and are sorted by view. The result has
        ratings.
        """
        kind = MemberEvidence(int(predictions.rows.evidence[0])).with_ratings
        counts = self.shown.counts
        before = predictions.take(counts[predictions.rows.view] > 0)
        added, deviation = np.empty(len(before.rows)), np.empty(len(before.rows))

        def update_part(part: slice) -> None:
            rows = before.rows.take(part)
            fold = self.table.out_of_fold.fold[rows.view]
            for number in np.unique(fold):
                own = np.flatnonzero(fold == number)
                views, rows_of_view = np.unique(rows.view[own], return_counts=True)
                update, movies = self._update(views, kind, number).repeat(rows_of_view), self._movies(rows.take(own))
                added[part][own] = update.rating(movies)
                deviation[part][own] = update.deviation(before.deviation[part][own], movies)

        side_by_side(update_part, chunks(len(before.rows)))
        return replace(
            before,
            rows=replace(before.rows, evidence=np.full(len(before.rows), int(kind), np.int8)),
            prior=before.prior + added,
            rating=before.rating + added,
            deviation=deviation,
            plays=counts[before.rows.view],
        )

    def _update(self, views: NDArray[np.int64], kind: MemberEvidence, fold: int) -> RatingUpdate:
        """Return the update of views (U,) of one fold that show ratings."""
        table, prior = self.table, self.table.out_of_fold.fitted[fold].prior
        counts, ratings = self.shown.counts[views], self.shown.of(views)
        evidence = np.full(len(ratings), int(kind.without_ratings), np.int8)
        as_rated = np.full(len(ratings), int(MovieEvidence.RATED), np.int8)
        rows = Rows(views.repeat(counts), self.shown.movie[ratings], self.shown.rating[ratings], evidence, as_rated)
        residual = rows.rating - table.base(rows) - self.targets.movie_offsets(rows, table)
        errors = FactorErrors.of(prior.spread[kind.without_ratings], prior.noise_spread)
        return update_by_ratings(
            errors, Rated(self._movies(rows), residual), counts, self.weights[kind][bins_of(counts)]
        )

    def _movies(self, rows: Rows) -> Movies:
        """Return what the update needs of the movies of rows, as known without the fold of each row's member."""
        return Movies(self.table.prior_of(rows).movies, self.table.directions(rows), *self.table.errors_of(rows))


def fit_rating_updates(
    targets: OutOfFoldTargets,
    table: PairTable,
    shown: ShownRatings,
    predictions: Mapping[Evidence, OutOfFoldPredictions],
    random: np.random.Generator,
) -> RatingUpdates:
    """Fit the weights of the update to out-of-fold predictions of rated movies, for each kind of evidence with plays.

    First those of the shift, then, given these, those of the residuals of similar movies, with a normal prior about 0.
    """
    weights = {
        member.with_ratings: _weights(targets, table, shown, rows, random)
        for (member, movie), rows in predictions.items()
        if movie is MovieEvidence.RATED and member.has_plays and shown.counts[rows.rows.view].any()
    }
    return RatingUpdates(targets, table, shown, weights)


def _weights(
    targets: OutOfFoldTargets,
    table: PairTable,
    shown: ShownRatings,
    predictions: OutOfFoldPredictions,
    random: np.random.Generator,
) -> Array:
    """Return the (bins, 2) weights of the update for predictions of rated movies with one kind of evidence."""
    kind = MemberEvidence(int(predictions.rows.evidence[0])).with_ratings
    before = predictions.take(_drawn(predictions.rows.view, shown.counts > 0, random))
    truth, bins, weight = before.rows.rating, bins_of(shown.counts[before.rows.view]), targets.weight(before.rows)
    zeros, ones = np.zeros(BINS), np.ones(BINS)

    def updated(shift: Array, neighbours: Array) -> Array:
        weights = {kind: np.stack([shift, neighbours], axis=1)}
        return RatingUpdates(targets, table, shown, weights).apply(before).rating

    step = updated(ones, zeros) - before.rating
    shift = shares_by_bin(*_sums(truth - before.rating, step, bins, weight))
    shifted = before.rating + shift[bins] * step
    gain, power, variance = _sums(truth - shifted, updated(shift, ones) - shifted, bins, weight)
    neighbours = np.clip(gain / (power + max(variance, SMALLEST_VARIANCE) / SHARE_SPREAD**2), 0, 1)
    return np.stack([shift, neighbours], axis=1)


def _drawn(view: NDArray[np.int64], usable: NDArray[np.bool_], random: np.random.Generator) -> NDArray[np.bool_]:
    """Return (N,) a mask of all rows of some usable views (V,), with at most MOST_ROWS rows but one view at least.

    `view` (N,) is the view of each row.
    """
    views = random.permutation(np.unique(view[usable[view]]))
    rows = np.cumsum(np.bincount(view, minlength=len(usable))[views])
    chosen = np.zeros(len(usable), bool)
    chosen[views[: max(int(np.searchsorted(rows, MOST_ROWS, side="right")), 1)]] = True
    return chosen[view]


def _sums(residual: Array, step: Array, bins: NDArray[np.int64], weight: Array) -> tuple[Array, Array, float]:
    """Return sums by bin for the least squares of `shares_by_bin`, and the variance of the residuals."""
    gain, power = (np.bincount(bins, weight * values, BINS).astype(np.float64) for values in (step * residual, step**2))
    return gain, power, float(np.average(residual**2, weights=weight))
