"""Describes the gate's decision for the terminal and the report page."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.gate.gate_scores import TO_COMPARE
from training.gate.gate_settings import flag
from training.gate.schema_changes import Outcome, count_or_text
from training.report.charts import Chart, Series, dots
from training.report.section import Section, Table, words

COLUMNS = ("known", "raters", "ratings", "RMSE", "current", "difference", "from", "to", "coverage", "movie mean")


def sections(record: Mapping[str, Any]) -> list[Section]:
    """Return the sections of the report: the decision, and what changed in the data since the current version."""
    changes = record.get("data", [])
    return [_decision_section(record), *([_data_section(record["compared_with"], changes)] if changes else [])]


def _decision_section(record: Mapping[str, Any]) -> Section:
    """Return a section with the decision, the failed checks, and the scores behind the decision."""
    checks = [(check["told"], "passes" if check["passed"] else "FAILS") for check in record["checks"]]
    return Section(
        "The gate",
        _summary(record),
        lines=reasons(record),
        tables=[
            *([Table(COLUMNS, rows)] if (rows := _rows(record)) else []),
            Table(("check", "outcome"), checks, summary="All checks", page_only=True, of_text=True),
        ],
        charts=[_chart(record["differences"])] if "differences" in record else [],
        passed=record["passed"],
    )


def _data_section(current: str, changes: Sequence[Mapping[str, Any]]) -> Section:
    """Return a section with the counts of both versions and the changes of the schema."""
    rows = [
        (change["subject"], _kept(change), count_or_text(change["before"]), count_or_text(change["now"]))
        for change in changes
    ]
    held_back = sum(change["outcome"] == Outcome.HELD_BACK for change in changes)
    text = f"The data of this version and of version {current}, raters that are kept out of training included. " + (
        f"{held_back:,} of these differences hold{'s' if held_back == 1 else ''} this version back."
        if held_back
        else "None of the differences holds this version back."
    )
    tables = [Table(("data", "outcome", "current version", "this version"), rows, of_text=True)]
    return Section("The data against the current version", text, tables, passed=not held_back)


def _kept(change: Mapping[str, Any]) -> str:
    """Return the outcome of a change and, for a count, its share of the current version's."""
    before, now = change["before"], change["now"]
    if isinstance(before, str) or not before:
        return str(change["outcome"])
    return f"{change['outcome']} {now / before:.0%}".strip()


def _summary(record: Mapping[str, Any]) -> str:
    """Describe the decision, the raters that it is based on, and the comparison with the current version."""
    sentences = [
        _decision(record),
        f"Judged on {record['judged_on']} ({record['kept_out']['members']:,} are kept out).",
    ]
    current, obstacle = record["compared_with"], record["not_compared_because"]
    if obstacle:
        name = f"version {current}" if current else "another version"
        sentences.append(f"Not compared with {name} on kept-out raters: {obstacle}.")
    elif current:
        sentences.append(f"Compared with version {current}, the current version at the time.")
    return " ".join(sentences)


def _decision(record: Mapping[str, Any]) -> str:
    if record["passed"]:
        return "The gate lets this version serve."
    if record["forced"]:
        return "The gate would hold this version back, but --force overrules it."
    return "The gate holds this version back."


def verdict(record: Mapping[str, Any]) -> str:
    """Return the decision in a word or two: passed, forced (held back, but overruled by --force) or held back."""
    return "passed" if record["passed"] else "forced" if record["forced"] else "held back"


def reasons(record: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each check that failed, with the limit or the remedy."""
    sentences = []
    for check in record["checks"]:
        if not check["passed"]:
            limit = record["settings"].get(check["limit"])
            shown = "" if limit is None else f" ({flag(check['limit'])} is {limit:g})"
            remedy = f" {check['remedy']}." if check.get("remedy") else ""
            sentences.append(f"{check['told'][0].upper()}{check['told'][1:]}{shown}.{remedy}")
    return sentences


def _chart(differences: Mapping[str, Mapping[str, float]]) -> Chart:
    kinds = [name for name in TO_COMPARE if name in differences]
    rows = [differences[name] for name in kinds]
    series = Series(
        "RMSE minus that of the current version, with its 95 % interval", 0,
        [row["difference"] for row in rows], [row["low"] for row in rows], [row["high"] for row in rows],
    )  # fmt: skip
    labels = [words(name) for name in kinds]
    text = "Difference in error on kept-out raters by kind of evidence; left of zero, the new version is better."
    return dots("New version against the current one", text, labels, [series], digits=4, within=(0.0,))


def _rows(record: Mapping[str, Any]) -> list[list[str]]:
    """Return the table's rows, one per kind of evidence, with a cell for each of COLUMNS."""
    rows = []
    for name in TO_COMPARE:
        if name not in record.get("candidate", {}):
            continue
        scores = record["candidate"][name]
        row = [words(name), f"{scores['members']:,.0f}", f"{scores['targets']:,.0f}", f"{scores['rmse']:.4f}"]
        if name in record.get("differences", {}):
            difference = record["differences"][name]
            row.append(f"{record['current'][name]['rmse']:.4f}")
            row += [f"{difference[key]:+.4f}" for key in ("difference", "low", "high")]
        else:
            row += [""] * 4
        rows.append([*row, f"{scores['coverage']:.1%}", f"{scores['movie_mean_rmse']:.4f}"])
    return rows
