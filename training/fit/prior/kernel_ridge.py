"""Fits kernel ridge regressions by the Nyström method, with out-of-fold predictions.

The normal equations are sums over rows, added up for each fold of members in one pass over partitions. The equations
without a fold are the total less its own, and a fold's own equations give the error on it, so the ridge penalty is
chosen without another look at the rows.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from model.prediction.prior.kernel_regression import KernelRegression, squared_distances
from training.data.passes.passes import Passes
from training.settings import KernelSettings

Array = NDArray[np.float64]
Single = NDArray[np.float32]
Places = NDArray[np.int64]

ROWS_PER_LANDMARK = 4
ROWS_PER_NEIGHBOUR = 700
"""Number of rows for each of those whose mean a landmark is: of few rows, hardly any are near to each other."""
JITTER = 1e-6
CHUNK = 1024
"""Maximum number of rows whose RBF features a thread computes at once, so few that they fit into a core's cache."""
NEIGHBOURS_CHUNK = 64
"""Maximum number of landmarks whose neighbours are looked for at once."""


class Rows(NamedTuple):
    """N rows to fit a regression to."""

    inputs: Array
    """(N, D) inputs; NaN if unknown."""
    targets: Array
    """(N, K) targets."""
    weights: Array
    """(N,) weights."""


class Source(Protocol):
    """N rows of one partition, which are computed when they are needed."""

    @property
    def folds(self) -> NDArray[np.int64]:
        """(N,) fold of each row."""

    def __len__(self) -> int:
        """Return the number N of rows."""


RowsOf = Callable[[Any, Places], Rows]
"""Function that computes the rows of a source with these numbers."""


class Scaling(NamedTuple):
    """Standardisation of D inputs."""

    centre: Array
    """(D,) value that is subtracted from each input."""
    scale: Array
    """(D,) factor of each centred input."""
    rbf_mask: Array
    """(D,) factor of each scaled input in the RBF features."""

    def part(self, columns: slice) -> "Scaling":
        """Return the scaling of some of the inputs."""
        return Scaling(self.centre[columns], self.scale[columns], self.rbf_mask[columns])

    @property
    def seen(self) -> Places:
        """(S,) inputs that the RBF features depend on."""
        return np.flatnonzero(self.rbf_mask * self.scale)

    def scaled(self, inputs: Array) -> Array:
        """Return (N, D) standardised inputs; 0 if unknown."""
        return np.nan_to_num((inputs - self.centre) * self.scale)

    def masked(self, scaled: Single) -> Single:
        """Return (N, S) what the RBF features depend on of (N, D) standardised inputs."""
        return scaled[:, self.seen] * self.rbf_mask[self.seen].astype(np.float32)


@dataclass(frozen=True)
class Basis:
    """The W = D + L + 1 columns of the regression: scaled inputs, RBF features of L landmarks, and a constant 1."""

    scaling: Scaling
    """Standardisation of the inputs."""
    landmarks: Array
    """(L, S) landmarks, scaled and multiplied by the RBF mask, without the inputs that RBF features ignore."""
    gamma: float
    """Inverse squared width of the RBF features."""
    amplitude: float
    """Factor of the RBF features."""

    def design(self, inputs: Array) -> Single:
        """Return the (N, W) columns for (N, D) inputs, in single precision."""
        scaled, size = self.scaling.scaled(inputs).astype(np.float32), inputs.shape[1]
        design = np.empty((len(inputs), self.width), np.float32)
        design[:, :size] = scaled
        self._rbf(self.scaling.masked(scaled), design[:, size:-1])
        design[:, -1] = 1
        return design

    def _rbf(self, masked: Single, features: Single) -> None:
        """Write the (N, L) RBF features of masked inputs (N, S)."""
        landmarks = self.landmarks.astype(np.float32)
        np.matmul(masked, -2 * landmarks.T, out=features)
        features += (masked**2).sum(axis=1)[:, None]
        features += (landmarks**2).sum(axis=1)
        np.maximum(features, 0, out=features)
        features *= np.float32(-self.gamma)
        np.exp(features, out=features)
        features *= np.float32(self.amplitude)

    @property
    def width(self) -> int:
        """Number W of columns."""
        return len(self.scaling.scale) + len(self.landmarks) + 1

    def penalty(self) -> Array:
        """Return the (W, W) penalty of the weights at a ridge of 1; the constant isn't penalised."""
        size, width = len(self.scaling.scale), self.width
        squared = squared_distances(self.landmarks, self.landmarks)
        penalty = np.zeros((width, width))
        penalty[np.arange(size), np.arange(size)] = 1
        penalty[size:-1, size:-1] = self.amplitude * np.exp(-self.gamma * squared)
        return penalty

    def regression(self, weights: Array) -> KernelRegression:
        """Return the regression with these weights (W, K) of the columns."""
        centre, scale, rbf_mask = self.scaling
        size, landmarks = len(scale), np.zeros((len(self.landmarks), len(scale)))
        landmarks[:, self.scaling.seen] = self.landmarks
        return KernelRegression(
            centre, scale, self.gamma, rbf_mask, landmarks, weights[-1], weights[:size],
            self.amplitude * weights[size:-1],
        )  # fmt: skip


