"""Markdown for the terminal has the page's sections, without what only a page has room for."""

import re

import pytest

from tests.conftest import Published
from training.report.charts import bars
from training.report.markdown import escaped, section_markdown
from training.report.section import Section, Table, table

CHART = bars("title", "description", {"a": 1.0})


@pytest.fixture(scope="module")
def titles(published: Published) -> dict[str, list[str]]:
    page, report = ((published.folder / f"report.{kind}").read_text(encoding="utf-8") for kind in ("html", "md"))
    return {
        "page": re.findall(r"<h2>(.*?)</h2>", page),
        "markdown": re.findall(r"^## (.*)$", report, re.MULTILINE),
    }


def test_both_have_the_same_sections_in_the_same_order(titles):
    only_a_page = {"Calibration", "Distribution of predictions", "Importance in the trees", "Look further"}
    assert only_a_page < set(titles["page"])
    assert titles["markdown"] == [title for title in titles["page"] if title not in only_a_page]


def test_a_section_is_its_title_text_lines_and_tables():
    numbers = Table(("movie", "RMSE"), [("a", "1"), ("bbbbbb", "0.5")])
    section = Section("Title", "A sentence.", [numbers], [CHART], ["a line", "another"])
    assert (
        section_markdown(section)
        == """\
## Title

A sentence.

- a line
- another

| movie  | RMSE |
|--------|------|
| a      | 1    |
| bbbbbb | 0.5  |"""
    )


def test_what_only_the_page_shows_is_left_out():
    numbers = Table(("movie", "RMSE"), [("a", "1")], page_only=True)
    assert section_markdown(Section("Title", "A sentence.", [numbers], [CHART])) == ""
    assert section_markdown(Section("Title", "A sentence.", [numbers], lines=["line"])).endswith("- line")


def test_a_column_that_no_row_has_is_left_out_and_a_missing_number_leaves_its_cell_empty():
    rows = {"first": {"rmse": 1.0, "targets": 1234.0}, "second": {"rmse": 0.5}}
    made = table("row", rows, (("targets", "ratings"), ("mae", "MAE"), ("rmse", "RMSE")))
    assert list(made.titles) == ["row", "ratings", "RMSE"]
    assert made.rows == [["first", "1,234", "1.0000"], ["second", "", "0.5000"]]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"), ("<i>", r"\<i>"), ("x < y", "x < y"), ("# title", r"\# title"), ("[link](x)", r"\[link\](x)"),
        ("*bold*", r"\*bold\*"), ("_bold_", r"\_bold\_"), ("zip_code", "zip_code"), ("two\nlines", "two lines"),
        ("back\\slash", r"back\\slash"),
    ],
)  # fmt: skip
def test_text_is_no_markup(text, shown):
    assert escaped(text) == shown
