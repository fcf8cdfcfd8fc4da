"""What trees and calibration stand on: targets of all half views, and the movies' offsets out of fold."""

import numpy as np
from numpy.typing import NDArray

from features.movies import MOVIE
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.prediction.calibration import PLAY_BINS, bins_of
from training.data.views import SHORT
from training.fit.calibration.held_out import HeldOutRows, thinned
from training.fit.movie_offsets import FittedOffsets, fit_offsets, movie_mean_offsets, shrinkage_by_plays
from training.fit.out_of_fold_predictions import OutOfFoldPredictions
from training.fit.prior.fit_prior import FittedPrior
from training.fit.prior.movie_descriptions import fit_description
from training.fit.trees.pair_rows import PairTable, Rows, target_rows

Array = NDArray[np.float64]

SHARE_ROWS = 200_000
"""So many ratings by members shown with few plays tell at most how far offsets with plays are followed."""
RATED, DESCRIBED, UNKNOWN = MovieEvidence.RATED, MovieEvidence.DESCRIBED, MovieEvidence.UNKNOWN


class OutOfFoldTargets:
    """Targets of all half views and the movies' offsets, for each kind of member evidence."""

    def __init__(self, table: PairTable, whole: FittedPrior, weight: Array | None) -> None:
        views, out_of_fold = table.views, table.out_of_fold
        self.table, self.weighted, self._weight = table, weight is not None, weight
        half = views.half != SHORT
        self.distances = {member: thinned(distance[half]) for member, distance in out_of_fold.distance.items()}
        movies = len(table.data.movie_ids)
        self.rows: dict[MemberEvidence, Rows] = {}
        self.shares: dict[MemberEvidence, Array] = {}
        self._fitted: dict[MemberEvidence, FittedOffsets] = {}
        self._described: dict[MemberEvidence, Array] = {}
        ratings = np.bincount(table.data.ratings[MOVIE].to_numpy(), minlength=movies).astype(np.float64)
        for member, factors in sorted(out_of_fold.factors.items()):  # what there is without plays comes first
            rows = target_rows(views, half & np.isfinite(factors[:, 0]), member)
            if not len(rows):
                continue
            if member is MemberEvidence.NOTHING and weight is None:
                each = np.stack([movie_mean_offsets(fitted) for fitted in out_of_fold.fitted])
                found = FittedOffsets(movie_mean_offsets(whole), each)
            else:
                residual = rows.rating - table.base(rows)[0]
                found = fit_offsets(residual, rows.movie, out_of_fold.fold[rows.view], movies, self.weight(rows))
            self.rows[member], self._fitted[member] = rows, found
            self.shares[member] = self._shares(member)
            description, told = fit_description(
                table.data, self.served_offsets(member).T, ratings, np.random.default_rng(int(member))
            )
            self._described[member] = np.concatenate([told, description.intercept[None]])

    def served_offsets(self, member: MemberEvidence) -> Array:
        """(B, M) offsets of the movies from all members, for each bin of plays; one where the evidence has none."""
        share, without = self.shares[member][:, None], self._fitted[self._without_plays(member)].movies
        return np.asarray(share * self._fitted[member].movies + (1 - share) * without)

    def weight(self, rows: Rows) -> Array:
        """(N,) what each row's member counts; 1 where all count alike."""
        return np.ones(len(rows)) if self._weight is None else self._weight[self.table.views.member[rows.view]]

    def held_out(self, predictions: OutOfFoldPredictions) -> HeldOutRows:
        """Predictions as the calibration takes them."""
        rows, scale = predictions.rows, self.table.data.schema.scale
        return HeldOutRows(
            np.clip(predictions.rating, scale.low, scale.high), rows.rating, predictions.deviation, predictions.plays,
            predictions.extrapolation, self.table.views.member[rows.view], self.table.out_of_fold.fold[rows.view],
            self.weight(rows),
        )  # fmt: skip

    def movie_offsets(self, rows: Rows, table: PairTable) -> Array:
        """(N,) offsets of rows of a table's views, from members of other folds than that of the row's view."""
        offset = np.zeros(len(rows))
        for member, shares in self.shares.items():
            bins = bins_of(table.views.play_count[rows.view]) if member.has_plays else np.zeros(len(rows), np.int64)
            chosen = rows.evidence == member
            rated = chosen & (rows.movie_evidence == RATED)
            of_rated, share = rows.take(rated), shares[bins[rated]]
            own, without = (
                self._out_of_fold_offsets(member, of_rated, table),
                self._out_of_fold_offsets(self._without_plays(member), of_rated, table),
            )
            offset[rated] = share * own + (1 - share) * without
            for kind, movie in ((DESCRIBED, rows.movie), (UNKNOWN, np.full(len(rows), -1))):
                some = chosen & (rows.movie_evidence == kind)
                offset[some] = self._described[member][movie[some], bins[some]]
        return offset

    def _out_of_fold_offsets(self, member: MemberEvidence, rows: Rows, table: PairTable) -> Array:
        """(N,) offsets of rated movies for one kind of evidence, from members of other folds."""
        return self._fitted[member].out_of_fold[table.out_of_fold.fold[rows.view], rows.movie]

    def _shares(self, member: MemberEvidence) -> Array:
        """(B,) how far the offsets are followed at each number of plays; else those without plays count."""
        without = self._without_plays(member)
        if without is member:
            return np.ones(1)
        table = self.table
        few = (table.views.half == SHORT) & np.isfinite(table.out_of_fold.factors[member][:, 0])
        rows = target_rows(table.views, few, member)
        rows = rows.take(np.sort(np.random.default_rng(int(member)).permutation(len(rows))[:SHARE_ROWS]))
        before = self._out_of_fold_offsets(without, rows, table)
        residual, step = (
            rows.rating - table.base(rows)[0] - before,
            self._out_of_fold_offsets(member, rows, table) - before,
        )
        bins = bins_of(table.views.play_count[rows.view])
        return shrinkage_by_plays(residual, step, bins, len(PLAY_BINS), self.weight(rows))

    def _without_plays(self, member: MemberEvidence) -> MemberEvidence:
        """What is left of the evidence without plays, as far as there is something to learn from."""
        if not member.has_plays:
            return member
        kind = MemberEvidence.ATTRIBUTES if member.has_attributes else MemberEvidence.NOTHING
        return kind if kind in self._fitted else member
