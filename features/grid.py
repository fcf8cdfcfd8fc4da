"""Numbers on a fine grid: their sums are exact, and so the same in whatever order threads add them up."""

from typing import Any

GRID = 2.0**20
"""Steps in one unit: sums stay exact up to 2^33."""
SQUARES_GRID = 2.0**10
"""Steps in one unit where squares are summed."""


def on_grid(values: Any, steps: float = GRID) -> Any:
    """The nearest numbers on the grid; takes a polars expression or a numpy array."""
    return (values * steps).round() / steps
