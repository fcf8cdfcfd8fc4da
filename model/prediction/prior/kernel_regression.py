"""The regression that predicts a member's taste from attributes and plays: kernel ridge regression.

It has a linear part and RBF features around landmarks, which are means of raters near to each other.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Single = NDArray[np.float32]
Real = TypeVar("Real", bound=np.floating[Any])


class SinglePrecision(NamedTuple):
    """Copies of a regression's arrays for fast predictions row by row, with RBF features in single precision.

    There are D inputs, L landmarks and K outputs. RBF features depend on only S of the inputs.
    """

    seen: NDArray[np.int64]
    """(S,) columns of the inputs that RBF features depend on."""
    landmarks: Single
    """(L, S) coordinates of the landmarks, multiplied by -2."""
    lengths: Single
    """(L,) squared lengths of the landmarks."""
    rbf_weights: Single
    """(K, L) weights of the RBF features."""
    linear: NDArray[np.float64]
    """(K, D) weights of the scaled inputs."""


@dataclass(frozen=True)
class KernelRegression:
    """Predicts members' taste and generosity from D inputs, by kernel ridge regression around L landmarks.

    f(x) = intercept + s linear + sum over landmarks l of exp(-gamma |s rbf_mask - l|^2) rbf_weights[l], where s = (x -
    centre) scale. This is the Nystrom approximation (Williams and Seeger, NIPS 2000) of kernel ridge regression with
    the kernel s s' + amplitude exp(-gamma |(s - s') rbf_mask|^2). Landmarks are means of raters near to each other,
    and the K outputs are taste factors and generosity. Unknown inputs (NaN) are replaced by the centre.
    """

    centre: NDArray[np.float64]
    """(D,) value that is subtracted from each input."""
    scale: NDArray[np.float64]
    """(D,) factor of each centred input."""
    gamma: float
    """Inverse squared width of the RBF features."""
    rbf_mask: NDArray[np.float64]
    """(D,) factor of each scaled input in RBF features; 0 if they ignore the input, which saves time."""
    landmarks: NDArray[np.float64]
    """(L, D) landmarks, already centred, scaled and multiplied by `rbf_mask`."""
    intercept: NDArray[np.float64]
    """(K,) intercept of each output."""
    linear: NDArray[np.float64]
    """(D, K) weights of the scaled inputs."""
    rbf_weights: NDArray[np.float64]
    """(L, K) weights of the RBF features."""

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
        """Return (N, D) inputs as the regression uses them, centred and scaled; unknown inputs (NaN) become 0."""
        known: NDArray[np.float64] = np.nan_to_num((inputs - self.centre) * self.scale)
        return known

    def predict(self, inputs: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (N, K) taste and generosity for (N, D) inputs, and the (N,) distances from the nearest landmarks."""
        scaled = self.scaled(inputs)
        squared = squared_distances(scaled * self.rbf_mask, self.landmarks)
        return self.at_distances(scaled, squared), np.sqrt(squared.min(axis=1))

    def predict_by_row(self, inputs: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the same as `predict`, but with results for each row that are independent of the other rows.

        A product of two matrices may round differently from the product of a matrix and a vector, so each row is
        multiplied separately. RBF features are in single precision, which halves the memory traffic. Outputs differ
        from those of `predict` by a few millionths.
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
        """Return (N, K) taste and generosity for inputs already scaled and compared with the landmarks.

        `scaled` is (N, D), and `squared` (N, L) are squared distances from the landmarks.
        """
        outputs: NDArray[np.float64] = self.intercept + scaled @ self.linear
        outputs += np.exp(-self.gamma * squared) @ self.rbf_weights
        return outputs


def squared_distances(rows: NDArray[Real], landmarks: NDArray[Real]) -> NDArray[Real]:
    """Return the (N, L) squared Euclidean distances between N rows of inputs and L landmarks."""
    cross = rows @ landmarks.T
    distances = (rows**2).sum(axis=1)[:, None] + (landmarks**2).sum(axis=1) - 2 * cross
    positive: NDArray[Real] = np.maximum(distances, 0)
    return positive
