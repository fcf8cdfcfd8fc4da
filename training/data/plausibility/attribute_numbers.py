"""Checks whether numeric attributes hold codes in place of numbers, such as 999 for an unknown age."""

import polars as pl

from training.data.plausibility.levels import Levels, split_far
from training.errors import Problem

FAR_SPANS = 5.0
"""Minimum distance of a few numbers that are far outside the others, as a multiple of the range of the others. It is
large because attributes such as incomes are skewed."""

MOST_MISSING_SHARE = 0.9
"""Share of rows without a value from which there is a warning."""


def check_numbers(table: str, column: pl.Series) -> list[Problem]:
    """Return a warning if numbers of an attribute are far outside the others."""
    others = Levels.of(column)
    rows, example = 0, None
    while (split := split_far(others, FAR_SPANS)) is not None:
        far, others = split
        rows, example = rows + int(far.counts.sum()), f"{far.values[-1]:g}"
    if example is None:
        return []
    remedy = f"if they mean that the value isn't known, list them under [{table}] in schema.toml as missing = [...]"
    return [Problem(table, "far outside the others", column.name, rows, example, remedy, is_warning=True)]


def check_missing(table: str, column: pl.Series) -> list[Problem]:
    """Return a warning if nearly all values of an attribute are missing."""
    missing = column.null_count()
    if missing <= MOST_MISSING_SHARE * len(column):
        return []
    return [Problem(table, "without a value, which are nearly all", column.name, missing, is_warning=True)]
