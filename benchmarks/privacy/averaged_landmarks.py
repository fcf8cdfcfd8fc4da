"""A training whose landmarks are means of several raters' facts, to measure what hiding single raters would cost."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from model.prediction.prior.kernel_regression import squared_distances
from training.fit.prior import kernel_ridge

Array = NDArray[np.float64]


@contextmanager
def averaged_landmarks(count: int) -> Iterator[None]:
    """Replace each landmark by the mean of the facts of `count` raters' views near it; by itself if `count` is 1."""
    drawn_inputs = kernel_ridge.drawn_inputs

    def averaged(passes, rows_of, sources, most, random):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
        rows = drawn_inputs(passes, rows_of, sources, most * count, random)
        return means_of_nearest(rows, random.permutation(len(rows))[:most], count)

    if count > 1:
        kernel_ridge.drawn_inputs = averaged
    try:
        yield
    finally:
        kernel_ridge.drawn_inputs = drawn_inputs


def means_of_nearest(rows: Array, chosen: NDArray[np.int64], count: int) -> Array:
    """Return (L, D), for each of L chosen rows, the mean of the `count` rows (N, D) nearest to it, itself included.

    Unknown values (NaN) count as the mean of all rows, and columns by their standard deviation.
    """
    known = np.isfinite(rows)
    mean = np.where(known, rows, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, rows, mean)
    scaled = filled / (filled.std(axis=0) + 1e-9)
    distances = squared_distances(scaled[chosen], scaled)
    nearest = np.argpartition(distances, min(count, len(rows)) - 1, axis=1)[:, :count]
    return np.asarray(filled[nearest].mean(axis=1))
