"""Renders sections as Markdown, for report.md and the terminal."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from training.report.section import Section, Table
from training.report.sections import METHOD, TITLE, sections

MARKUP = re.compile(r"[\\`*|\[\]]|<(?=[a-zA-Z/!?])|^[#>]|(?<!\w)_|_(?!\w)")
"""Characters where Markdown reads them as markup: `<` before a name, `#` and `>` first, `_` at the edge of a word."""


def markdown(evaluation: Mapping[str, Any], notes: Sequence[str], first: Sequence[Section] = ()) -> str:
    """The report of an evaluation; `first` are sections to stand before its own."""
    shown = [section_markdown(section) for section in (*first, *sections(evaluation, notes))]
    return "\n\n".join([f"# {TITLE}", METHOD, *filter(None, shown)]) + "\n"


def section_markdown(section: Section) -> str:
    """A section, without charts; empty where nothing of it is for Markdown."""
    tables = [table_markdown(table) for table in section.tables if not table.page_only]
    if section.tables and not tables and not section.lines and section.passed is None:
        return ""
    lines = "\n".join(f"- {escaped(line)}" for line in section.lines)
    return "\n\n".join(filter(None, [f"## {escaped(section.title)}", escaped(section.text), lines, *tables]))


def table_markdown(table: Table) -> str:
    """A table in columns of even width."""
    cells = [[escaped(cell) for cell in row] for row in (table.titles, *table.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    head, *rows = (
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    )
    return "\n".join([head, "|" + "|".join("-" * (width + 2) for width in widths) + "|", *rows])


def escaped(text: str) -> str:
    """Text on one line, with a backslash before whatever Markdown would read as markup."""
    return MARKUP.sub(lambda character: "\\" + character[0], " ".join(text.split()))
