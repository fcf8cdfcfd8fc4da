"""One evaluation beside that of the version before, for the page."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.errors import DataError, Problem
from training.report.charts import dots
from training.report.html import folded, section
from training.report.parts import numbers, series

BEFORE, NOW = ("before", "version before", 1), ("now", "this version", 0)
KINDS = ("nothing", "attributes", "plays", "attributes_and_plays")


def read_report(path: Path) -> dict[str, Any]:
    """The report.json of an earlier evaluation; raises DataError where it is none."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(report, dict) or not isinstance(report["evidence"], dict):
            raise TypeError("no report")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            [Problem(path.name, f"isn't the report.json of an evaluation: {type(error).__name__}")]
        ) from error
    return report


def against(evaluation: Mapping[str, Any], before: Mapping[str, Any], name: str) -> str:
    """A section; `name` says which version was before. Empty where no kind of evidence is common to both."""
    rows: dict[str, dict[str, float]] = {}
    for kind in KINDS:
        if kind in evaluation["evidence"] and kind in before.get("evidence", {}):
            now, then = evaluation["evidence"][kind], before["evidence"][kind]
            gains = {"gain now %": now["gain_percent"], "gain before %": then["gain_percent"]}
            coverages = {"coverage now": now["coverage"], "coverage before": then["coverage"]}
            rows[kind.replace("_", " ")] = {"before": then["rmse"], "now": now["rmse"], **gains, **coverages}
    if not rows:
        return ""
    chart = dots(
        "This version and the one before",
        "Root mean squared error of both versions for each kind of evidence; further left is better.",
        list(rows), series(rows, (BEFORE, NOW)),
    )  # fmt: skip
    columns = [(key, key) for key in next(iter(rows.values()))]
    text = (
        f"Root mean squared error of this version and of {name}, each on the raters held out in its own training: "
        "where the data changed, so did what is judged on. The gate compares both on the same raters."
    )
    return section("Against the version before", text, chart, folded(numbers("evidence", rows, columns)))
