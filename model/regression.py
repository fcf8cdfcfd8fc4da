"""From inputs to factors: a straight line in each input and bumps around landmarks, fitted as one ridge."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class KernelRegression:
    """f(x) = intercept + s.linear + sum over landmarks of exp(-gamma |s - l|^2) bump, with s = (x - centre) scale.

    The Nystrom form of kernel ridge regression with the kernel s's + amplitude exp(-gamma |s - s'|^2) (Williams and
    Seeger, NIPS 2000). D inputs, L landmarks, K outputs. Unknown inputs (NaN) count as the centre.
    """

    centre: NDArray[np.float64]
    """(D,)"""
    scale: NDArray[np.float64]
    """(D,)"""
    gamma: float
    """Inverse squared width of the bumps."""
    landmarks: NDArray[np.float64]
    """(L, D) already centred and scaled."""
    intercept: NDArray[np.float64]
    """(K,)"""
    linear: NDArray[np.float64]
    """(D, K)"""
    bumps: NDArray[np.float64]
    """(L, K)"""

    def scaled(self, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, D) inputs as the regression sees them; what is unknown (NaN) becomes 0."""
        known: NDArray[np.float64] = np.nan_to_num((inputs - self.centre) * self.scale)
        return known

    def predict(self, inputs: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(N, K) outputs for (N, D) inputs, and (N,) how far each lies from the nearest landmark."""
        scaled = self.scaled(inputs)
        squared = squared_distances(scaled, self.landmarks)
        return self.at_distances(scaled, squared), np.sqrt(squared.min(axis=1))

    def predict_one(self, inputs: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """(K,) outputs for (D,) inputs, and how far they lie from the nearest landmark."""
        outputs, distance = self.predict(inputs[None])
        return outputs[0], float(distance[0])

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
