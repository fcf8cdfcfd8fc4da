"""Charts as SVG: dot plots, bar charts, line charts and histograms. The same numbers give the same bytes.

A chart scales to the width of its column. Colours are set by classes of the page's style sheet, which has a light and a
dark mode. Series also differ in the shape of their marks, so that readers needn't distinguish colours. Charts have a
title and a description for screen readers, and marks have tooltips with their values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, isfinite, log10
from textwrap import wrap

WIDTH, LABELS, VALUES = 390, 158, 48
"""Widths of a chart, of the labels on its left and of the numbers on its right. Text is 12 units high."""
ROW, LINE, TOP, BOTTOM = 22, 13, 24, 34
"""Heights of a row with one line of label, of each further line, and of the space above and below a plot."""
PLOT_HEIGHT = 190
LONGEST_LABEL, MOST_LINES = 22, 8
"""Characters in a line of a label, which is wrapped, and lines of which a label has at most."""
CHARACTER = 6.6
"""Average width of a character in a chart."""
TICKS = 5
SHAPES = ("circle", "square", "diamond", "triangle", "bar")


@dataclass(frozen=True)
class Series:
    """Values of a chart that are drawn with the same colour and shape."""

    title: str
    """Entry in the legend."""
    style: int
    """Number of the colour and of the shape, 0 to 4."""
    values: Sequence[float | None]
    """Value of each row or point; None if the mark is left out."""
    low: Sequence[float | None] = ()
    """Lower ends of the values' error bars; empty if there are no error bars."""
    high: Sequence[float | None] = ()
    """Upper ends of the values' error bars; empty if there are no error bars."""


@dataclass(frozen=True)
class Chart:
    """A chart of a report as an SVG element, with its title and description."""

    title: str
    """Title of the chart."""
    description: str
    """Sentence on how to read the chart."""
    svg: str
    """SVG element, with all text escaped."""


def dots(
    title: str, description: str, labels: Sequence[str], series: Sequence[Series],
    digits: int = 3, within: Sequence[float] = (),
) -> Chart:  # fmt: skip
    """Draw a dot plot with a row for each label and a mark for each series.

    The value of the last series is also written as a number, with `digits` decimals. The axis spans all values and
    those in `within`, so that small differences don't look large.
    """
    values = [*within, *(value for line in series for value in _all(line))]
    scale = _Scale.around(values, LABELS, WIDTH - VALUES - 8)
    middles, end = _rows(labels)
    height = end + BOTTOM
    body = [_grid_x(scale, 0, height - BOTTOM)]
    for place, (label, y) in enumerate(zip(labels, middles, strict=True)):
        body.append(_label(label, y))
        body.append(f'<line class="track" x1="{LABELS}" x2="{WIDTH - VALUES - 8}" y1="{y:g}" y2="{y:g}"/>')
        for line in series:
            body.append(_error_bar(line, place, scale, y))
            if (value := line.values[place]) is not None:
                body.append(_mark(line.style, scale(value), y, f"{label}, {line.title}: {value:.{digits}f}"))
        if series and (value := series[-1].values[place]) is not None:
            body.append(f'<text class="value" x="{WIDTH}" y="{y + 4:g}">{value:.{digits}f}</text>')
    return _chart(title, description, height, body, series)


def bars(title: str, description: str, shares: Mapping[str, float], style: int = 0) -> Chart:
    """Draw a bar chart of shares (0 to 1) by label, written in percent and in the given order."""
    end = WIDTH - VALUES - 8
    most = max(shares.values(), default=1.0) or 1.0
    body = []
    middles, height = _rows(list(shares))
    for (label, share), y in zip(shares.items(), middles, strict=True):
        width = max((end - LABELS) * share / most, 0.5)
        body.append(_label(label, y))
        tooltip = f"<title>{escape(label)}: {share:.1%}</title>"
        at = f'x="{LABELS}" y="{y - 7:g}" width="{width:.1f}" height="14" rx="2"'
        body.append(f'<rect class="fill{style}" {at}>{tooltip}</rect>')
        body.append(f'<text class="value" x="{WIDTH}" y="{y + 4:g}">{100 * share:.1f} %</text>')
    return _chart(title, description, height + ROW / 2, body, ())


