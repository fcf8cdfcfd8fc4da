"""Finds numbers that are far outside the others of a column, by how often each distinct number occurs."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

MOST_FAR_SHARE = 0.05
"""Maximum share of the rows with numbers that are taken for mistakes because they are far outside the others."""

LEAST_EVIDENCE = 4
"""Minimum number of rows that would lie in between if the unused numbers were as frequent as those on either side. With
fewer, they may be unused by chance."""

CODE_SPANS = 0.75
"""Minimum distance of a code from the other numbers, as a multiple of their range."""

TWO_LEVELS_SPANS = 5.0
"""Minimum distance from two numbers that are all others, as a multiple of their difference: they may be part of a
scale whose other numbers are rare."""

NINES = 10.0 ** np.arange(2, 10) - 1
CODES = np.concatenate([[9.0], NINES / 9 * 7, NINES / 9 * 8, NINES - 2, NINES - 1, NINES])
"""Numbers that surveys and exports write in place of a missing answer: 9, 77, 88, 97, 98, 99, 777, 888, 997 and on."""


@dataclass(frozen=True)
class Levels:
    """The K distinct numbers of a column."""

    values: NDArray[np.float64]
    """(K,) distinct numbers, ascending."""
    counts: NDArray[np.int64]
    """(K,) number of rows with each of them."""

    @classmethod
    def of(cls, column: pl.Series) -> Self:
        """Count the distinct values of a column of numbers."""
        counts = column.drop_nulls().alias("value").value_counts(name="rows").sort("value")
        return cls(counts["value"].to_numpy().astype(np.float64), counts["rows"].to_numpy().astype(np.int64))

    @property
    def span(self) -> float:
        """Highest less lowest number."""
        return float(self.values[-1] - self.values[0])

    def split(self, position: int) -> tuple["Levels", "Levels"]:
        """Return the levels before a position, and those from there on."""
        return (
            Levels(self.values[:position], self.counts[:position]),
            Levels(self.values[position:], self.counts[position:]),
        )

    def mirrored(self) -> "Levels":
        """Return the numbers with the opposite sign."""
        return Levels(-self.values[::-1], self.counts[::-1])


def split_far(levels: Levels, spans: float, most_share: float = MOST_FAR_SHARE) -> tuple[Levels, Levels] | None:
    """Return the levels that are far outside at one end, and all others; None if none are.

    Rows are far outside if their distance from the others is at least `spans` times the range of the others, and if at
    most a share of `most_share` of all rows is.
    Codes such as 999 and -99 may be frequent, and so may -1 if the others are positive and not only 0, 1 and 2.
    Positive numbers aren't far below the others, because small numbers may be rare.
    """
    if len(levels.values) < 2:
        return None
    if (position := _first_far(levels, spans, most_share)) is not None:
        others, far = levels.split(position)
        return far, others
    position = _first_far(levels.mirrored(), spans, most_share)
    if position is not None and levels.values[-position - 1] < 0:
        return levels.split(len(levels.values) - position)
    far, others = levels.split(1)
    return (far, others) if far.values[0] == -1 and others.values[0] >= 0 and others.span > 2 else None


def _first_far(levels: Levels, spans: float, most_share: float) -> int | None:
    """Return the position of a level that is far above all levels before it; None if there is none."""
    values, counts = levels.values, levels.counts
    steps = np.diff(values)
    gaps, earlier = steps[1:], values[1:-1] - values[0]  # of each position from 2 on
    narrowest, widest = np.minimum.accumulate(steps)[:-1], np.maximum.accumulate(steps)[:-1]
    is_few = np.cumsum(counts[::-1])[::-1] <= most_share * counts.sum()
    are_codes = np.logical_and.accumulate(np.isin(values, CODES)[::-1])[::-1]
    evidence = (np.rint(gaps / narrowest) - 1) * np.minimum(counts[2:], counts[1:-1])
    is_far = is_few[2:] & (gaps >= spans * earlier) & (evidence >= LEAST_EVIDENCE)
    is_far |= are_codes[2:] & (gaps >= CODE_SPANS * earlier)
    is_far[:1] &= gaps[:1] >= TWO_LEVELS_SPANS * earlier[:1]
    positions = np.flatnonzero(is_far & (gaps >= 2 * widest)) + 2
    if positions.size:
        return int(positions[-1])
    is_apart = (is_few[1] or are_codes[1]) and steps[0] >= 10 * max(abs(float(values[0])), 1.0)
    return 1 if is_apart else None
