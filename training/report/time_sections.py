"""The part of the report's page that tells how predictions fare on ratings given after what was learned from."""

from collections.abc import Mapping
from typing import Any

from training.report.charts import dots
from training.report.html import folded, section
from training.report.markdown import BY_TIME
from training.report.parts import BASE, OURS, PRIOR, by_evidence, numbers, series

SHOWN = (
    ("movie_mean_rmse", "movie mean after", BASE),
    ("before_rmse", "coldstart before", PRIOR),
    ("rmse", "coldstart after", OURS),
)


def by_time(found: Mapping[str, Any]) -> str:
    """Errors after a moment beside those before it."""
    rows = by_evidence(found["evidence"])
    chart = dots(
        "Error by time",
        "Root mean squared error on ratings after a moment, and before it, by evidence; further left is better.",
        list(rows), series(rows, SHOWN),
    )  # fmt: skip
    text = (
        f"Learned from {found['ratings_before']:,.0f} ratings before {found['moment']}; predicted are those that "
        f"{found['members_after']:,.0f} members, seen as never-raters, gave after it. Beside them the same model on "
        "held-out members' ratings before the moment."
    )
    return section("Error by time", text, chart, folded(numbers("evidence", rows, BY_TIME)))
