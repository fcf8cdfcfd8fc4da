"""A view of a rater shows some plays and asks for ratings of other movies only."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from training.data.dataset import Dataset, read_dataset
from training.data.never_rater_views import SHORT, Views, divided, make_views


@pytest.fixture(scope="module")
def data(small) -> Dataset:
    return read_dataset(small.data, 20)[1]


def drawn(data: Dataset, seed: int) -> Views:
    random = np.random.default_rng(seed)
    plays = data.with_ages(divided(data.play_table.collect(), random))
    return make_views(plays, data.raters, data.attributes[data.raters], random)


@pytest.fixture(scope="module")
def views(data) -> Views:
    return drawn(data, 4)


def pairs(frame: pl.DataFrame) -> set[tuple[int, int]]:
    return set(frame.select("view", "movie").rows())


def test_every_rater_has_three_views(data, views):
    assert (views.member.reshape(-1, 3) == data.raters[:, None]).all()
    assert views.half.tolist() == [0, 1, SHORT] * len(data.raters)


def test_no_view_shows_a_movie_whose_rating_it_asks_for(views):
    assert pairs(views.plays)
    assert not pairs(views.plays) & pairs(views.targets)


def test_the_halves_share_out_all_plays_and_ask_for_every_rating_once(data, views):
    member = pl.Series(views.member)
    for shown, all_of_them in ((views.plays, data.plays), (views.targets, data.ratings)):
        halves = shown.filter(pl.Series(views.half != SHORT).gather(shown["view"]))
        visible = pl.DataFrame({"member": member.gather(halves["view"]), "movie": halves["movie"]})
        raters = all_of_them.filter(pl.col("member").is_in(data.raters.tolist()))
        assert sorted(visible.rows()) == sorted(raters.select("member", "movie").rows())


def test_visible_plays_have_the_completion_and_the_age_that_they_have(data, views):
    facts = {row[:2]: row[2:] for row in data.plays.select("member", "movie", "completion", "age_days").rows()}
    shown = views.plays.with_columns(member=pl.Series(views.member).gather(views.plays["view"]))
    for member, movie, *own in shown.select("member", "movie", "completion", "age_days").rows():
        assert facts[member, movie] == tuple(own)


def test_a_short_view_shows_part_of_the_first_half_and_asks_for_the_other(views):
    first, short = np.flatnonzero(views.half == 0), np.flatnonzero(views.half == SHORT)
    for first_view, other in zip(first, short, strict=True):
        shown = {
            movie for view, movie in pairs(views.plays.filter(pl.col("view").is_in([first_view]))) if view == first_view
        }
        part = set(views.plays.filter(pl.col("view") == other)["movie"])
        assert part <= shown
        asked = [set(views.targets.filter(pl.col("view") == view)["movie"]) for view in (first_view, other)]
        assert asked[0] == asked[1]
    assert 1 <= np.median(views.play_count[short]) < np.median(views.play_count[first])


def test_play_counts_are_those_of_the_plays(views):
    assert views.play_count.tolist() == np.bincount(views.plays["view"], minlength=len(views.member)).tolist()


def test_only_short_views_hide_attributes(data, views):
    known, shown = np.isfinite(data.attributes[views.member]), np.isfinite(views.attributes)
    short = views.half == SHORT
    assert (shown[~short] == known[~short]).all()
    assert (shown <= known).all()
    assert 0.6 < shown[short].sum() / known[short].sum() < 0.8


def test_chosen_views_are_numbered_anew_with_their_own_plays(views):
    chosen = np.arange(len(views.member)) % 4 == 1
    some = views.only(chosen)
    assert some.member.tolist() == views.member[chosen].tolist()
    assert np.bincount(some.plays["view"], minlength=len(some.member)).tolist() == some.play_count.tolist()
    place = int(np.flatnonzero(chosen)[3])
    for ours, whole in ((some.plays, views.plays), (some.targets, views.targets)):
        own = whole.filter(pl.col("view") == place).drop("view")
        assert len(own)
        assert ours.filter(pl.col("view") == 3).drop("view").equals(own)


def test_views_that_are_taken_apart_and_joined_are_the_same(views):
    number = np.arange(len(views.member))
    cuts = [0, 30, 30, 99, len(number)]
    parts = [views.only((number >= first) & (number < last)) for first, last in pairwise(cuts)]
    again = Views.joined(parts)
    assert again.plays.equals(views.plays)
    assert again.targets.equals(views.targets)
    for name in ("member", "half", "attributes", "play_count"):
        assert np.array_equal(getattr(again, name), getattr(views, name), equal_nan=True)


def test_members_without_ratings_have_no_views():
    plays = pl.DataFrame(
        {"member": [0, 0, 2, 3, 3], "movie": [0, 1, 0, 1, 2], "rating": [None, None, 4.0, None, 2.0]},
        schema_overrides={"member": pl.Int32, "movie": pl.Int32},
    )
    parts = divided(plays, np.random.default_rng(0))
    assert parts.select("rater", "member", "movie").rows() == [(0, 2, 0), (1, 3, 1), (1, 3, 2)]
    nobody = divided(plays.with_columns(rating=pl.lit(None, pl.Float64)), np.random.default_rng(0))
    assert nobody.is_empty()
    assert divided(plays.clear(), np.random.default_rng(0)).is_empty()


def test_the_same_seed_makes_the_same_views(data, views):
    assert drawn(data, 4).plays.equals(views.plays)
    assert not drawn(data, 5).plays.equals(views.plays)