class Equations(NamedTuple):
    """Normal equations of the rows in each of F folds, for W columns and K targets."""

    gram: Array
    """(F, W, W) weighted products of the columns."""
    right: Array
    """(F, W, K) weighted products of the columns and targets."""
    squares: Array
    """(F,) weighted sum of squared targets."""


@dataclass(frozen=True)
class FittedRegression:
    """A regression fitted to all rows, and one without each of F folds."""

    basis: Basis
    """The columns that the weights belong to."""
    weights: Array
    """(W, K) weights fitted to all rows."""
    weights_of_fold: Array
    """(F, W, K) weights fitted to the rows of all other folds."""
    error: float
    """Weighted sum of squared errors of the out-of-fold predictions of the rows that were fitted to."""

    def regression(self) -> KernelRegression:
        """Return the regression that was fitted to all rows."""
        return self.basis.regression(self.weights)

    def out_of_fold(self, rows_of: RowsOf, source: Source) -> Single:
        """Return (N, K) predictions of all rows of a source, each by the weights without its fold."""
        predictions, weights = np.empty((len(source), self.weights.shape[1]), np.float32), self.weights_of_fold
        for fold, part in _chunks_of_folds(source, np.arange(len(source)), len(weights)):
            predictions[part] = self.basis.design(rows_of(source, part).inputs) @ weights[fold].astype(np.float32)
        return predictions


