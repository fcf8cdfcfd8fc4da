"""What the gate says of counts that differ from those of the current version."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from training.gate.count_changes import id_changes, known_changes, row_changes
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


def test_the_same_values_are_known(small, parts):
    assert list(known_changes(parts, small.model, small.model, 1.0)) == []


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
        seen = held_back(known_changes(few, small.model, small.model, LIMITS.least_data_kept))
        assert seen == ({f"{table}, values of column {column}"} if holds else set())


@pytest.mark.parametrize(("array", "column"), [("completion", "completion"), ("age_days", "played_at")])
def test_values_of_plays_that_are_lost_hold_back(small, parts, array, column):
    members = small.model.members
    for share, holds in ((0.0, False), (0.1, False), (0.5, True), (1.0, True)):
        values = np.array(getattr(members, array))
        values[np.arange(len(values)) % 10 < 10 * share] = np.nan
        candidate = replace(small.model, members=replace(members, **{array: values}, checked={}))
        seen = held_back(known_changes(parts, candidate, small.model, LIMITS.least_data_kept))
        assert seen == ({f"plays, values of column {column}"} if holds else set())


def test_half_of_the_members_table_holds_back_although_the_others_still_rate(small, parts):
    few = replace(parts, training=replace(parts.training, members=parts.training.members.gather_every(2)))
    seen = held_back(known_changes(few, small.model, small.model, LIMITS.least_data_kept))
    assert seen == {f"members, values of column {column.name}" for column in small.model.schema.member_attributes}


def test_values_may_be_as_few_as_the_rows(small, parts):
    movies = small.model.catalogue
    few = movies.movie_ids[::2]
    half = type(movies)(
        few, *(getattr(movies, name)[::2] for name in ("rated", "release_year", "genres", "attributes"))
    )
    tables = replace(parts.training, movies=parts.training.movies.filter(pl.col("movie_id").is_in(few)))
    candidate = replace(small.model, catalogue=half)
    assert held_back(known_changes(replace(parts, training=tables), candidate, small.model, 0.8)) == set()


def renamed_members(model, share: float):
    """The model, with other keys for a share of the members."""
    keys = np.random.default_rng(0).integers(0, 2**63, model.members.keys.shape).astype(np.uint64)
    new = np.arange(len(keys)) < share * len(keys)
    mixed = np.where(new[:, None], keys, np.array(model.members.keys))
    mixed = mixed[np.lexsort((mixed[:, 1], mixed[:, 0]))]
    return replace(model, members=replace(model.members, keys=mixed, checked={}))


@pytest.mark.parametrize(("share", "holds"), [(0.0, False), (0.3, False), (0.7, True), (1.0, True)])
def test_members_of_other_ids_hold_back(small, share, holds):
    seen = list(id_changes(renamed_members(small.model, share), small.model, LIMITS.least_ids_kept))
    assert held_back(seen) == ({"members in both versions"} if holds else set())
    assert seen[0].now == pytest.approx((1 - share) * len(small.model.members), abs=1)


@pytest.mark.parametrize(("share", "holds"), [(0.0, False), (0.3, False), (0.7, True), (1.0, True)])
def test_movies_of_other_ids_hold_back(small, share, holds):
    movie_ids = small.model.catalogue.movie_ids
    other = [
        f"{movie_id}.0" if place < share * len(movie_ids) else movie_id for place, movie_id in enumerate(movie_ids)
    ]
    catalogue = type(small.model.catalogue)(
        other, *(getattr(small.model.catalogue, name) for name in ("rated", "release_year", "genres", "attributes"))
    )
    seen = id_changes(replace(small.model, catalogue=catalogue), small.model, LIMITS.least_ids_kept)
    assert held_back(seen) == ({"movies in both versions"} if holds else set())
