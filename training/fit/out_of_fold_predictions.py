"""Predictions of members that what made them had not seen."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.fit.trees.pair_rows import Rows

Array = NDArray[np.float64]


@dataclass(frozen=True)
class OutOfFoldPredictions:
    """N predictions of members that what made them had not seen."""

    rows: Rows
    """The pairs."""
    prior: Array
    """(N,) the prior with the movies' offsets."""
    rating: Array
    """(N,) with the trees, not yet cut to the scale."""
    deviation: Array
    """(N,) standard deviation of a rating."""
    plays: NDArray[np.int64]
    """(N,) plays shown of the member; 0 where the evidence has none."""
    extrapolation: Array
    """(N,) 0 to 1: the share of raters who lie nearer to those that were learned from."""

    def take(self, chosen: NDArray[np.bool_]) -> "OutOfFoldPredictions":
        """Some of the rows."""
        return OutOfFoldPredictions(
            self.rows.take(chosen), self.prior[chosen], self.rating[chosen], self.deviation[chosen],
            self.plays[chosen], self.extrapolation[chosen],
        )  # fmt: skip

    def with_tree_weight(self, weight: float) -> "OutOfFoldPredictions":
        """The same with the trees followed only so far."""
        return replace(self, rating=self.prior + weight * (self.rating - self.prior))
