"""What plays say of a member has one definition, whether it is worked out for all members or for one request."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.movies import MOVIE
from features.plays import names, of_members, of_sums, own_sums
from model.facts.facts import MemberFacts
from training.data.passes.visible_facts import SummedColumns, facts_of_views, play_inputs, played

MOVIES, COLUMNS = 12, ("quality", "popularity", "genre:Drama")
MOVIE_COLUMNS = np.random.default_rng(5).normal(size=(MOVIES, len(COLUMNS))).astype(np.float32)

completions = st.none() | st.floats(0, 1, width=32)
ages = st.none() | st.floats(0, 20_000, width=32)
plays_of_members = st.lists(
    st.dictionaries(st.integers(0, MOVIES - 1), st.tuples(completions, ages), min_size=1), min_size=1, max_size=4
)


def movie_sums(movies) -> np.ndarray:
    return MOVIE_COLUMNS[list(movies)].sum(axis=0, dtype=np.float64)


def numbers(values: list) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], np.float32)


@settings(deadline=None, max_examples=60)
@given(plays_of_members, st.randoms(use_true_random=False))
def test_sums_over_plays_in_any_order_give_the_row_of_a_request(members, random):
    rows = [(member, movie, *facts) for member, plays in enumerate(members) for movie, facts in plays.items()]
    random.shuffle(rows)
    owner, movies, completion, age = zip(*rows, strict=True)
    own = own_sums(numbers(completion), numbers(age), np.array(owner), len(members))
    sums = played(np.array(owner), np.array(movies), (len(members), MOVIES)) @ MOVIE_COLUMNS.astype(np.float64)
    for row, plays in zip(of_sums(own, sums), members, strict=True):
        completion, age = zip(*plays.values(), strict=True)
        [features] = of_members(numbers(completion), numbers(age), np.array([len(plays)]), movie_sums(plays)[None])
        assert len(row) == len(names(COLUMNS))
        assert features == pytest.approx(row, rel=1e-9, abs=1e-9)


def test_a_play_of_which_only_the_movie_is_known_counts_as_a_play_and_says_no_more():
    [row] = of_members(numbers([None]), numbers([None]), np.array([1]), movie_sums([0])[None])
    features = dict(zip(names(COLUMNS), row, strict=True))
    assert features["log_plays"] == pytest.approx(np.log(2))
    assert [features[name] for name in ("completion", "completion_known", "recency", "age_known")] == [0, 0, 0, 0]
    assert features["movies:quality"] == pytest.approx(float(MOVIE_COLUMNS[0, 0]) / 6)


def test_a_play_of_30_days_ago_is_half_as_recent_as_one_on_the_last_day():
    place = names(COLUMNS).index("recency")
    two = of_members(numbers([None] * 2), numbers([0, 30]), np.array([1, 1]), np.stack([movie_sums([0])] * 2))
    last, month = two[:, place]
    assert month == pytest.approx(last / 2)


def test_the_training_rows_of_plays_are_those_of_a_request(small_fit):
    views, columns = small_fit.table.views, small_fit.core.prior.columns
    inputs = play_inputs(
        facts_of_views(views, len(columns.columns), slice(0, len(views.member))), SummedColumns.of(columns)
    )
    shown = views.plays.partition_by("view", as_dict=True)
    assert len(shown) > 100
    for (view,), plays in shown.items():
        facts = MemberFacts(
            views.attributes[view],
            plays[MOVIE].to_numpy(),
            plays["completion"].fill_null(np.nan).to_numpy().astype(np.float32),
            plays["age_days"].fill_null(np.nan).to_numpy().astype(np.float32),
        )
        assert columns.of_plays([facts])[0] == pytest.approx(inputs[view], rel=1e-6, abs=1e-6)
