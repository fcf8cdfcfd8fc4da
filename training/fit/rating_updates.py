"""Fits predictions for members who have begun to rate: out-of-fold predictions, updated by ratings that views show."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from model.facts.evidence import MemberEvidence, MovieEvidence
from model.prediction.calibration import PLAY_BINS, bins_of
from model.prediction.prior.rating_update import RatedMovies, RatingUpdate, update_by_ratings
from training.data.never_rater_views import ShownRatings
from training.fit.movie_offsets import shares_by_bin
from training.fit.out_of_fold_predictions import OutOfFoldPredictions
from training.fit.out_of_fold_targets import OutOfFoldTargets
from training.fit.trees.pair_rows import PairTable, Rows, chunks

Array = NDArray[np.float64]
Predictions = dict[tuple[MemberEvidence, MovieEvidence], OutOfFoldPredictions]


class RatingUpdates:
    """Updates out-of-fold predictions by ratings that views show.

    Neither the prior nor the offsets that predict a rater were fitted to the rater's ratings.
    """

    def __init__(self, targets: OutOfFoldTargets, table: PairTable, shown: ShownRatings) -> None:
        self._targets, self._table, self._shown = targets, table, shown
        self.shrinkage: dict[MemberEvidence, Array] = {}
        """(bins,) shrinkage weights of the update by kind of evidence with ratings, as in `Prior.shrinkage`."""

    def fit(self, predictions: OutOfFoldPredictions) -> None:
        """Estimate the shrinkage weights from predictions of rated movies for one kind of evidence without ratings."""
        kind = MemberEvidence(int(predictions.rows.evidence[0])).with_ratings
        updated = self._updated(predictions, np.ones(len(PLAY_BINS)), kind)
        before = predictions.take(self._shown.counts[predictions.rows.view] > 0)
        residual, step = before.rows.rating - before.rating, updated.rating - before.rating
        weight = self._targets.weight(before.rows)
        gain, power = (
            np.bincount(bins_of(updated.plays), weight * values, len(PLAY_BINS)).astype(np.float64)
            for values in (step * residual, step**2)
        )
        self.shrinkage[kind] = shares_by_bin(gain, power, float(np.average(residual**2, weights=weight)))

    def apply(self, predictions: OutOfFoldPredictions) -> OutOfFoldPredictions:
        """Return the predictions of those views that show ratings, updated by these.

        All predictions have the same kind of member evidence, without ratings; the result has ratings.
        """
        kind = MemberEvidence(int(predictions.rows.evidence[0])).with_ratings
        return self._updated(predictions, self.shrinkage[kind], kind)

    def _updated(self, predictions: OutOfFoldPredictions, shares: Array, kind: MemberEvidence) -> OutOfFoldPredictions:
        counts = self._shown.counts
        before = predictions.take(counts[predictions.rows.view] > 0)
        shift, deviation = np.empty(len(before.rows)), np.empty(len(before.rows))
        for part in chunks(len(before.rows)):
            rows = before.rows.take(part)
            movies, views = self._table.prior_of(rows).movies, np.unique(rows.view)
            update = self._update(views, kind.without_ratings, shares).take(np.searchsorted(views, rows.view))
            shift[part], deviation[part] = update.rating(movies), update.deviation(before.deviation[part], movies)
        return replace(
            before,
            rows=replace(before.rows, evidence=np.full(len(before.rows), int(kind), np.int8)),
            prior=before.prior + shift,
            rating=before.rating + shift,
            deviation=deviation,
            plays=counts[before.rows.view],
        )

    def _update(self, views: NDArray[np.int64], evidence: MemberEvidence, shares: Array) -> RatingUpdate:
        """Return the update of views that show ratings, predicted from `evidence` before."""
        table, shown = self._table, self._shown
        counts, ratings = shown.counts[views], shown.of(views)
        evidences = np.full(len(ratings), int(evidence), np.int8)
        rated = np.full(len(ratings), int(MovieEvidence.RATED), np.int8)
        rows = Rows(views.repeat(counts), shown.movie[ratings], shown.rating[ratings], evidences, rated)
        outputs = table.prior_of(rows)
        residual = rows.rating - outputs.rating - self._targets.movie_offsets(rows, table)
        priors = [fitted.prior for fitted in table.out_of_fold.fitted]
        fold = table.out_of_fold.fold
        variance = np.empty(len(rows))
        for number, prior in enumerate(priors):
            own = fold[rows.view] == number
            variance[own] = prior.noise + prior.movie_variance[rows.movie[own]]
        ends = np.cumsum(counts)
        members = [
            RatedMovies(outputs.movies[start:end], residual[start:end], variance[start:end])
            for start, end in zip(ends - counts, ends, strict=True)
        ]
        share, size = shares[bins_of(counts)], outputs.movies.shape[1]
        update = RatingUpdate(np.empty((len(views), size)), np.empty((len(views), size, size)))
        for number, prior in enumerate(priors):
            own = np.flatnonzero(fold[views] == number)
            if len(own):
                of_fold = update_by_ratings(prior.spread[evidence], [members[place] for place in own], share[own])
                update.shift[own], update.reduction[own] = of_fold.shift, of_fold.reduction
        return update


def fit_rating_updates(
    targets: OutOfFoldTargets,
    table: PairTable,
    shown: ShownRatings,
    predictions: Mapping[tuple[MemberEvidence, MovieEvidence], OutOfFoldPredictions],
) -> RatingUpdates:
    """Fit the update for each kind of evidence with plays to out-of-fold predictions without ratings."""
    updates = RatingUpdates(targets, table, shown)
    for (member, movie), rows in predictions.items():
        if movie is MovieEvidence.RATED and member.has_plays and (shown.counts[rows.rows.view] > 0).any():
            updates.fit(rows)
    return updates
