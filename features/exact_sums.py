"""Rounding to a fine grid, on which sums are exact and so the same in any order of threads."""

from typing import Any

GRID = 2.0**20
"""Grid points per unit; sums stay exact up to 2^33."""
SQUARES_GRID = 2.0**10
"""Grid points per unit where squares are summed."""


def on_grid(values: Any, steps: float = GRID) -> Any:
    """Round a polars expression or a numpy array to the grid."""
    return (values * steps).round() / steps
