"""From inputs to factors: a straight line in each input and bumps around landmarks, fitted as one ridge."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Single = NDArray[np.float32]


class Apart(NamedTuple):
    """What rows that are worked out apart from each other need: S inputs that bumps see, L landmarks, K outputs."""

    seen: NDArray[np.int64]
    """(S,) their places among the inputs."""
    landmarks: Single
    """(L, S) times -2."""
    lengths: Single
    """(L,) squared lengths of the landmarks."""
    bumps: Single
    """(K, L)"""
    linear: NDArray[np.float64]
    """(K, D)"""


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
    def _apart(self) -> "Apart":
        seen = np.flatnonzero(self.sight * self.scale)
        return Apart(
            seen,
            (-2 * self.landmarks[:, seen]).astype(np.float32),
            (self.landmarks**2).sum(axis=1).astype(np.float32),
            np.ascontiguousarray(self.bumps.T, np.float32),
            np.ascontiguousarray(self.linear.T),
        )

    def scaled(self, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, D) inputs as the regression sees them; what is unknown (NaN) becomes 0."""
        known: NDArray[np.float64] = np.nan_to_num((inputs - self.centre) * self.scale)
        return known

    def predict(self, inputs: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(N, K) outputs for (N, D) inputs, and (N,) how far each lies from the nearest landmark."""
        scaled = self.scaled(inputs)
        squared = squared_distances(scaled * self.sight, self.landmarks)
        return self.at_distances(scaled, squared), np.sqrt(squared.min(axis=1))

    def predict_apart(self, inputs: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(N, K) outputs for (N, D) inputs, and (N,) distances, each row's bit by bit the same in whatever company.

        A product of matrices may round otherwise than one of a matrix and a vector, so there is one of those for each
        row. The bumps are worked out in single precision, which halves the memory that has to be read; outputs differ
        by some millionths from those of `predict`.
        """
        apart = self._apart
        scaled = (inputs - self.centre) * self.scale
        scaled[np.isnan(scaled)] = 0
        sighted = (scaled * self.sight).take(apart.seen, axis=1)
        squared = np.matmul(apart.landmarks, sighted.astype(np.float32)[:, :, None])[:, :, 0]
        squared += apart.lengths
        squared += (sighted * sighted).sum(axis=1).astype(np.float32)[:, None]
        np.maximum(squared, 0, out=squared)
        distance = np.sqrt(squared.min(axis=1).astype(np.float64))
        squared *= np.float32(-self.gamma)
        heights = np.exp(squared, out=squared)
        outputs: NDArray[np.float64] = np.matmul(apart.linear, scaled[:, :, None])[:, :, 0]
        outputs += self.intercept
        outputs += np.matmul(apart.bumps, heights[:, :, None])[:, :, 0]
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
