"""What is known of members and movies, as it is given in any order, twice or not at all."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.schema import Attribute, Scale, Schema
from model.facts.facts import MemberFacts, MovieFacts, Play, age_in_days

COLOUR = Attribute("colour", "categorical", categories=("blue", "red"))
MERGED = Attribute("town", "categorical", categories=("big",), has_other=True)
AGE = Attribute("age", "numeric", knots=(20.0, 50.0))
END = 1_000_000_000.0
SCHEMA = Schema(Scale(1, 5, 4), (COLOUR, AGE), (MERGED,), ("Drama", "War"), END)
NOTHING = MemberFacts.nothing(SCHEMA)

unknown = st.just(float("nan"))
plays = st.lists(
    st.builds(
        Play,
        st.integers(0, 5),
        unknown | st.floats(0, 1, width=32),
        unknown | st.integers(0, 2_000_000_000),
        unknown | st.sampled_from([1.0, 2.5, 5.0]),
    ),
    max_size=12,
)


def best(values: list[float], pick) -> float:
    known = [value for value in values if not math.isnan(value)]
    return pick(known) if known else float("nan")


@settings(deadline=None)  # a busy machine makes single examples slow
@given(plays)
def test_of_the_plays_of_a_movie_the_latest_not_rated_and_the_highest_completion_count(given_plays):
    facts = NOTHING.with_plays(given_plays, SCHEMA)
    assert facts.movies.tolist() == sorted({play.movie for play in given_plays})
    for row, movie in enumerate(facts.movies):
        own = [play for play in given_plays if play.movie == movie]
        completion = best([play.completion for play in own], max)
        latest = best([play.played_at for play in own if math.isnan(play.rating)], max)
        assert facts.completion[row] == pytest.approx(completion, nan_ok=True)
        assert facts.age_days[row] == pytest.approx(max((END - latest) / 86_400, 0) if latest == latest else latest,
                                                    nan_ok=True)  # fmt: skip


@settings(deadline=None)  # a busy machine makes single examples slow
@given(plays)
def test_of_the_ratings_of_a_movie_the_later_counts_and_without_times_the_one_given_last(given_plays):
    ratings = NOTHING.with_plays(given_plays, SCHEMA).ratings
    rated = [play for play in given_plays if not math.isnan(play.rating)]
    assert ratings.movies.tolist() == sorted({play.movie for play in rated})
    for movie, value, time in zip(ratings.movies, ratings.values, ratings.rated_at, strict=True):
        own = [play for play in rated if play.movie == movie]
        assert (value, str(time)) in [(play.rating, str(float(play.played_at))) for play in own]
        if all(math.isnan(play.played_at) for play in own):
            assert value == own[-1].rating
        elif not any(math.isnan(play.played_at) for play in own):
            latest = max(play.played_at for play in own)
            assert value == [play.rating for play in own if play.played_at == latest][-1]


def test_a_rating_without_a_time_is_newer_than_those_given_before_and_older_than_those_given_after():
    untimed, timed = Play(3, rating=2.0), Play(3, played_at=9e8, rating=5.0)
    assert NOTHING.with_plays([timed, untimed], SCHEMA).ratings.values.tolist() == [2.0]
    assert NOTHING.with_plays([untimed, timed], SCHEMA).ratings.values.tolist() == [5.0]


@settings(deadline=None)  # a busy machine makes single examples slow
@given(plays)
def test_a_rating_is_a_play_too(given_plays):
    facts = NOTHING.with_plays(given_plays, SCHEMA)
    assert set(facts.ratings.movies.tolist()) <= set(facts.movies.tolist())
    untimed = [play if math.isnan(play.rating) else play._replace(played_at=math.nan) for play in given_plays]
    unrated = NOTHING.with_plays([play._replace(rating=math.nan) for play in untimed], SCHEMA)
    for name in ("movies", "completion", "age_days"):
        assert getattr(facts, name).tobytes() == getattr(unrated, name).tobytes()
    assert facts.without_ratings().ratings.movies.tolist() == []
    assert facts.without_plays().ratings.movies.tolist() == []


@settings(deadline=None)  # a busy machine makes single examples slow
@given(plays, plays)
def test_plays_given_at_once_or_one_after_the_other_are_the_same_facts(first, second):
    at_once, later = NOTHING.with_plays(first + second, SCHEMA), NOTHING.with_plays(first, SCHEMA)
    later = later.with_plays(second, SCHEMA)
    for name in ("movies", "completion", "age_days"):
        assert getattr(at_once, name).tobytes() == getattr(later, name).tobytes()
        assert getattr(at_once, name).dtype == getattr(NOTHING, name).dtype
    for name in ("movies", "values", "rated_at"):
        assert getattr(at_once.ratings, name).tobytes() == getattr(later.ratings, name).tobytes()
        assert getattr(at_once.ratings, name).dtype == getattr(NOTHING.ratings, name).dtype


@settings(deadline=None)  # a busy machine makes single examples slow
@given(plays, st.integers(0, 5))
def test_without_a_movie_the_facts_are_those_of_the_other_plays(given_plays, movie):
    others_alone = NOTHING.with_plays(given_plays, SCHEMA).without(movie)
    others = NOTHING.with_plays([play for play in given_plays if play.movie != movie], SCHEMA)
    for name in ("movies", "completion", "age_days"):
        assert np.array_equal(getattr(others_alone, name), getattr(others, name), equal_nan=name != "movies")


def test_attributes_replace_only_what_they_name():
    facts = NOTHING.with_attributes({1: 30.0})
    assert math.isnan(facts.attributes[0])
    assert facts.attributes[1] == 30
    assert facts.with_attributes({0: 1.0}).attributes.tolist() == [1, 30]
    assert math.isnan(facts.with_attributes({1: float("nan")}).attributes[1])
    assert math.isnan(NOTHING.attributes[1])


def test_a_play_after_the_end_of_the_data_is_of_its_last_day():
    assert age_in_days(np.array([END + 1, END, END - 86_400, np.nan]), SCHEMA)[:3].tolist() == [0, 0, 1]
    timeless = Schema(SCHEMA.scale, (), (), (), None)
    assert np.isnan(age_in_days(np.array([END]), timeless)).all()


def test_genres_that_the_schema_lacks_are_left_out_and_none_left_is_not_known():
    assert MovieFacts.of(SCHEMA, None, ["War", "Opera"], {}).genres.tolist() == [0, 1]
    assert not MovieFacts.of(SCHEMA, None, ["Opera"], {}).is_described
    assert not MovieFacts.of(SCHEMA, None, None, {}).is_described
    assert MovieFacts.of(SCHEMA, 1990, None, {}).is_described
    assert MovieFacts.of(SCHEMA, None, None, {0: 1.0}).is_described


def test_a_description_stands_over_what_was_known_field_by_field():
    known = MovieFacts.of(SCHEMA, 1990, ["War"], {0: 1.0})
    nothing = MovieFacts.of(SCHEMA, None, None, {})
    assert nothing.over(known).same_as(known)
    assert known.over(nothing).same_as(known)
    assert not known.same_as(nothing)
    assert MovieFacts.of(SCHEMA, 2001, None, {}).over(known).same_as(MovieFacts.of(SCHEMA, 2001, ["War"], {0: 1.0}))
    assert MovieFacts.of(SCHEMA, None, ["Drama"], {}).over(known).genres.tolist() == [1, 0]
    assert MovieFacts.of(SCHEMA, None, None, {0: 0.0}).over(known).same_as(MovieFacts.of(SCHEMA, 1990, ["War"], {0: 0}))
