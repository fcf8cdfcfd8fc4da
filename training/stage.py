"""What trees and calibration stand on: targets of all half views, and the movies' offsets out of fold."""

import numpy as np
from numpy.typing import NDArray

from features.movies import MOVIE
from model.evidence import MemberEvidence, MovieEvidence
from training.description import fit_description
from training.held import Held, thinned
from training.judged import Judged
from training.offsets import FittedOffsets, fit_offsets, movie_mean_offsets
from training.prior import FittedPrior
from training.rows import PairTable, Rows, target_rows
from training.views import SHORT

Array = NDArray[np.float64]

RATED, DESCRIBED, UNKNOWN = MovieEvidence.RATED, MovieEvidence.DESCRIBED, MovieEvidence.UNKNOWN


class Stage:
    """Targets of all half views and the movies' offsets, for each kind of member evidence."""

    def __init__(self, table: PairTable, whole: FittedPrior, weight: Array | None) -> None:
        views, apart = table.views, table.apart
        self.table, self.weighted, self._weight = table, weight is not None, weight
        half = views.half != SHORT
        self.distances = {member: thinned(distance[half]) for member, distance in apart.distance.items()}
        movies = len(table.data.movie_ids)
        self.rows: dict[MemberEvidence, Rows] = {}
        self.fitted: dict[MemberEvidence, FittedOffsets] = {}
        self.described: dict[MemberEvidence, Array] = {}
        ratings = np.bincount(table.data.ratings[MOVIE].to_numpy(), minlength=movies).astype(np.float64)
        for member, factors in sorted(apart.factors.items()):
            rows = target_rows(views, half & np.isfinite(factors[:, 0]), member)
            if not len(rows):
                continue
            if member is MemberEvidence.NOTHING and weight is None:
                each = np.stack([movie_mean_offsets(fitted) for fitted in apart.fitted])
                found = FittedOffsets(movie_mean_offsets(whole), each)
            else:
                residual = rows.rating - table.base(rows)[0]
                found = fit_offsets(residual, rows.movie, apart.fold[rows.view], movies, self.weight(rows))
            self.rows[member], self.fitted[member] = rows, found
            description, told = fit_description(
                table.data, found.movies[:, None], ratings, np.random.default_rng(int(member))
            )
            self.described[member] = np.append(told[:, 0], description.intercept[0])

    def weight(self, rows: Rows) -> Array:
        """(N,) what each row's member counts; 1 where all count alike."""
        return np.ones(len(rows)) if self._weight is None else self._weight[self.table.views.member[rows.view]]

    def held(self, judged: Judged) -> Held:
        """Predictions as the calibration takes them."""
        rows, scale = judged.rows, self.table.data.schema.scale
        return Held(
            np.clip(judged.rating, scale.low, scale.high), rows.rating, judged.deviation, judged.plays,
            judged.extrapolation, self.table.views.member[rows.view], self.table.apart.fold[rows.view],
            self.weight(rows),
        )  # fmt: skip

    def of(self, rows: Rows, fold_of: NDArray[np.int64]) -> Array:
        """(N,) offsets of rows, from members of other folds than that of the row's view in (V,) `fold_of`."""
        offset, fold = np.zeros(len(rows)), fold_of[rows.view]
        for member, found in self.fitted.items():
            chosen = rows.evidence == member
            rated = chosen & (rows.movie_evidence == RATED)
            offset[rated] = found.apart[fold[rated], rows.movie[rated]]
            described = chosen & (rows.movie_evidence == DESCRIBED)
            offset[described] = self.described[member][rows.movie[described]]
            offset[chosen & (rows.movie_evidence == UNKNOWN)] = self.described[member][-1]
        return offset
