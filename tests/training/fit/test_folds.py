"""Folds share out the raters evenly; a sample of them is predicted; and what a fit depends on has a key."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tests.training.changed_data import dataset_with
from tests.training.conftest import new_folder
from training.data.dataset import Dataset, read_dataset
from training.fit.folds import fit_key, fold_data
from training.settings import FitSettings

ALL = 10**9


@pytest.fixture(scope="module")
def data(small) -> Dataset:
    data = read_dataset(small.data, 20)[1]
    return dataset_with(data, data.play_table.collect())


def test_each_rater_is_in_one_fold_and_nobody_else_in_any(passes, data):
    folded = fold_data(passes, data, 4, 0, ALL, new_folder(passes))
    rates = data.play_table.ratings > 0
    assert (folded.fold_of[~rates] == -1).all()
    sizes = np.bincount(folded.fold_of[rates], minlength=4)
    assert sizes.sum() == rates.sum()
    assert sizes.max() - sizes.min() <= 1
    assert folded.view_folds.tolist() == folded.fold_of[folded.views.member].tolist()


def test_more_folds_than_raters_are_as_many_as_raters(passes, data):
    rows = data.play_table.collect()
    few = dataset_with(
        data, rows.with_columns(rating=pl.when(pl.col("member").is_in(data.raters[:3].tolist())).then("rating"))
    )
    assert fold_data(passes, few, 5, 0, ALL, new_folder(passes)).folds == 3


def test_without_a_fold_its_members_are_left_out_of_everything(passes, data):
    folded = fold_data(passes, data, 3, 0, ALL, new_folder(passes))
    weight = np.ones(len(data.member_ids))
    for fold in range(3):
        learned = folded.learned(fold, weight)
        assert (learned.kept == (folded.fold_of != fold)).all()
        assert learned.statistics.ratings.sum() == data.play_table.ratings[learned.kept].sum()
        assert learned.statistics.plays.sum() == data.play_table.plays[learned.kept].sum()
    assert folded.learned(3, weight).kept.all()
    assert folded.learned(3, weight).statistics.plays.sum() == data.play_table.plays.sum()


def test_of_many_raters_a_sample_is_predicted_and_all_are_learned_from(passes, data):
    ratings, everybody = data.play_table.ratings, set(data.raters.tolist())
    whole = fold_data(passes, data, 3, 0, ALL, new_folder(passes))
    few = fold_data(passes, data, 3, 0, int(ratings.sum()) // 3, new_folder(passes))
    assert set(whole.views.member) == everybody
    sample = set(few.views.member.tolist())
    assert 0.25 * ratings.sum() < ratings[sorted(sample)].sum() <= ratings.sum() // 3
    assert len(few.views.member) == 3 * len(sample)
    assert few.fold_of.tolist() == whole.fold_of.tolist()
    assert few.statistics.whole.plays.tolist() == whole.statistics.whole.plays.tolist()
    assert few.steps.tolist() == whole.steps.tolist() == data.ratings["rating"].unique().sort().to_list()
    other = fold_data(passes, data, 3, 1, int(ratings.sum()) // 3, new_folder(passes))
    assert set(other.views.member.tolist()) != sample


def test_all_that_a_fit_depends_on_is_in_its_key(data):
    settings = FitSettings()
    key = fit_key(data, 0, settings)
    assert fit_key(replace(data), 0, FitSettings()) == key
    rows = data.play_table.collect()
    rating = pl.when(pl.int_range(pl.len()) == len(rows) // 2).then(1.5).otherwise("rating")
    attributes, year = data.attributes.copy(), data.release_year.copy()
    attributes[3, 0] += 1
    year[3] += 1
    others = [
        fit_key(dataset_with(data, rows.with_columns(rating=rating)), 0, settings),
        fit_key(replace(data, attributes=attributes), 0, settings),
        fit_key(replace(data, release_year=year), 0, settings),
        fit_key(replace(data, schema=replace(data.schema, end_of_data=1.0)), 0, settings),
        fit_key(data, 1, settings),
        fit_key(data, 0, settings.model_copy(update={"reweight": True})),
        fit_key(data, 0, FitSettings(folds=4)),
    ]
    assert len({key, *others}) == len(others) + 1