def lines(
    title: str, description: str, points: Sequence[float], series: Sequence[Series], names: tuple[str, str],
    ticks: Mapping[float, str] | None = None, diagonal: bool = False,
) -> Chart:  # fmt: skip
    """Draw a line chart; all series have the same horizontal positions, `points`.

    `names` has the names of the horizontal and the vertical axis. `ticks` has labels for points, instead of numbers.
    If `diagonal` is True, a line is added on which both coordinates are equal.
    """
    left, right, top, bottom = 46, WIDTH - 10, TOP, TOP + PLOT_HEIGHT
    values = [value for line in series for value in _all(line)]
    across = _Scale.around(list(points) + (values if diagonal else []), left, right)
    up = _Scale.around(values + (list(points) if diagonal else []), bottom, top)
    body = [
        _grid_y(up, left, right),
        _grid_x(across, top, bottom, ticks),
        _below(names[0], (left + right) / 2, bottom),
        f'<text class="axis" x="{left}" y="{top - 8}" text-anchor="start">{escape(names[1])}</text>',
    ]
    if diagonal:
        low, high = max(across.low, up.low), min(across.high, up.high)
        ends = f'x1="{across(low):.1f}" y1="{up(low):.1f}" x2="{across(high):.1f}" y2="{up(high):.1f}"'
        body.append(f'<line class="ideal" {ends}/>')
    for line in series:
        placed = [(across(x), up(y), x, y) for x, y in zip(points, line.values, strict=True) if y is not None]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in placed)
        body.append(f'<polyline class="line{line.style}" points="{path}"/>')
        for x, y, point, value in placed:
            at = ticks[point] if ticks and point in ticks else number(point)
            body.append(_mark(line.style, x, y, f"{line.title}, {at}: {number(value)}"))
    return _chart(title, description, bottom + 46, body, series)


def steps(title: str, description: str, edges: tuple[float, float], series: Sequence[Series], name: str) -> Chart:
    """Draw histograms with the same equal bins between two edges: the first one filled, the others as outlines.

    `name` is the name of the horizontal axis.
    """
    left, right, top, bottom = 46, WIDTH - 10, TOP, TOP + PLOT_HEIGHT
    across = _Scale(edges[0], edges[1], left, right)
    up = _Scale.around([0.0, *(value for line in series for value in _all(line))], bottom, top)
    body = [_grid_y(up, left, right, percent=True), _grid_x(across, top, bottom)]
    for order, line in enumerate(series):
        values = [value or 0.0 for value in line.values]
        width = (edges[1] - edges[0]) / len(values)
        path = [f"M{across(edges[0]):.1f},{up(0):.1f}"]
        for place, value in enumerate(values):
            start, end = across(edges[0] + place * width), across(edges[0] + (place + 1) * width)
            path.append(f"V{up(value):.1f}H{end:.1f}" if start < end else "")
        path.append(f"V{up(0):.1f}Z")
        style = f"line{line.style}" if order else f"area{line.style}"
        body.append(f'<path class="{style}" d="{"".join(path)}"><title>{escape(line.title)}</title></path>')
    body.append(_below(name, (left + right) / 2, bottom))
    return _chart(title, description, bottom + 46, body, series)


def number(value: float) -> str:
    """Format a number: three decimals below 10, one below 100, otherwise none."""
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.3f}"


class _Scale:
    """A linear map from values to coordinates in a chart."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high, self._start, self._end = low, high, start, end

    @staticmethod
    def around(values: Sequence[float], start: float, end: float) -> "_Scale":
        """Return a scale with round ends that spans all finite values."""
        finite = [value for value in values if isfinite(value)] or [0.0, 1.0]
        low, high = min(finite), max(finite)
        step = _round_step((high - low) or abs(high) * 0.1 or 1.0)
        low, high = floor(low / step + 1e-9) * step, -floor(-high / step + 1e-9) * step
        return _Scale(low, high if high > low else low + step, start, end)

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self._start + share * (self._end - self._start)

    def ticks(self) -> list[float]:
        """Return about TICKS round numbers between the ends of the axis, in ascending order."""
        step = _round_step(self.high - self.low)
        first = -floor(-self.low / step + 1e-9)
        count = floor((self.high - self.low) / step + 1e-6) + 2
        values = [(first + place) * step for place in range(count)]
        return [value for value in values if value <= self.high + step * 1e-6]


def _round_step(span: float) -> float:
    """Return a step that divides the span into about TICKS parts: 1, 2 or 5 times a power of ten."""
    rough = span / TICKS
    power: float = 10.0 ** floor(log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if rough <= factor * power * (1 + 1e-9))


def _all(series: Series) -> list[float]:
    return [value for part in (series.values, series.low, series.high) for value in part if value is not None]


def _tick(value: float) -> str:
    return f"{value:.6g}" if abs(value) > 1e-12 else "0"


def _grid_x(scale: _Scale, top: float, bottom: float, ticks: Mapping[float, str] | None = None) -> str:
    shown = list((ticks if ticks is not None else {value: _tick(value) for value in scale.ticks()}).items())
    lines = [
        f'<line class="grid" x1="{scale(at):.1f}" x2="{scale(at):.1f}" y1="{top}" y2="{bottom}"/>' for at, _ in shown
    ]
    texts = [
        f'<text class="tick" x="{scale(at):.1f}" y="{bottom + 16}" text-anchor="middle">{escape(text)}</text>'
        for at, text in shown[:: _stride(scale, shown)]
    ]
    return "".join([*lines, *texts])


def _stride(scale: _Scale, ticks: Sequence[tuple[float, str]]) -> int:
    """Return n such that the labels of an axis don't overlap if every n-th tick is labelled."""
    if len(ticks) < 2:
        return 1
    gap = abs(scale(ticks[1][0]) - scale(ticks[0][0]))
    return ceil(CHARACTER * (max(len(text) for _, text in ticks) + 1) / gap)


