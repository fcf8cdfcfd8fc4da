"""Release years: whole numbers from 1800 to 2200."""

import polars as pl

EARLIEST_YEAR, LATEST_YEAR = 1800, 2200


def is_year(value: float) -> bool:
    """Return whether a number is a release year."""
    return EARLIEST_YEAR <= value <= LATEST_YEAR and value == int(value)


def is_year_column(value: pl.Expr) -> pl.Expr:
    """Return an expression for whether a number is a release year; null if it is missing."""
    return value.is_between(EARLIEST_YEAR, LATEST_YEAR) & (value == value.floor())
