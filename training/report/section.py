"""What a report is made of: sections of text, tables and charts, which Markdown and the HTML page both render."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from training.report.charts import Chart, Series

OURS, BASE, PRIOR, ALONE, MEAN = 0, 1, 2, 3, 4
"""Colours and shapes: a model has the same ones in every chart."""
EVIDENCE = ("nothing", "attributes", "plays", "attributes_and_plays")
"""Names of the kinds of evidence, the least first."""
FORMATS = {
    "targets": ",.0f", "members": ",.0f", "difference": "+.2f", "share": ".1%",
    "gain_percent": ".2f", "gain_percent_low": ".2f", "gain_percent_high": ".2f",
    "gain_before": ".2f", "gain_now": ".2f",
}  # fmt: skip
"""How numbers of a column are written; all others with four digits."""

Numbers = Mapping[str, float]
Rows = Mapping[str, Numbers]
Columns = Sequence[tuple[str, str]]
"""Key and title of each column."""


@dataclass(frozen=True)
class Table:
    """Cells of text; the first column names the rows."""

    titles: Sequence[str]
    """Titles of the columns."""
    rows: Sequence[Sequence[str]]
    """Cells by row, one for each title."""
    summary: str = "The numbers"
    """What it is called where it is folded."""
    page_only: bool = False
    """Whether Markdown leaves it out, as too long for a terminal."""


@dataclass(frozen=True)
class Section:
    """A titled part of a report. No text is escaped yet."""

    title: str
    """Its heading."""
    text: str = ""
    """Sentences on what is shown and how it was measured."""
    tables: Sequence[Table] = ()
    """Numbers, which the page folds below charts."""
    charts: Sequence[Chart] = ()
    """The same as pictures, which only the page shows."""
    lines: Sequence[str] = ()
    """A list of remarks."""
    passed: bool | None = None
    """The outcome of a check that the section is about; None where it is about none."""


def table(first: str, rows: Rows, columns: Columns, summary: str = "The numbers", page_only: bool = False) -> Table:
    """Those of the columns that any row has; a cell is empty where its row lacks the number."""
    shown = [(key, title) for key, title in columns if any(key in row for row in rows.values())]
    cells = [[name, *(_cell(key, row) for key, _ in shown)] for name, row in rows.items()]
    return Table([first, *(title for _, title in shown)], cells, summary, page_only)


def series(rows: Rows, columns: Sequence[tuple[str, str, int]]) -> list[Series]:
    """A series for each column (key, title, style) that any row has."""
    return [
        Series(title, style, [row.get(key) for row in rows.values()])
        for key, title, style in columns
        if any(key in row for row in rows.values())
    ]


def by_evidence(rows: Mapping[str, Any]) -> dict[str, Any]:
    """Rows by kind of evidence, the least first, under names in words.

    A name may go on after a comma ("plays, movie described"); names that don't begin with a kind come first.
    """

    def order(name: str) -> tuple[int, str]:
        kind = name.split(",")[0]
        return EVIDENCE.index(kind) if kind in EVIDENCE else -1, name

    return {words(name): rows[name] for name in sorted(rows, key=order)}


def words(name: str) -> str:
    """A key of the evaluation as words."""
    return name.replace("_", " ")


def _cell(key: str, row: Numbers) -> str:
    return format(row[key], FORMATS.get(key, ".4f")) if key in row else ""
