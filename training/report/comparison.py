"""Compares an evaluation with that of the previous version, for the report."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.errors import DataError, Problem
from training.report.charts import dots
from training.report.section import BASE, EVIDENCE, OURS, Section, series, table, words

COLUMNS = (
    ("before", "RMSE before"), ("now", "RMSE now"), ("gain_before", "gain before %"), ("gain_now", "gain now %"),
    ("coverage_before", "coverage before"), ("coverage_now", "coverage now"),
)  # fmt: skip


def read_report(path: Path) -> dict[str, Any]:
    """Return the content of an evaluation's report.json. Raises DataError if the file isn't a readable report."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(report, dict) or not isinstance(report["evidence"], dict):
            raise TypeError("no report")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            [Problem(path.name, f"isn't the report.json of an evaluation: {type(error).__name__}")]
        ) from error
    return report


def against(evaluation: Mapping[str, Any], before: Mapping[str, Any], name: str) -> list[Section]:
    """Return a report section that compares an evaluation with an earlier one, `before`, as a list.

    The section calls the earlier evaluation `name`. Returns an empty list if the evaluations have no kind of evidence
    in common.
    """
    rows = {
        words(kind): {
            "before": before["evidence"][kind]["rmse"], "now": evaluation["evidence"][kind]["rmse"],
            "gain_before": before["evidence"][kind]["gain_percent"],
            "gain_now": evaluation["evidence"][kind]["gain_percent"],
            "coverage_before": before["evidence"][kind]["coverage"],
            "coverage_now": evaluation["evidence"][kind]["coverage"],
        }
        for kind in EVIDENCE
        if kind in evaluation["evidence"] and kind in before["evidence"]
    }  # fmt: skip
    charts = [
        dots(title, description, list(rows), series(rows, columns))
        for title, description, columns in (
            ("Error", "Root mean squared error; further left is better.", _both("before", "now")),
            ("Coverage", "Share of ratings within the 90 % interval.", _both("coverage_before", "coverage_now")),
        )
    ]
    text = (
        f"Root mean squared error of this version and of {name}, each on the raters held out in its own training. If "
        "the data has changed, the two were evaluated on different ratings. The gate compares both on the same raters."
    )
    return [Section("Against the previous version", text, [table("evidence", rows, COLUMNS)], charts)] if rows else []


def _both(before: str, now: str) -> tuple[tuple[str, str, int], tuple[str, str, int]]:
    return (before, "previous version", BASE), (now, "this version", OURS)
