"""Charts bear any numbers, and stay legible with long labels and long numbers."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from training.report.charts import CHARACTER, LINE, LONGEST_LABEL, Series, bars, dots, lines, steps


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 2.0, 2.0], [0.0, 0.0], [1e-9, 1e9], [-3.0, None, 4.0]])
def test_charts_bear_numbers_of_any_kind(values):
    labels, places = [f"row {place}" for place in range(len(values))], [float(place) for place in range(len(values))]
    line = Series("series", 0, values)
    shares = {label: abs(value or 0.0) for label, value in zip(labels, values, strict=True)}
    for chart in (
        dots("title", "text", labels, [line]),
        lines("title", "text", places, [line], ("across", "up")),
        bars("title", "text", shares),
        *([steps("title", "text", (0.0, 5.0), [line], "rating")] if values else []),
    ):
        assert "nan" not in chart.svg
        ElementTree.fromstring(chart.svg)


def test_long_labels_are_wrapped_not_cut_and_rows_make_room_for_them():
    labels = ["watches_with_others: part 3", "plays and attributes, 1 to 19 plays of the movie", "short"]
    for chart in (bars("title", "text", dict.fromkeys(labels, 0.5)), dots("title", "text", labels, [])):
        shown = ElementTree.fromstring(chart.svg).iter("text")
        rows = [text for text in shown if text.get("class") == "label"]
        lines = [[span.text for span in row.iter("tspan")] for row in rows]
        assert [" ".join(row) for row in lines] == labels
        assert all(len(line) <= LONGEST_LABEL for row in lines for line in row)
        heights = [float(span.get("y")) for row in rows for span in row.iter("tspan")]
        assert all(after - before >= LINE for before, after in pairwise(heights))


@pytest.mark.parametrize("size", [1.0, 1e-4, 1e-7, 12345.0])
def test_numbers_below_the_axis_stay_apart(size):
    chart = dots("title", "text", ["a", "b"], [Series("s", 0, [1 + 0.61 * size, 1 + size])]).svg
    ticks = [(float(x), text) for x, text in re.findall(r'class="tick" x="([^"]*)"[^>]*middle">([^<]*)<', chart)]
    assert len(ticks) > 1
    for (x, text), (next_x, next_text) in pairwise(ticks):
        assert next_x - x > CHARACTER * (len(text) + len(next_text)) / 2


def test_text_is_no_markup_in_a_chart():
    chart = dots("<b>", "<i>", ["<u>"], [Series("<s>", 0, [1.0])]).svg
    assert not re.search("<[bius]>", chart)
