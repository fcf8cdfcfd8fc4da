"""Numbers that come in parts are counted as if they came at once."""

import numpy as np
import polars as pl
import pytest

from training.data.number_counts import MOST_HASHES, NumberCounts


def counted(values: np.ndarray, parts: int) -> NumberCounts:
    counts = NumberCounts()
    for part in np.array_split(values, parts):
        counts.add(pl.Series(part, dtype=pl.Float64, nan_to_null=True))
    return counts


@pytest.mark.parametrize("parts", [1, 7])
def test_few_distinct_numbers_are_counted_exactly(parts):
    values = np.array([1.0, 2.5, 2.5, 4.0, np.nan, 4.0, 4.0, 1.0, 5.0] * 5)
    counts = counted(values, parts)
    assert (counts.missing, counts.lowest, counts.highest, counts.distinct) == (5, 1.0, 5.0, 4)
    assert counts.levels.values.tolist() == [1.0, 2.5, 4.0, 5.0]
    assert counts.levels.counts.tolist() == [10, 10, 15, 5]
    assert counts.median == np.nanmedian(values) == 3.25


@pytest.mark.parametrize("parts", [1, 9])
def test_many_distinct_numbers_are_estimated_closely(parts):
    values = np.random.default_rng(0).normal(50, 3, 500_000)
    counts = counted(np.concatenate([values, values]), parts)
    assert counts.distinct == pytest.approx(500_000, rel=0.02)
    assert counts.median == pytest.approx(np.median(values), abs=1e-3)
    assert (counts.lowest, counts.highest) == (values.min(), values.max())
    assert counts.levels.counts.sum() == len(values) * 2
    assert len(counts.levels.values) < MOST_HASHES


def test_a_column_without_numbers_has_none():
    counts = counted(np.full(4, np.nan), 2)
    assert (counts.missing, counts.distinct) == (4, 0)
    assert not len(counts.levels.values)