def fit(
    passes: Passes,
    rows_of: RowsOf,
    sources: Sequence[Source],
    scaling: Scaling,
    settings: KernelSettings,
    folds: int,
    random: np.random.Generator,
) -> FittedRegression:
    """Fit a regression to the rows of all partitions, with the ridge penalty of the smallest out-of-fold error.

    `random` draws the landmarks, and the rows to fit to if there are more than `settings.most_rows`.
    """
    counts = [len(source) for source in sources]
    landmarks = min(settings.landmarks, max(sum(counts) // ROWS_PER_LANDMARK, 1))
    near = min(settings.views_per_landmark, max(sum(counts) // ROWS_PER_NEIGHBOUR, 1))
    drawn = draw(counts, landmarks * near, random)
    masked = np.concatenate(passes.collect(partial(_masked, scaling, rows_of), sources, drawn))
    means = means_of_neighbours(masked, landmarks, near, random)
    basis = Basis(scaling, means, settings.gamma, settings.amplitude)
    learned = draw(counts, settings.most_rows, random)
    equations = passes.sum(partial(_equations, basis, folds, rows_of), sources, learned)
    return _solved(basis, equations, settings.ridges)


def drawn_inputs(
    passes: Passes, rows_of: RowsOf, sources: Sequence[Source], most: int, random: np.random.Generator
) -> Array:
    """Return (N, D) inputs of at most `most` rows of all partitions, drawn at random."""
    drawn = draw([len(source) for source in sources], most, random)
    return np.concatenate(passes.collect(partial(_inputs, rows_of), sources, drawn))


def draw(counts: Sequence[int], most: int, random: np.random.Generator) -> list[Places]:
    """Return, for partitions with these numbers of rows, the numbers of `most` rows drawn at random, or of all rows."""
    total = sum(counts)
    drawn = np.arange(total) if total <= most else np.sort(random.choice(total, most, replace=False))
    starts = np.cumsum([0, *counts])
    ends = np.searchsorted(drawn, starts)
    return [drawn[ends[n] : ends[n + 1]] - starts[n] for n in range(len(counts))]


def _masked(scaling: Scaling, rows_of: RowsOf, source: Source, chosen: Places) -> Single:
    """Return the (N, S) scaled and masked inputs of the chosen rows of a partition."""
    masked = np.empty((len(chosen), len(scaling.seen)), np.float32)
    for part in _chunks(np.arange(len(chosen))):
        masked[part] = scaling.masked(scaling.scaled(rows_of(source, chosen[part]).inputs).astype(np.float32))
    return masked


def _inputs(rows_of: RowsOf, source: Source, chosen: Places) -> Array:
    return rows_of(source, chosen).inputs


def means_of_neighbours(rows: Single, most: int, count: int, random: np.random.Generator) -> Array:
    """Return (L, S) means of groups of `count` rows (N, S): each of L rows, drawn at random, and its nearest ones.

    `most` is L; with a count of 1, all rows are returned as they are.
    """
    if count == 1:
        return rows.astype(np.float64)
    drawn, count = np.sort(random.choice(len(rows), most, replace=False)), min(count, len(rows))
    means = np.empty((most, rows.shape[1]))
    for part in _chunks(np.arange(most), NEIGHBOURS_CHUNK):
        nearest = np.argpartition(squared_distances(rows[drawn[part]], rows), count - 1, axis=1)[:, :count]
        means[part] = rows[nearest].mean(axis=1, dtype=np.float64)
    return means


def _equations(basis: Basis, folds: int, rows_of: RowsOf, source: Source, chosen: Places) -> Equations:
    """Return the normal equations of the chosen rows of a partition."""
    width, outputs = basis.width, rows_of(source, chosen[:0]).targets.shape[1]
    sums = Equations(np.zeros((folds, width, width)), np.zeros((folds, width, outputs)), np.zeros(folds))
    for fold, part in _chunks_of_folds(source, chosen, folds):
        inputs, targets, weights = rows_of(source, part)
        root = np.sqrt(weights)[:, None]
        columns = basis.design(inputs) * root  # in double precision, so that the products are positive semidefinite
        outcome = targets * root
        sums.gram[fold] += columns.T @ columns
        sums.right[fold] += columns.T @ outcome
        sums.squares[fold] += np.sum(outcome**2)
    return sums


def _solved(basis: Basis, equations: Equations, ridges: Sequence[float]) -> FittedRegression:
    """Solve the equations without each fold for each ridge, and those of all rows for the best ridge."""
    penalty, used = basis.penalty(), np.flatnonzero(equations.gram[:, -1, -1])
    gram, right = equations.gram.sum(axis=0), equations.right.sum(axis=0)
    best, best_error = np.zeros_like(equations.right), np.inf
    ridge = ridges[0]
    for candidate in ridges:
        weights, error = np.zeros_like(equations.right), 0.0
        for fold in used:
            own = equations.gram[fold], equations.right[fold], equations.squares[fold]
            weights[fold] = _solve(gram - own[0] + candidate * penalty, right - own[1])
            error += _squared_error(weights[fold], *own)
        if error < best_error:
            ridge, best, best_error = candidate, weights, error
    return FittedRegression(basis, _solve(gram + ridge * penalty, right), best, best_error)


def _squared_error(weights: Array, gram: Array, right: Array, squares: float) -> float:
    """Return the weighted sum of squared errors of predictions by `weights` (W, K), from normal equations."""
    return float(squares - 2 * np.sum(weights * right) + np.sum(weights * (gram @ weights)))


def _solve(gram: Array, right: Array) -> Array:
    """Solve gram x = right by Cholesky decomposition, with jitter added to the diagonal of `gram`, in place."""
    gram.flat[:: len(gram) + 1] += JITTER * np.trace(gram) / len(gram)
    factor = linalg.cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
    return np.asarray(linalg.cho_solve(factor, right, check_finite=False))


def _chunks_of_folds(source: Source, chosen: Places, folds: int) -> Iterator[tuple[int, Places]]:
    """Yield chunks of the chosen rows of a source, each of rows of one fold, with the fold."""
    own = source.folds[chosen]
    for fold in range(folds):
        for part in _chunks(chosen[own == fold]):
            yield fold, part


def _chunks(places: Places, size: int = CHUNK) -> list[Places]:
    return [places[start : start + size] for start in range(0, len(places), size)]
