"""Partitions in files hold all plays, ratings and views of their members, and a damaged file is named."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from model.facts.evidence import MemberEvidence
from tests.training.conftest import new_folder
from training.data.dataset import Dataset, read_dataset
from training.data.never_rater_views import SHORT, VIEWS, Views
from training.data.passes.array_files import forget_arrays
from training.data.passes.member_partition import (
    PreparedPartition,
    movie_of_each,
    prepare_partitions,
    views_of,
    views_with,
)
from training.data.passes.passes import Passes
from training.data.passes.play_table import play_table, write_play_table
from training.data.passes.visible_facts import facts_of_views
from training.errors import DamagedPartition


@pytest.fixture(scope="module")
def data(small) -> Dataset:
    data = read_dataset(small.data, 20)[1]
    return replace(data, play_table=play_table(data.play_table.collect(), len(data.member_ids), 200))


def prepare(passes: Passes, data: Dataset, seed: int = 0, predicted: np.ndarray | None = None):
    everybody = np.ones(len(data.member_ids), bool)
    return prepare_partitions(
        passes, new_folder(passes), data.play_table, data.attributes, len(data.movie_ids), data.schema.end_of_data,
        seed, everybody if predicted is None else predicted,
    )  # fmt: skip


@pytest.fixture(scope="module")
def prepared(passes, data) -> list[PreparedPartition]:
    return prepare(passes, data)


@pytest.fixture(scope="module")
def views(prepared) -> Views:
    return Views.joined([part.views for part in prepared])


def test_every_member_and_every_rater_is_in_one_partition(data, prepared):
    assert len(prepared) > 10
    partitions = [part.partition for part in prepared]
    members = [member for part in partitions for member in range(part.members.start, part.members.stop)]
    assert members == list(range(len(data.member_ids)))
    assert np.concatenate([part.raters for part in partitions]).tolist() == data.raters.tolist()
    assert all(len(part) == VIEWS * len(part.raters) for part in partitions)


def test_partitions_hold_all_plays_and_all_ratings(data, prepared):
    plays, ratings = [], []
    for part in (each.partition for each in prepared):
        stars = part.ratings()
        assert stars.shape == (len(part.raters), len(data.movie_ids))
        movie = movie_of_each(stars)
        ratings += zip(part.raters[stars.indices].tolist(), movie.tolist(), stars.data.tolist(), strict=True)
        played = part.plays()
        plays += zip((played.indices + part.members.start).tolist(), movie_of_each(played).tolist(), strict=True)
        assert (played.data == 1).all()
    assert sorted(ratings) == data.ratings.rows()
    assert sorted(plays) == data.plays.select("member", "movie").rows()


def test_views_in_files_are_those_that_are_returned(data, prepared, views):
    facts = facts_of_views(views, len(data.movie_ids), slice(0, len(views.member)))
    start = 0
    for part in (each.partition for each in prepared):
        seen, own = part.seen(), slice(start, start + len(part))
        assert (views.member[own] == part.raters.repeat(VIEWS)).all()
        assert (seen.facts.plays.toarray() == facts.plays[own].toarray()).all()
        assert np.array_equal(seen.facts.attributes, facts.attributes[own], equal_nan=True)
        assert seen.facts.own == pytest.approx(facts.own[own])
        targets = views.targets.filter(pl.col("view").is_between(own.start, own.stop, closed="left"))
        hidden = zip(seen.hidden_view + start, seen.hidden_movie, seen.hidden_rating, strict=True)
        assert [tuple(row) for row in hidden] == targets.rows()
        start = own.stop
    assert start == len(views.member)


def test_only_the_views_of_chosen_raters_are_returned_and_files_have_all(passes, data, prepared, views):
    chosen = np.random.default_rng(2).random(len(data.member_ids)) < 0.3
    some = prepare(passes, data, predicted=chosen)
    few = Views.joined([part.views for part in some])
    assert few.member.tolist() == [rater for rater in views.member.tolist() if chosen[rater]]
    expected = views.only(chosen[views.member])
    assert few.plays.equals(expected.plays)
    assert few.targets.equals(expected.targets)
    for ours, whole in zip(some, prepared, strict=True):
        assert (ours.partition.seen().facts.plays != whole.partition.seen().facts.plays).nnz == 0


def test_all_steps_of_the_scale_are_known(data, prepared):
    steps = np.unique(np.concatenate([part.steps for part in prepared]))
    assert steps.tolist() == data.ratings["rating"].unique().sort().to_list()


def test_the_seed_draws_the_views_of_each_partition(passes, data, views):
    for seed, same in ((0, True), (1, False)):
        again = Views.joined([part.views for part in prepare(passes, data, seed)])
        assert again.plays.equals(views.plays) is same
    halves = views.only(views.half == 0)
    assert len(np.unique(halves.play_count)) > 5, "partitions don't draw alike"


def test_a_partition_without_raters_has_plays_and_no_views(passes, data):
    rows = data.play_table.collect()
    lurker = rows.with_columns(rating=pl.when(pl.col("member") > 0).then("rating"))
    single = replace(data, play_table=play_table(lurker, len(data.member_ids), 1))
    part = prepare(passes, single)[0].partition
    assert (len(part), part.ratings().shape[0], part.seen().facts.plays.shape[0]) == (0, 0, 0)
    assert part.plays().nnz == (rows["member"] == 0).sum()


@pytest.mark.parametrize("evidence", list(MemberEvidence))
def test_views_are_chosen_by_what_they_show_and_by_rater(prepared, evidence):
    random = np.random.default_rng(0)
    for part in (each.partition for each in prepared):
        seen, kept = part.seen(), random.random(len(part.raters)) < 0.7
        for short in (True, False):
            expected = [
                view
                for view in range(len(part))
                if kept[view // VIEWS]
                and (short or view % VIEWS != SHORT)
                and (seen.facts.play_count[view] > 0 or not evidence.has_plays)
                and (np.isfinite(seen.facts.attributes[view]).any() or not evidence.has_attributes)
            ]
            assert views_with(part.kinds, kept, evidence, short).tolist() == expected
        assert views_of(kept).tolist() == [view for view in range(len(part)) if kept[view // VIEWS]]


@pytest.mark.parametrize("kind", ["ratings", "plays", "views"])
def test_a_damaged_file_is_named(passes, data, kind):
    part = prepare(passes, data)[3].partition
    path = part.folder / f"000003-{kind}.arrays"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DamagedPartition, match=rf"^000003-{kind}\.arrays holds a part of the data"):
        passes.collect(lambda each: (each.ratings(), each.plays(), each.seen()), [part])
    forget_arrays(part.folder)


def test_a_damaged_table_of_plays_is_named_by_the_pass(passes, data, tmp_path):
    table = write_play_table(data.play_table.read(), len(data.member_ids), tmp_path / "plays", 200)
    (tmp_path / "plays" / "000004.parquet").unlink()
    with pytest.raises(DamagedPartition, match=r"^000004\.parquet"):
        prepare(passes, replace(data, play_table=table))
