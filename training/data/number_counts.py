"""Counts the numbers of a column that comes in parts: distinct numbers, range and median, in bounded memory."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from training.data.plausibility.levels import Levels

DIGITS = 5
"""Number of significant digits to which numbers are rounded before they are counted one by one."""

MOST_HASHES = 65_536
"""Number of distinct numbers up to which their number is exact; from there on it is estimated, within one percent."""

HASHES = 2.0**64
"""Number of possible hashes."""


class NumberCounts:
    """Numbers seen so far."""

    def __init__(self) -> None:
        self.missing = 0
        """Number of rows without a number."""
        self.lowest, self.highest = np.inf, -np.inf
        """Lowest and highest number."""
        self._counts = pl.DataFrame(schema={"value": pl.Float64, "rows": pl.Int64})
        self._hashes: NDArray[np.uint64] = np.empty(0, np.uint64)

    def add(self, column: pl.Series) -> None:
        """Count the numbers of some rows of the column."""
        known = column.drop_nulls()
        self.missing += len(column) - len(known)
        if known.is_empty():
            return
        self.lowest, self.highest = min(self.lowest, known.min()), max(self.highest, known.max())  # type: ignore[type-var, assignment]
        counts = known.round_sig_figs(DIGITS).alias("value").value_counts(name="rows").cast({"rows": pl.Int64})
        self._counts = pl.concat([self._counts, counts]).group_by("value").agg(pl.col("rows").sum())
        hashes = known.hash().to_numpy()
        if len(self._hashes) == MOST_HASHES:
            hashes = hashes[hashes < self._hashes[-1]]
        self._hashes = np.union1d(self._hashes, hashes)[:MOST_HASHES]

    @property
    def levels(self) -> Levels:
        """The distinct numbers, rounded to DIGITS significant digits but within the range."""
        counts = self._counts.sort("value")
        return Levels(counts["value"].to_numpy().clip(self.lowest, self.highest), counts["rows"].to_numpy())

    @property
    def distinct(self) -> int:
        """Number of distinct numbers; above MOST_HASHES estimated from the lowest hashes.

        The estimate is that of Bar-Yossef et al., Counting Distinct Elements in a Data Stream (RANDOM 2002).
        """
        if len(self._hashes) < MOST_HASHES:
            return len(self._hashes)
        return round((MOST_HASHES - 1) * HASHES / float(self._hashes[-1]))

    @property
    def median(self) -> float:
        """Median, from the rounded numbers. There must be numbers."""
        levels = self.levels
        ends = np.cumsum(levels.counts)
        middle = np.searchsorted(ends, [(ends[-1] + 1) // 2, ends[-1] // 2 + 1])
        return float(levels.values[middle].mean())
