"""Renders the sections of a report as Markdown, for report.md and the terminal."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from training.report.section import Section, Table
from training.report.sections import METHOD, TITLE, sections

MARKUP = re.compile(r"[\\`*|\[\]]|<(?=[a-zA-Z/!?])|^[#>]|(?<!\w)_|_(?!\w)")
"""Characters that Markdown treats as markup, such as `#` and `>` at the start and `_` at the edge of a word."""


def markdown(evaluation: Mapping[str, Any], notes: Sequence[str], first: Sequence[Section] = ()) -> str:
    """Return the report of an evaluation as Markdown, with the sections `first` before the evaluation's own.

    `notes` are sentences about the treatment of the data.
    """
    shown = [section_markdown(section) for section in (*first, *sections(evaluation, notes))]
    return "\n\n".join([f"# {TITLE}", METHOD, *filter(None, shown)]) + "\n"


def section_markdown(section: Section) -> str:
    """Return a section of a report as Markdown, without charts; empty if only the HTML page shows the section."""
    tables = [table_markdown(table) for table in section.tables if not table.page_only]
    if section.tables and not tables and not section.lines and section.passed is None:
        return ""
    lines = "\n".join(f"- {escaped(line)}" for line in section.lines)
    return "\n\n".join(filter(None, [f"## {escaped(section.title)}", escaped(section.text), lines, *tables]))


def table_markdown(table: Table) -> str:
    """Return a table of a report as Markdown, with cells padded to the width of their column."""
    cells = [[escaped(cell) for cell in row] for row in (table.titles, *table.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    head, *rows = (
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    )
    return "\n".join([head, "|" + "|".join("-" * (width + 2) for width in widths) + "|", *rows])


def escaped(text: str) -> str:
    """Return text on one line, with Markdown's markup escaped by backslashes."""
    return MARKUP.sub(lambda character: "\\" + character[0], " ".join(text.split()))
