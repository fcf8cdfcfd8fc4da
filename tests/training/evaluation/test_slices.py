"""Errors by slice."""

import numpy as np

from features.schema import Attribute
from training.evaluation.slices import Told, by_group, by_popularity


def told(rating: np.ndarray, movie_mean: np.ndarray, truth: np.ndarray) -> Told:
    return Told(truth, rating, movie_mean, truth - 1, truth + 1, np.empty(60))


def test_slices_by_popularity_tell_the_errors_of_their_own_rows():
    ratings = np.repeat([5, 50, 500], 100)
    truth = np.zeros(300)
    predicted = np.repeat([1.0, 2.0, 3.0], 100)
    found = by_popularity(ratings, told(predicted, predicted * 2, truth))
    assert [(one["ratings_from"], one["rmse"], one["movie_mean_rmse"]) for one in found] == [
        (1.0, 1.0, 2.0),
        (20.0, 2.0, 4.0),
        (300.0, 3.0, 6.0),
    ]


def test_a_group_of_few_members_is_not_told():
    attribute = Attribute("colour", "categorical", ("blue", "red"))
    member = np.arange(119)
    values = np.where(member < 100, 0, 1).astype(np.float32)
    found = by_group(attribute, values, member, told(np.ones(119), np.ones(119), np.zeros(119)))
    assert list(found) == ["blue"]


def test_members_whose_attribute_is_not_known_are_in_no_group():
    attribute = Attribute("age", "numeric", knots=(30.0,))
    member = np.arange(90)
    values = np.repeat([20, 40, np.nan], 30).astype(np.float32)
    found = by_group(attribute, values, member, told(np.ones(90), np.ones(90), np.zeros(90)))
    assert {name: one["targets"] for name, one in found.items()} == {"below 30": 30, "from 30": 30}


def test_slices_tell_coverage_and_width_of_their_own_rows():
    ratings, truth, steps = np.repeat([5, 50], 100), np.full(200, 3.0), np.arange(1.0, 6.0)
    lower, upper = np.repeat([1.0, 2.0], 100), np.repeat([2.0, 5.0], 100)
    found = by_popularity(ratings, Told(truth, truth, truth, lower, upper, steps))
    assert [(one["coverage"], one["mean_width"]) for one in found] == [(0.0, 1.0), (1.0, 3.0)]
