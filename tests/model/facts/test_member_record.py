"""Records of members in a store: what is written is read again, and nothing else is taken for a record."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.schema import Attribute, Scale, Schema
from model.errors import BadRecord
from model.facts.catalogue import Catalogue
from model.facts.facts import MemberFacts, Play
from model.facts.member_record import MemberRecord, RecordedPlay, RecordedRating, from_json, record_key, to_json

SCHEMA = Schema(
    Scale(1, 5, 4),
    (
        Attribute("colour", "categorical", ("blue", "red")),
        Attribute("age", "numeric"),
        Attribute("town", "categorical"),
    ),
    (), (), 1_000_000.0,
)  # fmt: skip
CATALOGUE = Catalogue(
    ["a", "b"], np.ones(2, bool), np.full(2, np.nan, np.float32), np.empty((2, 0), np.float32),
    np.empty((2, 0), np.float32),
)  # fmt: skip

names = st.text(st.characters(codec="utf-8"), max_size=20)
values = st.text(st.characters(codec="utf-8"), max_size=20) | st.booleans() | st.floats(-1e30, 1e30)
unknown = st.just(math.nan)
plays = st.lists(
    st.builds(RecordedPlay, names, unknown | st.floats(0, 1), unknown | st.floats(0, 2e9)),
    unique_by=lambda play: play.movie_id,
)
ratings = st.lists(
    st.builds(RecordedRating, names, st.floats(-1e9, 1e9), unknown | st.floats(0, 2e9)),
    unique_by=lambda rating: rating.movie_id,
)


@settings(deadline=None)  # a busy machine makes single examples slow
@given(st.dictionaries(names, values), plays, ratings)
def test_a_record_is_read_as_it_was_written(attributes, given_plays, given_ratings):
    record = from_json(to_json(MemberRecord(attributes, given_plays, given_ratings)))
    assert record.attributes == attributes
    assert repr(record.plays) == repr(given_plays)
    assert repr(record.ratings) == repr(given_ratings)


def test_a_model_takes_from_a_record_what_it_can_use():
    record = from_json(
        json.dumps(
            {
                "version": 1,
                "attributes": {"colour": "red", "age": 30, "town": 5, "shoe_size": 42},
                "plays": {"b": {"completion": 0.5, "played_at": 913_600}, "nowhere": {}, "a": {}},
                "ratings": {"a": {"rating": 4}, "b": {"rating": 6}, "nowhere": {"rating": 3}},
                "written_by": "another field that later versions may have",
            }
        ).encode()
    )
    facts = record.facts(SCHEMA, CATALOGUE)
    expected = MemberFacts.nothing(SCHEMA).with_attributes({0: 1.0, 1: 30.0})
    expected = expected.with_plays([Play(0, rating=4.0), Play(1, 0.5, 913_600)], SCHEMA)
    for name in ("attributes", "movies", "completion", "age_days"):
        assert np.array_equal(getattr(facts, name), getattr(expected, name), equal_nan=name != "movies")
    assert facts.age_days[1] == 1
    assert (facts.ratings.movies.tolist(), facts.ratings.values.tolist()) == ([0], [4.0])


@pytest.mark.parametrize(
    ("attributes", "encoded"),
    [
        ({"colour": " red  ", "age": 30}, {0: 1.0, 1: 30.0}),
        ({"colour": " ", "age": "", "town": "\t"}, {}),
        ({"colour": "purple", "age": "NA"}, {}),
        ({"age": "30"}, {}),
        ({"happy": "TRUE"}, {3: 1.0}),
        ({"happy": False}, {3: 0.0}),
    ],
)
def test_values_of_a_record_mean_what_they_mean_in_the_tables(attributes, encoded):
    schema = replace(
        SCHEMA, member_attributes=(*SCHEMA.member_attributes, Attribute("happy", "categorical", ("false", "true")))
    )
    record = from_json(json.dumps({"version": 1, "attributes": attributes}).encode())
    expected = MemberFacts.nothing(schema).with_attributes(encoded)
    assert np.array_equal(record.facts(schema, CATALOGUE).attributes, expected.attributes, equal_nan=True)


def test_fields_may_be_missing_or_null():
    for content in (b'{"version": 1}', b'{"version": 1, "attributes": {"age": null}, "plays": {}}'):
        record = from_json(content)
        assert (dict(record.attributes), list(record.plays)) == ({}, [])
    (play,) = from_json(b'{"version": 1, "plays": {"a": {"completion": null}}}').plays
    assert math.isnan(play.completion)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xff", b"[]", b"null", b"{}", b'{"version": 2}', b"[" * 100_000, b" " * 5_000_000,
        b'{"version": 1, "attributes": []}', b'{"version": 1, "attributes": {"age": [1]}}',
        b'{"version": 1, "attributes": {"age": NaN}}', b'{"version": 1, "attributes": {"age": 1e300}}',
        b'{"version": 1, "attributes": {"age": 1' + b"0" * 5000 + b"}}",
        b'{"version": 1, "plays": [1]}', b'{"version": 1, "plays": {"a": 1}}',
        b'{"version": 1, "plays": {"a": {"completion": 1.5}}}', b'{"version": 1, "plays": {"a": {"completion": true}}}',
        b'{"version": 1, "plays": {"a": {"played_at": "yesterday"}}}',
        b'{"version": 1, "ratings": [1]}', b'{"version": 1, "ratings": {"a": 4}}',
        b'{"version": 1, "ratings": {"a": {}}}',
        b'{"version": 1, "ratings": {"a": {"rating": "good"}}}',
        b'{"version": 1, "ratings": {"a": {"rating": 4, "rated_at": "yesterday"}}}',
        json.dumps({"version": 1, "ratings": {str(number): {"rating": 4} for number in range(10_001)}}).encode(),
        json.dumps({"version": 1, "attributes": dict.fromkeys(map(str, range(1001)), 1)}).encode(),
        json.dumps({"version": 1, "plays": {str(number): {} for number in range(10_001)}}).encode(),
    ],
)  # fmt: skip
def test_anything_else_is_no_record(content):
    with pytest.raises(BadRecord):
        from_json(content)


def test_what_the_documentation_shows_is_true():
    text = (Path(__file__).parents[3] / "docs" / "members.md").read_text()
    exec(text.split("```python")[1].split("```")[0], {})  # noqa: S102 # its assert
    record = from_json(text.split("```json")[1].split("```")[0].encode())
    assert record.attributes == {"age": 34, "gender": "F", "has_children": True}
    assert record.plays[0] == RecordedPlay("movie-007", 0.9, 1699999999)
    assert list(record.ratings) == [RecordedRating("movie-007", 4.5, 1700000500)]
    assert HASH in text


def test_the_key_is_the_documented_hash_of_the_id():
    assert record_key("member-0001") == "coldstart:member:" + HASH
    assert "member-0001" not in record_key("member-0001")


HASH = "d1e86ea9a840c2f04f46f0c78f2c15bd"
