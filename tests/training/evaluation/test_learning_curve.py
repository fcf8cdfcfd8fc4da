"""The learning curve compares the same ratings with more and more plays known."""

import json
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from model.facts.evidence import MemberEvidence, MovieEvidence
from training.data.never_rater_views import rated_count, show_at_most
from training.evaluation.learning_curve import LEVELS, learning_curve, nested_views, rating_curve, usable_views

BOTH = MemberEvidence.ATTRIBUTES_AND_PLAYS
CURVES = ("learning_curve", "learning_curve_plays_only")


@pytest.fixture(scope="module")
def nested(small_fit):
    return nested_views(small_fit.table.views, usable_views(small_fit, BOTH), np.random.default_rng(3))


@pytest.mark.parametrize("name", CURVES)
def test_the_error_falls_with_the_number_of_plays_known(published, name):
    points = json.loads((published.folder / "report.json").read_text())[name]
    assert [point["plays"] for point in points] == [*map(str, LEVELS), "all"]
    errors = [point["rmse"] for point in points]
    assert errors[-1] < 0.95 * errors[0]
    assert all(after <= 1.008 * before for before, after in pairwise(errors))
    assert len({(point["targets"], point["members"], point["movie_mean_rmse"]) for point in points}) == 1
    for point in points:
        assert 0.85 < point["coverage"] < 0.95


@pytest.mark.parametrize("name", ["rating_curve", "rating_curve_plays_only"])
def test_the_error_falls_and_intervals_narrow_with_the_number_of_ratings_known(published, name):
    points = json.loads((published.folder / "report.json").read_text())[name]
    shown = [point["ratings"] for point in points]
    assert shown == [*map(str, LEVELS[: len(shown) - 1]), "all"]
    assert len(shown) >= 4
    errors, widths = ([point[score] for point in points] for score in ("rmse", "mean_width"))
    assert errors == sorted(errors, reverse=True)
    assert all(after <= 1.02 * before for before, after in pairwise(widths))
    assert widths[-1] < widths[0]
    assert len({(point["targets"], point["members"], point["movie_mean_rmse"]) for point in points}) == 1
    for point in points:
        assert 0.86 < point["coverage"] < 0.94
    text = (published.folder / "report.md").read_text()
    assert "By number of ratings known, all plays" in text
    assert "From the third to the tenth rating" in text


def test_a_curve_over_ratings_starts_at_what_the_fit_was_judged_on_and_stays_the_same(small_fit):
    points = rating_curve(small_fit, BOTH, 0)
    assert points == rating_curve(small_fit, BOTH, 0)
    assert points[0]["ratings"] == "0"
    assert points[0]["ratings_from"] == 0
    numbers = [point["ratings_from"] for point in points]
    assert numbers == sorted(numbers)


def test_more_ratings_are_shown_on_top_of_fewer(small_fit):
    views = small_fit.table.views
    shown = [
        show_at_most(views, np.full(len(views.member), most), np.random.default_rng(3)) for most in (1.0, 3.0, np.inf)
    ]
    pairs = [set(zip(np.arange(len(views.member)).repeat(each.counts), each.movie, strict=True)) for each in shown]
    assert pairs[0] < pairs[1] < pairs[2]
    assert shown[1].counts.max() == 3
    assert (shown[2].counts == rated_count(views)).all()


def test_every_level_shows_the_same_members_more_of_their_plays(small_fit, nested):
    people, views = len(nested.owner), nested.views
    assert (views.member.reshape(-1, people) == small_fit.table.views.member[nested.owner]).all()
    shown = [
        set(
            views.plays.filter(pl.col("view") // people == level)
            .with_columns(pl.col("view") % people)
            .select("view", "movie")
            .rows()
        )
        for level in range(len(nested.shown))
    ]
    for level, (less, more) in enumerate(pairwise(shown)):
        assert less < more or nested.shown[level + 1] is None
        assert less <= more
    for level, most in enumerate(nested.shown[:-1]):
        assert (views.play_count[level * people : (level + 1) * people] == most).all()
    assert (views.play_count[-people:] == small_fit.table.views.play_count[nested.owner]).all()


def test_with_all_plays_the_curve_says_what_the_fit_was_judged_on(small_fit, nested):
    judged = small_fit.predictions[BOTH, MovieEvidence.RATED]
    table = small_fit.of_views(nested.views, np.tile(small_fit.table.out_of_fold.fold[nested.owner], len(nested.shown)))
    people = len(nested.owner)
    chosen = np.isin(judged.rows.view, nested.owner)
    rows = judged.rows.take(chosen)
    place = np.searchsorted(nested.owner, rows.view) + (len(nested.shown) - 1) * people
    again = small_fit.predict(table, type(rows)(place, rows.movie, rows.rating, rows.evidence, rows.movie_evidence))
    assert again.rating == pytest.approx(judged.rating[chosen], abs=1e-6)


def test_where_few_people_play_much_the_curve_ends_early_or_is_left_out(small_fit):
    views, none = small_fit.table.views, np.zeros(len(small_fit.table.views.member), bool)
    assert nested_views(views, none, np.random.default_rng(0)) is None
    few = (views.half == 0) & (views.play_count <= 12)
    nested = nested_views(views, few, np.random.default_rng(0))
    assert nested is None or max(level or 0 for level in nested.shown) <= 10


def test_the_same_seed_tells_the_same_curve(small_fit):
    assert learning_curve(small_fit, BOTH, 0) == learning_curve(small_fit, BOTH, 0)