def _grid_y(scale: _Scale, left: float, right: float, percent: bool = False) -> str:
    return "".join(
        f'<line class="grid" x1="{left}" x2="{right}" y1="{scale(at):.1f}" y2="{scale(at):.1f}"/>'
        f'<text class="tick" x="{left - 6}" y="{scale(at) + 4:.1f}" text-anchor="end">'
        f"{f'{100 * at:.3g} %' if percent else _tick(at)}</text>"
        for at in scale.ticks()
    )


def _below(name: str, x: float, bottom: float) -> str:
    return f'<text class="axis" x="{x:g}" y="{bottom + 34:g}" text-anchor="middle">{escape(name)}</text>'


def _rows(labels: Sequence[str]) -> tuple[list[float], float]:
    """Return the middle of each row of a chart, which is as high as its label's lines, and the end of the last row."""
    middles, end = [], 0.0
    for label in labels:
        height = ROW + LINE * (len(_wrapped(label)) - 1)
        middles.append(end + height / 2)
        end += height
    return middles, end


def _wrapped(label: str) -> list[str]:
    return wrap(label, LONGEST_LABEL, max_lines=MOST_LINES, placeholder="…") or [""]


def _label(label: str, y: float) -> str:
    """Return the label of a row whose middle is at `y`; its lines are centred there."""
    lines = _wrapped(label)
    first = y + 4 - LINE * (len(lines) - 1) / 2
    texts = "".join(
        f'<tspan x="0" y="{first + LINE * place:g}">{escape(line)}</tspan>' for place, line in enumerate(lines)
    )
    return f'<text class="label">{texts}<title>{escape(label)}</title></text>'


def _error_bar(series: Series, place: int, scale: _Scale, y: float) -> str:
    low, high = (ends[place] if ends else None for ends in (series.low, series.high))
    if low is None or high is None:
        return ""
    return f'<line class="line{series.style}" x1="{scale(low):.1f}" x2="{scale(high):.1f}" y1="{y:g}" y2="{y:g}"/>'


def _mark(style: int, x: float, y: float, tooltip: str) -> str:
    title = f"<title>{escape(tooltip)}</title>"
    shape = SHAPES[style % len(SHAPES)]
    if shape == "circle":
        return f'<circle class="fill{style}" cx="{x:.1f}" cy="{y:.1f}" r="4.5">{title}</circle>'
    if shape == "square":
        return f'<rect class="fill{style}" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8">{title}</rect>'
    if shape == "bar":
        return f'<rect class="fill{style}" x="{x - 1.5:.1f}" y="{y - 7:.1f}" width="3" height="14">{title}</rect>'
    if shape == "diamond":
        points = f"{x:.1f},{y - 5.5:.1f} {x + 5.5:.1f},{y:.1f} {x:.1f},{y + 5.5:.1f} {x - 5.5:.1f},{y:.1f}"
    else:
        points = f"{x:.1f},{y - 5:.1f} {x + 5:.1f},{y + 4:.1f} {x - 5:.1f},{y + 4:.1f}"
    return f'<polygon class="fill{style}" points="{points}">{title}</polygon>'


def _chart(title: str, description: str, height: float, body: Sequence[str], series: Sequence[Series]) -> Chart:
    """Build a chart from the SVG elements in its body, and add a legend of the series below."""
    legend, drop, x = [], 0.0, 0.0
    for line in series:
        width = 22 + CHARACTER * len(line.title)
        if x and x + width > WIDTH:
            drop, x = drop + 20, 0.0
        legend.append(_mark(line.style, x + 6, height + drop + 10, line.title))
        legend.append(f'<text class="tick" x="{x + 16:.1f}" y="{height + drop + 14:.1f}">{escape(line.title)}</text>')
        x += width + 8
    whole = height + (drop + 24 if series else 0)
    svg = (
        f'<svg viewBox="0 0 {WIDTH} {whole:g}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc>{''.join(body)}{''.join(legend)}</svg>"
    )
    return Chart(title, description, svg)
