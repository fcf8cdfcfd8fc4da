"""Rounding to a fine grid, so that sums are exact and don't depend on the order in which threads add."""

from typing import Any

GRID = 2.0**20
"""Grid points per unit; sums are exact up to 2^33."""
SQUARES_GRID = 2.0**10
"""Grid points per unit for values whose squares are summed."""


def on_grid(values: Any, steps: float = GRID) -> Any:
    """Round a polars expression or a NumPy array to a grid with `steps` points per unit."""
    return (values * steps).round() / steps
