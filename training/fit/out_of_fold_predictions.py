"""Out-of-fold predictions: each member is predicted by a model that wasn't fitted on the member's ratings."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.fit.trees.pair_rows import Rows

Array = NDArray[np.float64]


@dataclass(frozen=True)
class OutOfFoldPredictions:
    """N out-of-fold predictions."""

    rows: Rows
    """The predicted pairs of view and movie."""
    prior: Array
    """(N,) prediction of the prior plus movie offset."""
    rating: Array
    """(N,) prediction with the trees' correction, not clipped to the scale."""
    deviation: Array
    """(N,) standard deviation of a rating about its prediction."""
    plays: NDArray[np.int64]
    """(N,) number of the member's visible plays, or of shown ratings if the evidence includes ratings; 0 if it excludes
    plays."""
    extrapolation: Array
    """(N,) share of raters, 0 to 1, who are closer to the training raters than the member is."""

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "OutOfFoldPredictions":
        """Return the predictions selected by an (N,) mask or by indices."""
        return OutOfFoldPredictions(
            self.rows.take(chosen), self.prior[chosen], self.rating[chosen], self.deviation[chosen],
            self.plays[chosen], self.extrapolation[chosen],
        )  # fmt: skip

    def sample(self, most: int, random: np.random.Generator) -> "OutOfFoldPredictions":
        """Return `most` predictions drawn at random, or all if there are no more."""
        return self.take(np.sort(random.permutation(len(self.rows))[:most]))

    def with_tree_weight(self, weight: float) -> "OutOfFoldPredictions":
        """Return a copy with the trees' correction multiplied by a shrinkage weight, 0 to 1."""
        return replace(self, rating=self.prior + weight * (self.rating - self.prior))
