"""Group effects, summed over partitions, are those of a plain computation, and 0 where there is nothing to learn."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from features.attributes import group_count, groups
from features.schema import Attribute, Scale, Schema
from tests.training.conftest import new_folder
from tests.training.fit.conftest import partitions_of
from training.data.dataset import Dataset, read_dataset
from training.data.passes.movie_statistics import movie_statistics
from training.data.passes.passes import Passes
from training.data.passes.play_table import play_table
from training.fit.folds import fold_data
from training.fit.prior.fit_prior import Learned
from training.fit.trees.group_effects import (
    MOST_ATTRIBUTES,
    PRIOR_RATINGS,
    SURE,
    group_residuals,
    grouped_attributes,
    strongest_attributes,
)

FOLDS, EVERYONE = 3, 3


@pytest.fixture(scope="module")
def data(small) -> Dataset:
    return read_dataset(small.data, 20)[1]


def learned_of(passes: Passes, data: Dataset, fold: int = EVERYONE) -> Learned:
    """All raters, or all but those of a fold, in many partitions."""
    divided = replace(data, play_table=play_table(data.play_table.collect(), len(data.member_ids), 300))
    return fold_data(passes, divided, FOLDS, 0, 10**9, new_folder(passes)).learned(fold, np.ones(len(data.member_ids)))


def with_group_effect(data: Dataset, place: int, stars: float) -> Dataset:
    """The data, but members of the first group of an attribute rate even movies higher and odd ones lower."""
    rows = data.play_table.collect()
    group = groups(data.attributes[:, place], data.schema.member_attributes[place])[rows["member"].to_numpy()]
    shift = np.where(group == 0, stars, 0) * np.where(rows["movie"].to_numpy() % 2, -1, 1)
    shifted = rows.with_columns(rating=pl.col("rating") + pl.Series(shift))
    return replace(data, play_table=play_table(shifted, len(data.member_ids)))


def plain_residuals(data: Dataset, kept: np.ndarray, attribute: Attribute, values: np.ndarray) -> np.ndarray:
    """The effects of one attribute, from all ratings of the members selected by a mask."""
    ratings = data.ratings.filter(pl.Series(kept).gather(data.ratings["member"]))
    ratings = ratings.with_columns(residual=pl.col("rating") - pl.col("rating").mean())
    for owner in ("movie", "member"):
        mean = pl.col("residual").sum().over(owner) / (pl.len().over(owner) + PRIOR_RATINGS)
        ratings = ratings.with_columns(residual=pl.col("residual") - mean)
    group = groups(values[ratings["member"].to_numpy()], attribute)
    known, residual = group >= 0, ratings["residual"].to_numpy()
    total = np.zeros((len(data.movie_ids), group_count(attribute)))
    count, variance = np.zeros_like(total), np.mean(residual[known] ** 2)
    np.add.at(total, (ratings["movie"].to_numpy()[known], group[known]), residual[known])
    np.add.at(count, (ratings["movie"].to_numpy()[known], group[known]), 1)
    cells = (count > 0).sum()
    excess = np.sum(total[count > 0] ** 2 / count[count > 0]) - (cells + SURE * np.sqrt(2 * cells)) * variance
    return total / (count + variance * count.sum() / excess) if excess > 0 else np.zeros_like(total)


@pytest.mark.parametrize("fold", [0, 2, EVERYONE])
def test_they_are_those_of_a_plain_computation_on_all_rows(passes, data, fold):
    planted = with_group_effect(data, 1, 0.8)
    learned, attributes = learned_of(passes, planted, fold), planted.schema.member_attributes
    assert len(learned.partitions) > 5
    effects = group_residuals(passes, learned, planted.schema, tuple(range(len(attributes))))
    kept = learned.kept & (planted.play_table.ratings > 0)
    expected = [
        plain_residuals(planted, kept, attribute, planted.attributes[:, place])
        for place, attribute in enumerate(attributes)
    ]
    assert np.abs(expected[1]).max() > 0.2
    assert effects == pytest.approx(np.concatenate(expected, axis=1), abs=1e-5)
    only = group_residuals(passes, learned, planted.schema, (1,))
    assert only == pytest.approx(expected[1], abs=1e-5)


def test_ratings_of_those_who_are_left_out_change_no_bit(passes, data):
    planted = with_group_effect(data, 1, 0.8)
    learned, places = learned_of(passes, planted, 1), tuple(range(len(data.schema.member_attributes)))
    rows = planted.play_table.collect()
    in_fold = pl.Series(~learned.kept).gather(rows["member"])
    flipped = rows.with_columns(rating=pl.when(in_fold).then(6 - pl.col("rating")).otherwise("rating"))
    changed = replace(planted, play_table=play_table(flipped, len(data.member_ids)))
    for fold, same in ((1, True), (0, False)):
        ours, theirs = (
            group_residuals(passes, learned_of(passes, of, fold), data.schema, places).tobytes()
            for of in (planted, changed)
        )
        assert (ours == theirs) is same


def test_an_attribute_of_one_rater_has_no_effect_without_the_ratings_of_that_rater(passes, write_data, tables):
    badge = pl.when(pl.col("member_id") == "r00").then(pl.lit("gold"))
    folder = write_data("parquet", members=tables["members"].with_columns(badge=badge))
    _, data, _ = read_dataset(folder, 1)
    place = [attribute.name for attribute in data.schema.member_attributes].index("badge")
    learned = learned_of(passes, data)
    hidden = replace(learned, kept=np.array([member_id != "r00" for member_id in data.member_ids]))
    assert not group_residuals(passes, hidden, data.schema, (place,)).any()
    assert np.isfinite(group_residuals(passes, learned, data.schema, (place,))).all()


def test_ratings_that_groups_share_have_no_group_effect(passes, data):
    random = np.random.default_rng(0)
    rows = data.play_table.collect()
    alike = rows.with_columns(
        rating=pl.when(pl.col("rating").is_not_null()).then(pl.Series(random.normal(size=len(rows))))
    )
    learned = learned_of(passes, replace(data, play_table=play_table(alike, len(data.member_ids))))
    assert not group_residuals(passes, learned, data.schema, (1,)).any()


def test_without_attributes_there_are_no_effects(passes):
    partitions = partitions_of(passes, np.ones((6, 4), bool), np.arange(24.0).reshape(6, 4))
    statistics = movie_statistics(passes, partitions, np.zeros(6, np.int64), 1).whole
    learned = Learned(partitions, np.ones(6, bool), np.ones(6), statistics)
    assert group_residuals(passes, learned, Schema(Scale(1, 5, 4), (), (), (), None), ()).shape == (4, 0)


def test_of_many_attributes_the_strongest_are_grouped(passes, data):
    planted = with_group_effect(data, 1, 1.5)
    attributes = planted.schema.member_attributes
    assert grouped_attributes(passes, learned_of(passes, planted), planted.schema) == tuple(range(len(attributes)))
    random = np.random.default_rng(0)
    shuffled = [random.permutation(planted.attributes) for _ in range(MOST_ATTRIBUTES)]
    many = replace(
        planted,
        schema=replace(planted.schema, member_attributes=attributes * (MOST_ATTRIBUTES + 1)),
        attributes=np.concatenate([*shuffled, planted.attributes], axis=1),
    )
    place = MOST_ATTRIBUTES * len(attributes) + 1
    learned = learned_of(passes, many)
    positions = grouped_attributes(passes, learned, many.schema)
    assert len(positions) == MOST_ATTRIBUTES
    assert list(positions) == sorted(set(positions))
    assert place in positions
    assert strongest_attributes(passes, learned, many.schema, 1) == (place,)
