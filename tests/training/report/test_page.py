"""The page of an evaluation: whole without network or script, for every reader, and true to its numbers."""

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from model.store.store import Store
from tests.conftest import Published
from training.report.page import html, report_files
from training.report.section import FORMATS

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Outline(HTMLParser):
    """Checks that tags close in order, and gathers what stands where."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


@pytest.fixture(scope="module")
def page(published: Published) -> str:
    return (published.folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def numbers(published: Published) -> dict:
    return json.loads((published.folder / "report.json").read_text())


def test_the_page_and_the_card_are_among_the_files_whose_hashes_the_manifest_tells(published):
    assert {"report.html", "MODEL_CARD.md"} <= set(published.model.manifest.files)


def test_nothing_is_fetched_and_nothing_runs(page):
    for tag, attributes in outline(page).tags:
        assert tag not in ("script", "link", "img", "iframe", "object", "embed", "form")
        assert not {"src", "href", "xlink:href", "action"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
    assert "://" not in page
    assert "url(" not in page
    assert "@import" not in page


def test_phones_dark_rooms_and_screen_readers_are_thought_of(page):
    tags = outline(page).tags
    assert ("html", {"lang": "en"}) in tags
    assert any(attributes.get("name") == "viewport" for tag, attributes in tags if tag == "meta")
    assert "prefers-color-scheme: dark" in page
    charts = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(charts) >= 12
    for chart in charts:
        parsed = ElementTree.fromstring(chart)
        assert parsed.get("role") == "img"
        assert parsed.get("aria-label")
        assert parsed.find("title").text
        assert parsed.find("desc").text


@pytest.mark.parametrize(
    "title",
    ["Root mean squared error", "Ranking", "Intervals and probabilities", "Calibration", "Distribution of predictions",
     "By number of plays known, attributes and plays", "By number of plays known, plays only",
     "Importance in the trees", "By number of ratings of the movie", "By gender", "Movies as if nobody had rated them",
     "Intervals by number of plays, with plays known", "Intervals by extrapolation, with plays known",
     "The same ratings with less known", "How members who never rate differ from raters"],
)  # fmt: skip
def test_each_part_is_there(title, page):
    assert f"<h2>{title}</h2>" in page


def test_the_numbers_of_the_page_are_those_of_the_report(page, numbers):
    for scores in numbers["evidence"].values():
        for name, score in scores.items():
            assert f"<td>{format(score, FORMATS.get(name, '.4f'))}</td>" in page
    assert len(numbers["predictions"]["ratings"]) == len(numbers["predictions"]["plays"]) == 20
    for shares in numbers["predictions"].values():
        assert sum(shares) == pytest.approx(1)
    assert sum(numbers["importance"].values()) == pytest.approx(1)
    assert any(name.startswith("movie: genre ") for name in numbers["importance"])
    for curve in numbers["calibration_curves"].values():
        predicted = [point["predicted"] for point in curve]
        assert predicted == sorted(predicted)
        assert all(abs(point["predicted"] - point["observed"]) < 0.1 for point in curve)


def test_names_from_the_data_are_text_and_never_markup(numbers):
    bad = '<script>alert("1")</script>'
    numbers["groups"] = {bad: {bad: {"rmse": 1.0, "movie_mean_rmse": 1.1, "targets": 60.0}}}
    numbers["importance"] = {f"plays: {bad}": 1.0}
    page = html(numbers, [bad])
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 4
    outline(page)


def test_errors_by_time_are_drawn_where_there_are_any(numbers):
    assert "<h2>By time</h2>" not in html(numbers, [])
    row = {"rmse": 0.95, "movie_mean_rmse": 1.0, "before_rmse": 0.9, "targets": 100.0}
    numbers["by_time"] = {
        "moment": "2000-12-01", "ratings_before": 900.0, "members_after": 80.0, "ratings_without_time": 3.0,
        "evidence": {"plays": row}, "movies": {"rated before": row},
    }  # fmt: skip
    page = html(numbers, [])
    outline(page)
    assert "<h2>By time</h2>" in page
    assert page.count("<td>0.9500</td>") == 2
    assert "3 ratings without a time are left out" in page


def test_the_same_evaluation_gives_the_same_bytes(published: Published, numbers):
    first, again = report_files(numbers, ["a note"]), report_files(json.loads(json.dumps(numbers)), ["a note"])
    assert first == again
    assert first["report.json"] == (published.folder / "report.json").read_bytes()


def test_the_page_says_of_which_version_data_and_day_it_is_and_where_to_look_further(published: Published, page):
    manifest = published.model.manifest
    data = f"{manifest.data['ratings']:,} ratings of {manifest.data['movies']:,} movies by "
    [line] = re.findall(r'<p class="about">(.*)</p>', page)
    assert line.startswith(data)
    assert f"data {manifest.data_fingerprint[:12]} · seed 0" in line
    record = Store(published.models).read_record(published.version, "report.html").decode()
    [line] = re.findall(r'<p class="about">(.*)</p>', record)
    trained = published.model.run.trained_at[:16].replace("T", " ")
    assert line.startswith(f"version {published.version} · trained {trained} UTC · {data}")
    assert f"coldstart models show {published.version} --models MODELS" in record
    assert re.findall("<h2>(.*)</h2>", record)[-1] == re.findall("<h2>(.*)</h2>", page)[-1] == "Look further"


def test_bins_that_do_not_overlap_are_named_by_both_ends(page):
    for title, names in (
        ("By number of ratings of the movie", ["1 to 19", "20 to 99"]),
        ("Intervals by number of plays, with plays known", ["1 to 2", "3 to 9"]),
        ("Intervals by extrapolation, with plays known", ["0 to 0.5", "0.5 to 0.75"]),
    ):
        section = page.split(f"<h2>{title}</h2>")[1].split("</section>")[0]
        rows = re.findall(r'<th scope="row">(.*?)</th>', section)
        assert rows[:2] == names, title
        assert len(set(rows)) == len(rows)
