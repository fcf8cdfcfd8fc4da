"""What the parts of the report's page have in common: which colour means what, and tables of numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.report.charts import Series, number
from training.report.html import table

OURS, BASE, PRIOR, ALONE, MEAN = 0, 1, 2, 3, 4
"""Colours and shapes: the same model has the same ones in every chart."""
COVERAGE_SHOWN = (0.8, 1.0)
ERRORS = (("movie_mean_rmse", "movie mean", BASE), ("rmse", "coldstart", OURS))
ABLATION = (
    ("movie_mean_rmse", "movie mean", BASE),
    ("group_mean_rmse", "by group", MEAN),
    ("lightgbm_alone_rmse", "LightGBM alone", ALONE),
    ("prior_rmse", "prior alone", PRIOR),
    ("rmse", "coldstart", OURS),
)

Numbers = Mapping[str, float]
Rows = Mapping[str, Numbers]


def series(rows: Rows, columns: Sequence[tuple[str, str, int]]) -> list[Series]:
    """One series for each column that any row has."""
    return [
        Series(title, style, [row.get(key) for row in rows.values()])
        for key, title, style in columns
        if any(key in row for row in rows.values())
    ]


def numbers(first: str, rows: Rows, columns: Sequence[tuple[str, str]]) -> str:
    """The table of some columns; a cell is empty where a row lacks the number."""
    shown = [(key, title) for key, title in columns if any(key in row for row in rows.values())]
    cells = {name: [_cell(key, row) for key, _ in shown] for name, row in rows.items()}
    return table(first, [title for _, title in shown], cells)


def by_evidence(rows: Mapping[str, Any]) -> dict[str, Any]:
    """The same by names in words, the least evidence first."""
    order = ("nothing", "attributes", "plays", "attributes_and_plays")
    names = sorted(
        rows, key=lambda name: (order.index(name.split(",")[0]) if name.split(",")[0] in order else -1, name)
    )
    return {name.replace("_", " "): rows[name] for name in names}


def words(name: str) -> str:
    """A name of the report as people read it."""
    return name.replace("_", " ")


def _cell(key: str, row: Numbers) -> str:
    if key not in row:
        return ""
    return f"{row[key]:,.0f}" if key in ("targets", "members") else number(row[key])
