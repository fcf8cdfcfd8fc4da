"""Rounding to a fine grid, so that sums are exact and don't depend on the order in which threads add."""

from typing import Any

GRID = 2.0**20
"""Grid points per unit of a rounded value; sums of such values are exact up to 2^33."""
SQUARES_GRID = 2.0**10
"""Grid points per unit for values whose squares are summed; coarser than GRID, since a square needs more digits."""


def on_grid(values: Any, steps: float = GRID) -> Any:
    """Round values to the nearest multiple of 1 / `steps`; takes and returns a polars expression or a NumPy array."""
    return (values * steps).round() / steps
