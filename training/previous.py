"""One evaluation beside that of the version before, for the page."""

from collections.abc import Mapping
from typing import Any

from training.charts import dots
from training.page import folded, section
from training.report_sections import numbers, series

BEFORE, NOW = ("before", "version before", 1), ("now", "this version", 0)
KINDS = ("nothing", "attributes", "plays", "attributes_and_plays")


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
