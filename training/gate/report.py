"""The gate's verdict in words, for the terminal and for the page."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.gate.gate_scores import TO_COMPARE
from training.gate.gate_settings import flag
from training.report.charts import Series, dots
from training.report.html import bullets, folded, section, table

HEAD = ("known", "raters", "ratings", "RMSE", "that serves", "difference", "from", "to", "coverage", "movie mean")


def verdict(found: Mapping[str, Any]) -> str:
    """One sentence."""
    if found["passed"]:
        return "The gate lets this version serve."
    if found["forced"]:
        return "The gate would hold this version back; it serves by force."
    return "The gate holds this version back."


def reasons(found: Mapping[str, Any]) -> list[str]:
    """Why a version doesn't hold a limit, with the limit; empty where it holds all."""
    settings = found["settings"]
    return [
        f"{one['told'][0].upper()}{one['told'][1:]} ({flag(one['limit'])} is {settings[one['limit']]:g})."
        for one in found["checks"]
        if not one["passed"]
    ]


def markdown(found: Mapping[str, Any]) -> str:
    """A section of the report."""
    parts = ["## The gate", " ".join([verdict(found), *_basis(found)])]
    if why := reasons(found):
        parts.append("\n".join(f"- {one}" for one in why))
    rows = _rows(found)
    if rows:
        lines = [HEAD, tuple("---" for _ in HEAD), *((name, *cells) for name, cells in rows.items())]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join(parts) + "\n"


def html(found: Mapping[str, Any]) -> str:
    """A section of the page."""
    content = [bullets(reasons(found))] if reasons(found) else []
    if "differences" in found:
        kinds = [name for name in TO_COMPARE if name in found["differences"]]
        by_kind = [found["differences"][name] for name in kinds]
        one = Series(
            "RMSE less that of the version that serves, with its 95 % interval", 0,
            [row["difference"] for row in by_kind], [row["low"] for row in by_kind], [row["high"] for row in by_kind],
        )  # fmt: skip
        labels = [name.replace("_", " ") for name in kinds]
        text = "Difference of errors on kept-out raters by kind of evidence; left of zero, the new version is better."
        content.append(dots("New version against the one that serves", text, labels, [one], digits=4, within=(0.0,)))
    if rows := _rows(found):
        content.append(folded(table(HEAD[0], HEAD[1:], rows)))
    told = [f"{'holds' if one['passed'] else 'FAILS'}: {one['told']}" for one in found["checks"]]
    content.append(f"<details><summary>All checks</summary>{bullets(told)}</details>")
    kind = "verdict" if found["passed"] else "verdict held"
    return section("The gate", " ".join([verdict(found), *_basis(found)]), *content, wide=True, kind=kind)


def _basis(found: Mapping[str, Any]) -> Sequence[str]:
    """What the verdict stands on."""
    members = found["kept_out"]["members"]
    told = [f"Judged on {found['judged_on']} ({members:,} are kept out)."]
    other = found["compared_with"]
    if found["not_compared_because"]:
        told.append(
            f"Not compared on them with {f'version {other}' if other else 'another'}: {found['not_compared_because']}."
        )
    elif other:
        told.append(f"Compared with version {other}, which served.")
    return told


def _rows(found: Mapping[str, Any]) -> dict[str, list[str]]:
    rows = {}
    for name in TO_COMPARE:
        if name not in found.get("candidate", {}):
            continue
        ours = found["candidate"][name]
        cells = [f"{ours['members']:,.0f}", f"{ours['targets']:,.0f}", f"{ours['rmse']:.4f}"]
        if name in found.get("differences", {}):
            other = found["differences"][name]
            cells.append(f"{found['current'][name]['rmse']:.4f}")
            cells += [f"{other[key]:+.4f}" for key in ("difference", "low", "high")]
        else:
            cells += [""] * 4
        rows[name.replace("_", " ")] = [*cells, f"{ours['coverage']:.1%}", f"{ours['movie_mean_rmse']:.4f}"]
    return rows
