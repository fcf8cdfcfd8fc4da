"""The trees that correct the prior: a LightGBM forest over features of pairs."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import lightgbm
import numpy as np
from numpy.typing import NDArray

from model.facts.evidence import MemberEvidence
from model.prediction.forest import Forest


@dataclass(frozen=True)
class Trees:
    """A forest, and how far it is followed."""

    booster: lightgbm.Booster | None
    """Predicts what to add to the prior, in rating points; None where trees added nothing in training."""
    weights: Mapping[MemberEvidence, float]
    """0 to 1 for each kind of evidence: how much of the trees' correction held on members they had not seen."""

    @cached_property
    def _forest(self) -> Forest:
        assert self.booster is not None  # noqa: S101 # whoever asks has seen to it
        return Forest(self.booster)

    def corrections(self, features: NDArray[np.float32], evidence: MemberEvidence) -> NDArray[np.float64]:
        """(N,) rating points to add to the prior, for (N, F) features."""
        weight = self.weights.get(evidence, 0.0)
        if self.booster is None or weight == 0 or not len(features):
            return np.zeros(len(features))
        return weight * self._forest.predict(features)

    def contributions(self, features: NDArray[np.float32], evidence: MemberEvidence) -> NDArray[np.float64]:
        """(N, F + 1) rating points that each feature adds, and the constant: exact tree SHAP (Lundberg et al. 2020)."""
        weight = self.weights.get(evidence, 0.0)
        if self.booster is None or weight == 0:
            return np.zeros((len(features), features.shape[1] + 1))
        found = self.booster.predict(features, pred_contrib=True, num_threads=1)
        return weight * np.asarray(found, dtype=np.float64)
