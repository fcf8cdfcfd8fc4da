"""What the gate says of counts that differ from those of the current version."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from model.facts.member_key import PLAIN, MemberKey
from training.data.passes.play_table import play_table
from training.gate.count_changes import id_changes, known_changes, known_values, row_changes
from training.gate.gate_settings import GateSettings
from training.gate.kept_out import KEY, Split, split
from training.gate.schema_changes import Change, Outcome

LIMITS = GateSettings()


@pytest.fixture
def parts(small) -> Split:
    return split(small.tables, KEY, LIMITS.share)


def held_back(changes) -> set[str]:
    return {change.subject for change in changes if change.outcome is Outcome.HELD_BACK}


def rows(small, kept_out=({}, {}), **counts: int) -> list[Change]:
    manifest = replace(small.model.manifest, data=small.model.manifest.data | counts)
    return list(row_changes(replace(small.model, manifest=manifest), small.model, kept_out, LIMITS.least_data_kept))


def test_all_counts_are_listed_and_equal_ones_hold_nothing_back(small):
    seen = rows(small)
    assert [change.subject for change in seen] == ["members", "raters", "movies", "ratings", "plays"]
    assert {change.outcome for change in seen} == {Outcome.UNCHANGED}


@pytest.mark.parametrize(("share", "holds"), [(0.5, True), (0.79, True), (0.81, False), (1.0, False), (3.0, False)])
def test_fewer_than_the_share_hold_back_and_more_are_fine(small, share, holds):
    few = round(small.model.manifest.data["ratings"] * share)
    assert held_back(rows(small, ratings=few)) == ({"ratings"} if holds else set())


def test_raters_that_are_kept_out_are_counted(small):
    data = small.model.manifest.data
    half = {name: data[name] // 2 for name in ("raters", "ratings")}
    kept_out = {"members": half["raters"], "ratings": half["ratings"]}
    assert held_back(rows(small, **half)) == {"raters", "ratings"}
    assert held_back(rows(small, (kept_out, {}), **half)) == set()
    assert held_back(rows(small, ({}, kept_out))) == {"raters", "ratings"}


def test_ratings_of_kept_out_raters_are_estimated_if_a_report_counts_raters_only(small):
    data = small.model.manifest.data
    [change] = [change for change in rows(small, ({}, {"members": data["raters"]})) if change.subject == "ratings"]
    assert change.before == 2 * data["ratings"]


def known_lost(parts, small, before, candidate=None) -> set[str]:
    """What is held back of data that the small version's are compared with; `before` is from its report, or empty."""
    least = LIMITS.least_data_kept
    return held_back(known_changes(known_values(parts), before, candidate or small.model, small.model, least))


def test_the_same_values_are_known(small, parts):
    known = known_values(parts)
    for before in (known, {}):
        assert list(known_changes(known, before, small.model, small.model, 1.0)) == []


def test_what_is_estimated_of_a_small_version_without_counts_is_what_its_data_have(small, parts):
    known = known_values(parts)
    more = {table: {name: count + 1 for name, count in columns.items()} for table, columns in known.items()}
    names = {table: columns.keys() for table, columns in known.items()}
    seen = held_back(known_changes(known, more, small.model, small.model, 1.0))
    assert {f"plays, values of column {name}" for name in names["plays"]} <= seen
    assert "movies, values of column title" not in seen


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("members", "age"), ("members", "gender"), ("movies", "genres"), ("movies", "release_year"),
        ("movies", "country"),
    ],
)  # fmt: skip
def test_values_that_are_lost_hold_back(small, parts, table, column):
    def emptied(tables, share):
        known = pl.int_range(pl.len()) % 10 >= 10 * share
        return replace(
            tables, **{table: getattr(tables, table).with_columns(pl.when(known).then(column).alias(column))}
        )

    for share, holds in ((0.0, False), (0.1, False), (0.5, True), (1.0, True)):
        few = replace(parts, training=emptied(parts.training, share), kept_out=emptied(parts.kept_out, share))
        for before in ({}, known_values(parts)):
            assert known_lost(few, small, before) == ({f"{table}, values of column {column}"} if holds else set())


