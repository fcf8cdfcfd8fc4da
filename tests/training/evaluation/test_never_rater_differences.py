"""How far never-raters differ from raters."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tests.training.changed_data import dataset_with
from training.data.dataset import Dataset
from training.evaluation.never_rater_differences import never_rater_differences
from training.fit.fit_model import Fit


@pytest.fixture
def data(small_fit: Fit) -> Dataset:
    """The small sample with half of its members' ratings taken away, whoever they are."""
    data = small_fit.table.data
    hidden = np.flatnonzero(np.random.default_rng(3).random(len(data.member_ids)) < 0.5).tolist()
    rating = pl.when(~pl.col("member").is_in(hidden)).then("rating")
    return dataset_with(data, data.play_table.collect().with_columns(rating.alias("rating")))


def test_alike_members_are_not_separable(small_fit: Fit, data: Dataset):
    comparison = never_rater_differences(data, small_fit.core.prior.columns, 0)
    assert 0.35 < comparison["auc"] < 0.7


def test_a_planted_difference_is_among_the_largest(small_fit: Fit, data: Dataset):
    ages = next(place for place, one in enumerate(data.schema.member_attributes) if one.name == "age")
    attributes = data.attributes.copy()
    rates = np.zeros(len(attributes), bool)
    rates[data.raters] = True
    attributes[:, ages] = np.where(rates, 30, 60)
    attributes[:, ages] += np.random.default_rng(4).normal(size=len(attributes))
    comparison = never_rater_differences(replace(data, attributes=attributes), small_fit.core.prior.columns, 0)
    assert comparison["auc"] > 0.95
    assert next(iter(comparison["differences"])).startswith("age:")
    assert abs(next(iter(comparison["differences"].values()))) > 2
    assert next(iter(comparison["drivers"])).startswith("age:")
    assert sum(comparison["drivers"].values()) <= 1 + 1e-9
    assert comparison["auc_by_known"]["attributes and plays"] > 0.95


def test_a_difference_in_what_is_played_is_named_too(small_fit: Fit, data: Dataset):
    """Never-raters play nothing but the first twenty movies."""
    never = np.setdiff1d(np.arange(len(data.member_ids)), data.raters).tolist()
    few = data.play_table.collect().filter(~pl.col("member").is_in(never) | (pl.col("movie") < 20))
    comparison = never_rater_differences(dataset_with(data, few), small_fit.core.prior.columns, 0)
    assert comparison["auc"] > 0.8
    assert all(name.startswith("plays:") for name in list(comparison["differences"])[:3])
    assert next(iter(comparison["drivers"])).startswith("plays:")


def test_having_no_plays_separates_members_but_not_those_of_the_same_facts(small_fit: Fit, data: Dataset):
    never = np.setdiff1d(np.arange(len(data.member_ids)), data.raters).tolist()
    few = data.play_table.collect().filter(~pl.col("member").is_in(never))
    comparison = never_rater_differences(dataset_with(data, few), small_fit.core.prior.columns, 0)
    assert comparison["auc"] > 0.95
    assert set(comparison["auc_by_known"]) == {"attributes"}
    assert 0.3 < comparison["auc_by_known"]["attributes"] < 0.7


def test_too_few_never_raters_give_no_scores(small_fit: Fit, data: Dataset):
    all_rate = dataset_with(data, data.play_table.collect().with_columns(rating=pl.lit(3.0)))
    assert never_rater_differences(all_rate, small_fit.core.prior.columns, 0) == {}
