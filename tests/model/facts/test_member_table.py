"""Members are found by their id with all that the tables tell of them."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from features.values.attribute_value import encode_attribute
from model.errors import ArtifactError
from model.facts.facts import SECONDS_PER_DAY
from model.facts.member_key import PLAIN
from model.facts.member_table import Damage, MemberTable


def test_every_member_of_any_table_has_its_facts(small):
    model, tables = small.model, small.tables
    plays = {key: rows for (key,), rows in tables.plays.group_by("member_id")}
    ratings = {key: rows for (key,), rows in tables.ratings.group_by("member_id")}
    rows = {row["member_id"]: row for row in tables.members.iter_rows(named=True)}
    everyone = set(plays) | set(rows)
    assert len(model.members) == len(everyone) > 190
    for member_id in everyone:
        facts = model.members.find(member_id)
        for place, attribute in enumerate(model.schema.member_attributes):
            value = rows.get(member_id, {}).get(attribute.name)
            expected = np.nan if value is None else encode_attribute(attribute, value)
            assert facts.attributes[place] == pytest.approx(expected, nan_ok=True)
        played = plays.get(member_id, tables.plays.clear()).sort("movie_id")
        assert [model.catalogue.movie_ids[row] for row in facts.movies] == played["movie_id"].to_list()
        completion = played["completion"].fill_null(np.nan).to_numpy()
        assert facts.completion == pytest.approx(completion, rel=1e-6, nan_ok=True)
        age = (model.schema.end_of_data - played["played_at"].fill_null(np.nan).to_numpy()) / SECONDS_PER_DAY
        assert facts.age_days == pytest.approx(age, rel=1e-5, abs=1e-4, nan_ok=True)
        rated = ratings.get(member_id, tables.ratings.clear()).sort("movie_id")
        assert [model.catalogue.movie_ids[row] for row in facts.ratings.movies] == rated["movie_id"].to_list()
        assert facts.ratings.values.tolist() == rated["rating"].to_list()
        assert np.array_equal(facts.ratings.rated_at, rated["rated_at"].fill_null(np.nan).floor(), equal_nan=True)


@pytest.mark.parametrize("member_id", ["", "nobody", "member-1 ", "\0", "名前"])
def test_an_id_that_no_table_holds_has_no_facts(small, member_id):
    assert small.model.members.find(member_id) is None


def test_members_whose_hashes_begin_alike_are_distinguished():
    first, second = PLAIN.hash_of("someone")
    keys = np.array([[first, second - 1], [first, second], [first, second + 1]], np.uint64)
    table = MemberTable(
        keys, np.array([[1], [2], [3]], np.float32), np.array([0, 0, 1, 1]), np.array([4], np.int32),
        np.array([0.5], np.float32), np.array([np.nan], np.float32),
    )  # fmt: skip
    facts = table.find("someone")
    assert facts is not None
    assert facts.attributes.tolist() == [2]
    assert facts.movies.tolist() == [4]
    assert table.find("someone else") is None


def test_ratings_off_the_scale_are_refused_where_they_are_met_and_by_the_check_of_all(small):
    members = small.model.members
    member_id = small.tables.ratings["member_id"][0]
    ratings = np.array(members.ratings)
    ratings[~np.isnan(ratings)] = small.model.schema.scale.high + 1
    wrong, messages = replace(members, ratings=ratings, checked={}, damage=Damage()), []
    wrong.damage.listener = messages.append
    assert wrong.find(member_id) is None
    assert messages == ["members/ratings.npy has ratings off the scale"]
    members.check(len(small.model.catalogue))
    with pytest.raises(ArtifactError, match="off the scale"):
        wrong.check(len(small.model.catalogue))


def test_facts_can_be_changed_without_changing_the_table(small):
    member_id = small.tables.plays.filter(pl.col("completion").is_not_null())["member_id"][0]
    before = small.model.members.find(member_id)
    before.completion[:] = 0
    before.attributes[:] = 0
    before.ratings.values[:] = 0
    assert not np.array_equal(small.model.members.find(member_id).completion, before.completion)
