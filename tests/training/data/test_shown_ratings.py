"""Views that show ratings too: of visible plays only, few and many, and the same for the same seed."""

import numpy as np
import pytest

from training.data.never_rater_views import SHORT, VIEWS, show_ratings


@pytest.fixture(scope="module")
def data(small_fit):
    return small_fit.table.data


@pytest.fixture(scope="module")
def views(small_fit):
    return small_fit.table.views


@pytest.fixture(scope="module")
def shown(views):
    return show_ratings(views, np.random.default_rng(5))


def triples(data, views, shown):
    """View, movie and rating of every shown rating."""
    return list(zip(np.arange(len(views.member)).repeat(shown.counts), shown.movie, shown.rating, strict=True))


def test_what_is_shown_are_the_members_own_ratings_of_visible_plays(data, views, shown):
    given = {
        (member, movie): rating for member, movie, rating in data.ratings.select("member", "movie", "rating").rows()
    }
    visible = set(views.plays.select("view", "movie").rows())
    asked = set(views.targets.select("view", "movie").rows())
    assert len(shown.movie) > 1000
    for view, movie, rating in triples(data, views, shown):
        assert given[views.member[view], movie] == rating
        assert (view, movie) in visible
        assert (view, movie) not in asked


def test_short_views_show_all_ratings_and_others_few_or_many(data, views, shown):
    rated = views.plays.drop("rating").with_columns(member=views.member[views.plays["view"].to_numpy()])
    possible = rated.cast({"member": int}).join(data.ratings.cast({"member": int}), on=["member", "movie"])["view"]
    most = np.bincount(possible, minlength=len(views.member))
    short = views.half == SHORT
    assert (shown.counts[short] == most[short]).all()
    assert (shown.counts[most > 0] >= 1).all()
    assert (shown.counts <= most).all()
    many = most[~short] >= 10
    share = np.log(shown.counts[~short][many]) / np.log(most[~short][many])
    assert 0.3 < share.mean() < 0.7, "evenly spread on a logarithmic scale"


def test_ratings_of_some_views_are_found_in_their_order(views, shown):
    chosen = np.array([7, 2, 2, 11])
    expected = [np.arange(shown.starts[view], shown.starts[view + 1]) for view in chosen]
    assert shown.of(chosen).tolist() == np.concatenate(expected).tolist()


def test_the_same_seed_shows_the_same_ratings(views, shown):
    again = show_ratings(views, np.random.default_rng(5))
    assert again.movie.tobytes() == shown.movie.tobytes()
    assert again.starts.tobytes() == shown.starts.tobytes()
    assert show_ratings(views, np.random.default_rng(6)).movie.tobytes() != shown.movie.tobytes()


def test_only_some_raters_show_ratings_if_there_are_many_to_predict(views, shown):
    some = show_ratings(views, np.random.default_rng(5), most_targets=1000)
    targets = np.bincount(views.targets["view"], minlength=len(views.member)).reshape(-1, VIEWS).sum(axis=1)
    shows, could = ((each.counts.reshape(-1, VIEWS) > 0) for each in (some, shown))
    drawn = shows.any(axis=1)
    assert (shows[drawn] == could[drawn]).all()
    assert 1000 - targets.max() < targets[drawn].sum() <= 1000 < targets.sum()