@pytest.mark.parametrize("column", ["completion", "played_at"])
def test_values_of_plays_that_are_lost_hold_back(small, parts, column):
    for share, holds in ((0.0, False), (0.1, False), (0.5, True), (1.0, True)):
        rows = parts.training.play_table.collect()
        kept = pl.int_range(pl.len()) % 10 >= 10 * share
        emptied = play_table(
            rows.with_columns(pl.when(kept).then(column).alias(column)), len(parts.training.member_ids)
        )
        few = replace(parts, training=replace(parts.training, play_table=emptied))
        for before in ({}, known_values(parts)):
            assert known_lost(few, small, before) == ({f"plays, values of column {column}"} if holds else set())


def test_half_of_the_members_table_holds_back_although_the_others_still_rate(small, parts):
    few = replace(parts, training=replace(parts.training, members=parts.training.members.gather_every(2)))
    seen = known_lost(few, small, {})
    assert seen == {f"members, values of column {column.name}" for column in small.model.schema.member_attributes}


def test_values_may_be_as_few_as_the_rows(small, parts):
    movies = small.model.catalogue
    few = movies.movie_ids[::2]
    half = type(movies)(
        few, *(getattr(movies, name)[::2] for name in ("rated", "release_year", "genres", "attributes"))
    )
    tables = replace(parts.training, movies=parts.training.movies.filter(pl.col("movie_id").is_in(few)))
    candidate = replace(small.model, catalogue=half)
    assert known_lost(replace(parts, training=tables), small, {}, candidate) == set()


def members_in_both(small, member_ids, key=PLAIN, model=None) -> list[Change]:
    seen = id_changes(small.model, model or small.model, member_ids, key, LIMITS.least_ids_kept)
    return [change for change in seen if change.subject == "members in both versions"]


@pytest.mark.parametrize(("share", "holds"), [(0.0, False), (0.3, False), (0.7, True), (1.0, True)])
def test_members_of_other_ids_hold_back(small, share, holds):
    ids = small.tables.member_ids
    renamed = pl.int_range(len(ids), eager=True) < share * len(ids)
    [change] = members_in_both(small, pl.select(pl.when(renamed).then(ids + ".0").otherwise(ids)).to_series())
    assert (change.outcome is Outcome.HELD_BACK) == holds
    assert change.now == pytest.approx((1 - share) * len(small.model.members), abs=1)


def test_members_are_compared_by_the_key_of_the_current_version_or_not_at_all(small):
    """Whatever the new version is published with: the ids are those of its data."""
    ids, key = small.tables.member_ids, MemberKey(b"a secret of enough bytes")
    keys = np.array([key.hash_of(member_id) for member_id in ids], np.uint64)
    keys = keys[np.lexsort((keys[:, 1], keys[:, 0]))]
    members = replace(small.model.members, keys=keys, checked={})
    manifest = replace(small.model.manifest, member_key=key.fingerprint)
    keyed = replace(small.model, members=members, manifest=manifest)
    for current in (small.model, keyed):
        [change] = members_in_both(small, ids, key, current)
        assert change.now == change.before == len(ids)
    assert members_in_both(small, ids, MemberKey(b"another secret of bytes"), keyed) == []


def test_versions_that_publish_nobody_are_compared_by_what_their_reports_count(small, parts):
    nobody = replace(small.model.members, keys=small.model.members.keys[:0], movies=np.empty(0, np.int32), checked={})
    current = replace(small.model, members=nobody)
    counts = {"members": len(parts.members), "ratings": 0, "plays": int(parts.kept_out.play_table.plays.sum())}
    now, before = (
        {change.subject: change.now for change in row_changes(model, model, (counts, counts), 1.0)}
        for model in (current, small.model)
    )
    assert now == before


@pytest.mark.parametrize(("share", "holds"), [(0.0, False), (0.3, False), (0.7, True), (1.0, True)])
def test_movies_of_other_ids_hold_back(small, share, holds):
    movie_ids = small.model.catalogue.movie_ids
    other = [
        f"{movie_id}.0" if place < share * len(movie_ids) else movie_id for place, movie_id in enumerate(movie_ids)
    ]
    catalogue = type(small.model.catalogue)(
        other, *(getattr(small.model.catalogue, name) for name in ("rated", "release_year", "genres", "attributes"))
    )
    candidate = replace(small.model, catalogue=catalogue)
    seen = id_changes(candidate, small.model, small.tables.member_ids, PLAIN, LIMITS.least_ids_kept)
    assert held_back(seen) == ({"movies in both versions"} if holds else set())
