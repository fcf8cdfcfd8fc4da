"""From inputs to factors: a straight line in each input and bumps around landmarks, fitted as one ridge."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Single = NDArray[np.float32]


@dataclass(frozen=True)
class KernelRegression:
    """f(x) = intercept + s.linear + sum over landmarks of exp(-gamma |s sight - l|^2) bump, s = (x - centre) scale.

    The Nystrom form of kernel ridge regression with the kernel s's + amplitude exp(-gamma |(s - s') sight|^2) (Williams
    and Seeger, NIPS 2000). D inputs, L landmarks, K outputs. Unknown inputs (NaN) count as the centre.
    """

    centre: NDArray[np.float64]
    """(D,)"""
    scale: NDArray[np.float64]
    """(D,)"""
    gamma: float
    """Inverse squared width of the bumps."""
    sight: NDArray[np.float64]
    """(D,) by what the bumps multiply each scaled input; 0 where they don't look, which makes them cheap."""
    landmarks: NDArray[np.float64]
    """(L, D) already centred, scaled and multiplied by `sight`."""
    intercept: NDArray[np.float64]
    """(K,)"""
    linear: NDArray[np.float64]
    """(D, K)"""
    bumps: NDArray[np.float64]
    """(L, K)"""

    @cached_property
    def _single(self) -> tuple[NDArray[np.int64], Single, Single, Single]:
        """The S inputs that bumps see; for one row at a time, in single precision, landmarks (L, S), their squared
        lengths (L,) and bumps (L, K)."""
        seen = np.flatnonzero(self.sight * self.scale)
        landmarks, lengths = self.landmarks[:, seen], (self.landmarks**2).sum(axis=1)
        return seen, landmarks.astype(np.float32), lengths.astype(np.float32), self.bumps.astype(np.float32)

    def scaled(self, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, D) inputs as the regression sees them; what is unknown (NaN) becomes 0."""
        known: NDArray[np.float64] = np.nan_to_num((inputs - self.centre) * self.scale)
        return known

    def predict(self, inputs: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(N, K) outputs for (N, D) inputs, and (N,) how far each lies from the nearest landmark."""
        scaled = self.scaled(inputs)
        squared = squared_distances(scaled * self.sight, self.landmarks)
        return self.at_distances(scaled, squared), np.sqrt(squared.min(axis=1))

    def predict_one(self, inputs: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """(K,) outputs for (D,) inputs, and how far they lie from the nearest landmark.

        The bumps are worked out in single precision, which halves the memory that has to be read; outputs differ by
        some millionths from those of `predict`.
        """
        seen, landmarks, lengths, bumps = self._single
        scaled = (inputs - self.centre) * self.scale
        scaled[np.isnan(scaled)] = 0
        sighted = (scaled * self.sight)[seen]
        squared = lengths + np.float32(sighted @ sighted) - 2 * (landmarks @ sighted.astype(np.float32))
        np.maximum(squared, 0, out=squared)
        distance = math.sqrt(squared.min())
        squared *= np.float32(-self.gamma)
        outputs: NDArray[np.float64] = self.intercept + scaled @ self.linear
        outputs += np.exp(squared, out=squared) @ bumps
        return outputs, distance

    def at_distances(self, scaled: NDArray[np.float64], squared: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, K) outputs for (N, D) scaled inputs whose squared distances (N, L) to the landmarks are known."""
        outputs: NDArray[np.float64] = self.intercept + scaled @ self.linear
        outputs += np.exp(-self.gamma * squared) @ self.bumps
        return outputs


def squared_distances(rows: NDArray[np.float64], landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, L) squared Euclidean distances."""
    cross = rows @ landmarks.T
    distances = (rows**2).sum(axis=1)[:, None] + (landmarks**2).sum(axis=1) - 2 * cross
    positive: NDArray[np.float64] = np.maximum(distances, 0)
    return positive
