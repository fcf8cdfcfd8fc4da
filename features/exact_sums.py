"""Rounding to a fine grid, so that sums are exact and don't depend on the order in which threads add."""

from typing import Any

GRID = 2.0**20
"""Grid points per unit of a rounded value; sums of such values are exact up to 2^33."""


def on_grid(values: Any) -> Any:
    """Round values to the nearest multiple of 1 / GRID; takes and returns a polars expression or a NumPy array."""
    return (values * GRID).round() / GRID
