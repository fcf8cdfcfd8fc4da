"""The gate's decision in words, for the terminal and for the report page."""

from collections.abc import Mapping
from typing import Any

from training.gate.gate_scores import TO_COMPARE
from training.gate.gate_settings import flag
from training.report.charts import Series, dots
from training.report.html import bullets, folded, section, table

HEAD = ("known", "raters", "ratings", "RMSE", "that serves", "difference", "from", "to", "coverage", "movie mean")


def markdown(record: Mapping[str, Any]) -> str:
    """The section of the report."""
    parts = ["## The gate", _summary(record)]
    if reasons := _reasons(record):
        parts.append("\n".join(f"- {reason}" for reason in reasons))
    rows = _rows(record)
    if rows:
        lines = [HEAD, tuple("---" for _ in HEAD), *((name, *cells) for name, cells in rows.items())]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join(parts) + "\n"


def html(record: Mapping[str, Any]) -> str:
    """The section of the page."""
    reasons = _reasons(record)
    content = [bullets(reasons)] if reasons else []
    if "differences" in record:
        content.append(_chart(record["differences"]))
    if rows := _rows(record):
        content.append(folded(table(HEAD[0], HEAD[1:], rows)))
    checks = [f"{'holds' if check['passed'] else 'FAILS'}: {check['told']}" for check in record["checks"]]
    content.append(f"<details><summary>All checks</summary>{bullets(checks)}</details>")
    kind = "verdict" if record["passed"] else "verdict held"
    return section("The gate", _summary(record), *content, wide=True, kind=kind)


def _summary(record: Mapping[str, Any]) -> str:
    """The decision, the raters that it rests on, and the version that was compared with."""
    sentences = [
        _decision(record),
        f"Judged on {record['judged_on']} ({record['kept_out']['members']:,} are kept out).",
    ]
    current, obstacle = record["compared_with"], record["not_compared_because"]
    if obstacle:
        name = f"version {current}" if current else "another"
        sentences.append(f"Not compared on them with {name}: {obstacle}.")
    elif current:
        sentences.append(f"Compared with version {current}, which served.")
    return " ".join(sentences)


def _decision(record: Mapping[str, Any]) -> str:
    if record["passed"]:
        return "The gate lets this version serve."
    if record["forced"]:
        return "The gate would hold this version back; it serves by force."
    return "The gate holds this version back."


def _reasons(record: Mapping[str, Any]) -> list[str]:
    """A sentence for each check that failed, with the limit."""
    settings = record["settings"]
    return [
        f"{check['told'][0].upper()}{check['told'][1:]} ({flag(check['limit'])} is {settings[check['limit']]:g})."
        for check in record["checks"]
        if not check["passed"]
    ]


def _chart(differences: Mapping[str, Mapping[str, float]]) -> str:
    kinds = [name for name in TO_COMPARE if name in differences]
    rows = [differences[name] for name in kinds]
    series = Series(
        "RMSE less that of the version that serves, with its 95 % interval", 0,
        [row["difference"] for row in rows], [row["low"] for row in rows], [row["high"] for row in rows],
    )  # fmt: skip
    labels = [name.replace("_", " ") for name in kinds]
    text = "Difference of errors on kept-out raters by kind of evidence; left of zero, the new version is better."
    return dots("New version against the one that serves", text, labels, [series], digits=4, within=(0.0,))


def _rows(record: Mapping[str, Any]) -> dict[str, list[str]]:
    """The cells below HEAD's columns after the first, by kind of evidence."""
    rows = {}
    for name in TO_COMPARE:
        if name not in record.get("candidate", {}):
            continue
        scores = record["candidate"][name]
        cells = [f"{scores['members']:,.0f}", f"{scores['targets']:,.0f}", f"{scores['rmse']:.4f}"]
        if name in record.get("differences", {}):
            difference = record["differences"][name]
            cells.append(f"{record['current'][name]['rmse']:.4f}")
            cells += [f"{difference[key]:+.4f}" for key in ("difference", "low", "high")]
        else:
            cells += [""] * 4
        rows[name.replace("_", " ")] = [*cells, f"{scores['coverage']:.1%}", f"{scores['movie_mean_rmse']:.4f}"]
    return rows
