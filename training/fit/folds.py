"""Data divided into folds of raters, each of which is predicted by fits without it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import Dataset
from training.data.never_rater_views import Views
from training.data.passes.member_partition import MemberPartition, prepare_partitions
from training.data.passes.movie_statistics import StatisticsByFold, movie_statistics
from training.data.passes.passes import Passes
from training.fit.prior.fit_prior import Learned

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FoldedData:
    """Data of N members by partition, with a fold for each rater."""

    data: Dataset
    """Schema, members and movies."""
    partitions: Sequence[MemberPartition]
    """Plays, ratings and views."""
    fold_of: NDArray[np.int64]
    """(N,) fold of each rater; -1 for members without ratings."""
    folds: int
    """Number of folds."""
    statistics: StatisticsByFold
    """Statistics of the movies."""
    views: Views
    """Views of the raters who are predicted out of fold: all, or a sample if there are many."""
    steps: Array
    """(K,) distinct ratings, ascending."""

    def learned(self, fold: int, weight: Array) -> Learned:
        """Return the data without a fold, or all data if `fold` is the number of folds; `weight` is (N,)."""
        statistics = self.statistics.whole if fold == self.folds else self.statistics.without(fold)
        return Learned(self.partitions, self.fold_of != fold, weight, statistics)

    @property
    def view_folds(self) -> NDArray[np.int64]:
        """(V,) fold of each view's member."""
        return self.fold_of[self.views.member]


def fold_data(passes: Passes, data: Dataset, folds: int, seed: int, most_ratings: int) -> FoldedData:
    """Draw folds and views of the raters, and write partitions to files.

    The views that are returned are those of as many raters, drawn at random, as have `most_ratings` ratings together.
    """
    raters, count = data.raters, len(data.member_ids)
    folds = min(folds, len(raters))
    fold_of = np.full(count, -1)
    fold_of[raters] = np.random.default_rng([seed, 2]).permutation(len(raters)) % folds
    drawn = np.random.default_rng([seed, 4]).permutation(raters)
    predicted = np.zeros(count, bool)
    predicted[drawn[np.cumsum(data.play_table.ratings[drawn]) <= most_ratings]] = True
    prepared = prepare_partitions(
        passes, data.play_table, data.attributes, len(data.movie_ids), data.schema.end_of_data, seed, predicted
    )
    partitions = [part.partition for part in prepared]
    return FoldedData(
        data,
        partitions,
        fold_of,
        folds,
        movie_statistics(passes, partitions, fold_of, folds),
        Views.joined([part.views for part in prepared]),
        np.unique(np.concatenate([part.steps for part in prepared])),
    )
