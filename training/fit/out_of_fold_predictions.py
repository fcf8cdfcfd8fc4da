"""Out-of-fold predictions: each by a model that wasn't fitted on the member."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.fit.trees.pair_rows import Rows

Array = NDArray[np.float64]


@dataclass(frozen=True)
class OutOfFoldPredictions:
    """N out-of-fold predictions."""

    rows: Rows
    """The pairs."""
    prior: Array
    """(N,) prediction of the prior with the movies' offsets."""
    rating: Array
    """(N,) prediction with the trees, not clipped to the scale."""
    deviation: Array
    """(N,) standard deviation of a rating about its prediction."""
    plays: NDArray[np.int64]
    """(N,) visible plays of the member; 0 where the evidence has none."""
    extrapolation: Array
    """(N,) 0 to 1: the share of raters who lie nearer to the training data."""

    def take(self, chosen: NDArray[np.bool_]) -> "OutOfFoldPredictions":
        """The chosen rows ((N,) mask)."""
        return OutOfFoldPredictions(
            self.rows.take(chosen), self.prior[chosen], self.rating[chosen], self.deviation[chosen],
            self.plays[chosen], self.extrapolation[chosen],
        )  # fmt: skip

    def with_tree_weight(self, weight: float) -> "OutOfFoldPredictions":
        """The same with the trees' correction multiplied by a shrinkage weight, 0 to 1."""
        return replace(self, rating=self.prior + weight * (self.rating - self.prior))
