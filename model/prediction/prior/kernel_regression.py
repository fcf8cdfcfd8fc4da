"""Kernel ridge regression from inputs to factors: a linear part and RBF features around landmarks."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Single = NDArray[np.float32]


class SinglePrecision(NamedTuple):
    """Arrays for predictions row by row, RBF features in single precision: S inputs, L landmarks, K outputs."""

    seen: NDArray[np.int64]
    """(S,) columns of the inputs that RBF features depend on."""
    landmarks: Single
    """(L, S) times -2."""
    lengths: Single
    """(L,) squared lengths of the landmarks."""
    rbf_weights: Single
    """(K, L)"""
    linear: NDArray[np.float64]
    """(K, D)"""


@dataclass(frozen=True)
class KernelRegression:
    """f(x) = intercept + s linear + sum over landmarks l of exp(-gamma |s rbf_mask - l|^2) rbf_weights[l].

    s is (x - centre) scale. The Nystrom form of kernel ridge regression with the kernel
    s s' + amplitude exp(-gamma |(s - s') rbf_mask|^2) (Williams and Seeger, NIPS 2000). D inputs, L landmarks,
    K outputs. Unknown inputs (NaN) count as the centre.
    """

    centre: NDArray[np.float64]
    """(D,)"""
    scale: NDArray[np.float64]
    """(D,)"""
    gamma: float
    """Inverse squared width of the RBF features."""
    rbf_mask: NDArray[np.float64]
    """(D,) factor of each scaled input in RBF features; 0 for inputs that they ignore, which makes them cheap."""
    landmarks: NDArray[np.float64]
    """(L, D) already centred, scaled and multiplied by `rbf_mask`."""
    intercept: NDArray[np.float64]
    """(K,)"""
    linear: NDArray[np.float64]
    """(D, K)"""
    rbf_weights: NDArray[np.float64]
    """(L, K)"""

    @cached_property
    def _single_precision(self) -> SinglePrecision:
        seen = np.flatnonzero(self.rbf_mask * self.scale)
        return SinglePrecision(
            seen,
            (-2 * self.landmarks[:, seen]).astype(np.float32),
            (self.landmarks**2).sum(axis=1).astype(np.float32),
            np.ascontiguousarray(self.rbf_weights.T, np.float32),
            np.ascontiguousarray(self.linear.T),
        )

    def scaled(self, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, D) centred and scaled inputs; unknown ones (NaN) become 0."""
        known: NDArray[np.float64] = np.nan_to_num((inputs - self.centre) * self.scale)
        return known

    def predict(self, inputs: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(N, K) outputs for (N, D) inputs, and the (N,) distance of each from its nearest landmark."""
        scaled = self.scaled(inputs)
        squared = squared_distances(scaled * self.rbf_mask, self.landmarks)
        return self.at_distances(scaled, squared), np.sqrt(squared.min(axis=1))

    def predict_by_row(self, inputs: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """As `predict`, with a row's outputs and distance bit by bit the same whatever the other rows are.

        The product of two matrices may round differently from that of a matrix and a vector, so each row has a product
        of its own. RBF features are in single precision, which halves the memory read; outputs differ from those of
        `predict` by some millionths.
        """
        single = self._single_precision
        scaled = (inputs - self.centre) * self.scale
        scaled[np.isnan(scaled)] = 0
        masked = (scaled * self.rbf_mask).take(single.seen, axis=1)
        squared = np.matmul(single.landmarks, masked.astype(np.float32)[:, :, None])[:, :, 0]
        squared += single.lengths
        squared += (masked * masked).sum(axis=1).astype(np.float32)[:, None]
        np.maximum(squared, 0, out=squared)
        distance = np.sqrt(squared.min(axis=1).astype(np.float64))
        squared *= np.float32(-self.gamma)
        features = np.exp(squared, out=squared)
        outputs: NDArray[np.float64] = np.matmul(single.linear, scaled[:, :, None])[:, :, 0]
        outputs += self.intercept
        outputs += np.matmul(single.rbf_weights, features[:, :, None])[:, :, 0]
        return outputs, distance

    def at_distances(self, scaled: NDArray[np.float64], squared: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, K) outputs for (N, D) scaled inputs at squared distances (N, L) from the landmarks."""
        outputs: NDArray[np.float64] = self.intercept + scaled @ self.linear
        outputs += np.exp(-self.gamma * squared) @ self.rbf_weights
        return outputs


def squared_distances(rows: NDArray[np.float64], landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, L) squared Euclidean distances."""
    cross = rows @ landmarks.T
    distances = (rows**2).sum(axis=1)[:, None] + (landmarks**2).sum(axis=1) - 2 * cross
    positive: NDArray[np.float64] = np.maximum(distances, 0)
    return positive
