"""Summarizes an evaluation and the gate's decision in a few lines for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.report.section import Section, by_evidence

FORMATS = {
    "rmse": ("RMSE", "{:.4f}"), "movie_mean_rmse": ("movie mean", "{:.4f}"), "gain_percent": ("gain %", "{:.2f}"),
    "coverage": ("coverage", "{:.1%}"),
}  # fmt: skip
"""Scores that the summary shows, with their titles and formats."""


def summary(evaluation: Mapping[str, Any], decision: Section, notes: Sequence[str]) -> str:
    """Return the main scores by what is known of members, the gate's decision with its reasons, and notes, as text."""
    lines = [f"{'known of the member':22}" + "".join(f"{title:>12}" for title, _ in FORMATS.values())]
    for name, row in by_evidence(evaluation["evidence"]).items():
        lines.append(f"{name:22}" + "".join(f"{shape.format(row[key]):>12}" for key, (_, shape) in FORMATS.items()))
    lines += ["", decision.text, *(f"- {reason}" for reason in decision.lines)]
    return "\n".join([*lines, *(["", "Notes", *(f"- {note}" for note in notes)] if notes else [])])
