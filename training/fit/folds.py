"""Data divided into folds of raters, each of which is predicted by fits without it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import Dataset
from training.data.never_rater_views import Views
from training.data.passes.member_partition import MemberPartition, prepare_partitions
from training.data.passes.movie_statistics import StatisticsByFold, movie_statistics
from training.data.passes.passes import Passes
from training.fit.prior.fit_prior import Learned
from training.settings import FitSettings

Array = NDArray[np.float64]

ROOT = Path(__file__).parents[2]
CODE = ("features", "model", "training")
"""Packages whose code determines a fit."""


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


def fold_data(passes: Passes, data: Dataset, folds: int, seed: int, most_ratings: int, folder: Path) -> FoldedData:
    """Draw folds and views of the raters, and write partitions to files in a folder.

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
        passes, folder, data.play_table, data.attributes, len(data.movie_ids), data.schema.end_of_data, seed, predicted
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


def fit_key(data: Dataset, seed: int, settings: FitSettings) -> str:
    """Return a hash of all that a fit depends on: data, seed, settings and code."""
    key = hashlib.sha256(data.play_table.digest.encode())
    arrays = (data.attributes, data.release_year, data.genres, data.movie_attributes)
    for array in arrays:
        key.update(f"{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    key.update(f"{data.schema} {seed} {settings.model_dump_json()}".encode())
    for path in sorted(path for package in CODE for path in (ROOT / package).rglob("*.py")):
        key.update(path.read_bytes())
    return key.hexdigest()[:16]
