"""Charts bear any numbers, and stay legible with long labels and long numbers."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from training.report.charts import CHARACTER, LONGEST_LABEL, Series, bars, dots, lines, steps


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


def test_long_labels_stay_distinct_at_their_ends_and_whole_in_the_tooltip():
    labels = ["watches_with_others: part 3", "watches_with_others: part 4"]
    chart = bars("title", "text", dict.fromkeys(labels, 0.5)).svg
    shown = re.findall(r'class="label"[^>]*>([^<]*)<title>([^<]*)<', chart)
    assert [whole for _, whole in shown] == labels
    assert len({short for short, _ in shown}) == 2
    assert all(len(short) == LONGEST_LABEL for short, _ in shown)


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
