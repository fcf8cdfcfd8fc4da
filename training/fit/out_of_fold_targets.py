"""Targets of trees and calibration: ratings of movies that half views hide, with out-of-fold movie offsets."""

import numpy as np
from numpy.typing import NDArray

from model.facts.evidence import MemberEvidence, MovieEvidence
from model.prediction.calibration import bins_of
from training.data.never_rater_views import SHORT
from training.data.passes.passes import Passes
from training.fit.calibration.held_out import HeldOutRows, thinned
from training.fit.folds import FoldedData
from training.fit.movie_offsets import (
    FittedOffsets,
    fit_offsets,
    movie_mean_offsets,
    residual_sums,
    shrinkage_by_plays,
)
from training.fit.out_of_fold_predictions import OutOfFoldPredictions
from training.fit.prior.fit_prior import FittedPrior
from training.fit.prior.movie_descriptions import fit_description
from training.fit.trees.pair_rows import PairTable, Rows, target_rows

Array = NDArray[np.float64]

RATED, DESCRIBED, UNKNOWN = MovieEvidence.RATED, MovieEvidence.DESCRIBED, MovieEvidence.UNKNOWN


class OutOfFoldTargets:
    """Rows to predict and movie offsets, by kind of member evidence."""

    def __init__(
        self, passes: Passes, folded: FoldedData, table: PairTable, whole: FittedPrior, weight: Array | None
    ) -> None:
        views, out_of_fold = table.views, table.out_of_fold
        self.table, self.weighted, self._weight = table, weight is not None, weight
        # small numbers, since there are many rows of each kind
        self._member_of_view, self._fold_of_view = views.member.astype(np.int32), out_of_fold.fold.astype(np.int16)
        half = views.half != SHORT
        self.distances = {member: thinned(distance[half]) for member, distance in out_of_fold.distance.items()}
        self.rows: dict[MemberEvidence, Rows] = {}
        self.shrinkage: dict[MemberEvidence, Array] = {}
        self._fitted: dict[MemberEvidence, FittedOffsets] = {}
        self._described: dict[MemberEvidence, Array] = {}
        self._sums = residual_sums(
            passes, folded, out_of_fold.fitted, np.ones(len(folded.fold_of)) if weight is None else weight
        )
        # in this order, since offsets with plays are shrunk towards the offsets without plays
        for member, factors in sorted(out_of_fold.factors.items()):
            rows = target_rows(views, half & np.isfinite(factors[:, 0]), member)
            if not len(rows):
                continue
            if member is MemberEvidence.NOTHING and weight is None:
                of_folds = np.stack([movie_mean_offsets(fitted) for fitted in out_of_fold.fitted])
                offsets = FittedOffsets(movie_mean_offsets(whole), of_folds)
            else:
                offsets = fit_offsets(self._sums, member)
            self.rows[member], self._fitted[member] = rows, offsets
            self.shrinkage[member] = self._shrinkage(member)
            description, predicted = fit_description(
                table.data,
                self.served_offsets(member).T,
                folded.statistics.whole.ratings,
                np.random.default_rng(int(member)),
            )
            self._described[member] = np.concatenate([predicted, description.intercept[None]])

    def served_offsets(self, member: MemberEvidence) -> Array:
        """Return (B, M) movie offsets fitted to all members, by play-count bin; B is 1 for evidence without plays."""
        share, without = self.shrinkage[member][:, None], self._fitted[self._without_plays(member)].movies
        return np.asarray(share * self._fitted[member].movies + (1 - share) * without)

    def weight(self, rows: Rows) -> Array:
        """Return (N,) the weight of each row's member; 1 without reweighting. It can't be written to."""
        if self._weight is None:
            return np.broadcast_to(1.0, len(rows))
        return self._weight[self.table.views.member[rows.view]]

    def held_out(self, predictions: OutOfFoldPredictions) -> HeldOutRows:
        """Convert out-of-fold predictions to rows for the calibration, with ratings clipped to the scale."""
        rows, scale = predictions.rows, self.table.data.schema.scale
        return HeldOutRows(
            np.clip(predictions.rating, scale.low, scale.high), rows.rating, predictions.deviation, predictions.plays,
            predictions.extrapolation, self._member_of_view[rows.view], self._fold_of_view[rows.view],
            self.weight(rows),
        )  # fmt: skip

    def movie_offsets(self, rows: Rows, table: PairTable) -> Array:
        """Return (N,) out-of-fold movie offsets for rows of a pair table."""
        offset = np.zeros(len(rows))
        for member, shares in self.shrinkage.items():
            bins = bins_of(table.views.play_count[rows.view]) if member.has_plays else np.zeros(len(rows), np.int64)
            chosen = rows.evidence == member
            rated = chosen & (rows.movie_evidence == RATED)
            of_rated, share = rows.take(rated), shares[bins[rated]]
            own = self._out_of_fold_offsets(member, of_rated, table)
            without = self._out_of_fold_offsets(self._without_plays(member), of_rated, table)
            offset[rated] = share * own + (1 - share) * without
            for kind, movie in ((DESCRIBED, rows.movie), (UNKNOWN, np.full(len(rows), -1))):
                some = chosen & (rows.movie_evidence == kind)
                offset[some] = self._described[member][movie[some], bins[some]]
        return offset

    def _out_of_fold_offsets(self, member: MemberEvidence, rows: Rows, table: PairTable) -> Array:
        """Return (N,) out-of-fold offsets of rated movies for one kind of member evidence."""
        return self._fitted[member].out_of_fold[table.out_of_fold.fold[rows.view], rows.movie]

    def _shrinkage(self, member: MemberEvidence) -> Array:
        """Return (B,) weights of offsets with plays in an average with offsets without plays, by play-count bin."""
        without = self._without_plays(member)
        if without is member:
            return np.ones(1)
        return shrinkage_by_plays(self._sums, member, self._fitted[member], self._fitted[without])

    def _without_plays(self, member: MemberEvidence) -> MemberEvidence:
        """Return the same kind of evidence without plays, or the given kind if there are no offsets without plays."""
        if not member.has_plays:
            return member
        kind = MemberEvidence.ATTRIBUTES if member.has_attributes else MemberEvidence.NOTHING
        return kind if kind in self._fitted else member
