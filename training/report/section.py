"""Parts of a report: sections of text, tables and charts, which are rendered as Markdown and as HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model.facts.evidence import MemberEvidence
from training.report.charts import Chart, Series

OURS, BASE, PRIOR, ALONE, MEAN = 0, 1, 2, 3, 4
"""Styles of series in charts; a model has the same colour and shape in every chart."""
EVIDENCE = tuple(kind.name.lower() for kind in MemberEvidence)
"""What is known of members: names of the kinds of evidence, from least to most."""
FORMATS = {
    "targets": ",.0f", "members": ",.0f", "difference": "+.2f", "share": ".1%",
    "gain_percent": ".2f", "gain_percent_low": ".2f", "gain_percent_high": ".2f",
    "gain_before": ".2f", "gain_now": ".2f",
}  # fmt: skip
"""Number formats of tables by column; other columns have four decimals."""

Numbers = Mapping[str, float]
Rows = Mapping[str, Numbers]
Columns = Sequence[tuple[str, str]]
"""Key and title of each column."""


@dataclass(frozen=True)
class Table:
    """A table of a report, with cells as text; the first column has the names of the rows."""

    titles: Sequence[str]
    """Column titles."""
    rows: Sequence[Sequence[str]]
    """Cells of each row, one per title."""
    summary: str = "The numbers"
    """Title of the table if it is collapsed."""
    page_only: bool = False
    """Whether Markdown omits the table because it is too long for a terminal."""
    of_text: bool = False
    """Whether cells are text that the page wraps and aligns to the left."""


@dataclass(frozen=True)
class Section:
    """A titled part of a report, with text that isn't escaped yet."""

    title: str
    """Heading."""
    text: str = ""
    """Explanation of what is shown and how it was measured."""
    tables: Sequence[Table] = ()
    """Tables; the page collapses them if the section has charts."""
    charts: Sequence[Chart] = ()
    """Charts of the same numbers, shown only on the page."""
    lines: Sequence[str] = ()
    """Items of a bulleted list."""
    passed: bool | None = None
    """Whether the check that the section reports was passed; None if it doesn't report a check."""


def table(first: str, rows: Rows, columns: Columns, summary: str = "The numbers", page_only: bool = False) -> Table:
    """Return a report's table of the columns that occur in any row. A cell is empty if its row lacks the number.

    `first` is the title of the column with the names of the rows.
    """
    shown = [(key, title) for key, title in columns if any(key in row for row in rows.values())]
    cells = [[name, *(_cell(key, row) for key, _ in shown)] for name, row in rows.items()]
    return Table([first, *(title for _, title in shown)], cells, summary, page_only)


def series(rows: Rows, columns: Sequence[tuple[str, str, int]]) -> list[Series]:
    """Return a chart series for each column (key, title, style) that occurs in any row."""
    return [
        Series(title, style, [row.get(key) for row in rows.values()])
        for key, title, style in columns
        if any(key in row for row in rows.values())
    ]


def by_evidence(rows: Mapping[str, Any]) -> dict[str, Any]:
    """Return rows sorted by kind of evidence (what is known of the member), from least to most, under readable names.

    A key may continue after a comma, as in "plays, movie described". Keys that don't begin with a kind come first.
    """

    def order(name: str) -> tuple[int, str]:
        kind = name.split(",")[0]
        return EVIDENCE.index(kind) if kind in EVIDENCE else -1, name

    return {words(name): rows[name] for name in sorted(rows, key=order)}


def words(name: str) -> str:
    """Return a key of the evaluation in words, with spaces instead of underscores."""
    return name.replace("_", " ")


def _cell(key: str, row: Numbers) -> str:
    return format(row[key], FORMATS.get(key, ".4f")) if key in row else ""
