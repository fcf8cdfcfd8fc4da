"""How far never-raters differ from raters."""

from dataclasses import replace

import numpy as np
import pytest

from training.dataset import Dataset
from training.difference import difference
from training.fitting import Fit


@pytest.fixture
def data(small_fit: Fit) -> Dataset:
    """The small sample with half of its members' ratings taken away, whoever they are."""
    data = small_fit.table.data
    hidden = np.random.default_rng(3).random(len(data.member_ids)) < 0.5
    kept = data.ratings.filter(~data.ratings["member"].is_in(np.flatnonzero(hidden).tolist()))
    return replace(data, ratings=kept)


def test_alike_members_are_not_told_apart(small_fit: Fit, data: Dataset):
    found = difference(data, small_fit.core.prior.columns, 0)
    assert 0.35 < found["auc"] < 0.7


def test_a_planted_difference_is_found_and_named(small_fit: Fit, data: Dataset):
    ages = next(place for place, one in enumerate(data.schema.member_attributes) if one.name == "age")
    attributes = data.attributes.copy()
    rates = np.zeros(len(attributes), bool)
    rates[data.raters] = True
    attributes[:, ages] = np.where(rates, 30, 60)
    attributes[:, ages] += np.random.default_rng(4).normal(size=len(attributes))
    found = difference(replace(data, attributes=attributes), small_fit.core.prior.columns, 0)
    assert found["auc"] > 0.95
    assert next(iter(found["differences"])).startswith("age:")


def test_too_few_never_raters_tell_nothing(small_fit: Fit, data: Dataset):
    few = replace(data, ratings=data.plays.select("member", "movie").with_columns(rating=3.0))
    assert difference(few, small_fit.core.prior.columns, 0) == {}
