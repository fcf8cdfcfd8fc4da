"""Simpler predictions, worked out by hand."""

import polars as pl
import pytest

from training.evaluation.baselines import movie_means


def test_the_mean_of_a_movie_is_drawn_to_the_mean_of_all_as_if_by_five_ratings():
    ratings = pl.DataFrame({"movie_id": ["a", "a", "b", "b", "b"], "rating": [5.0, 5.0, 2.0, 1.0, 2.0]})
    means, mean = movie_means(ratings, ["b", "a", "new", "a"])
    assert mean == 3
    assert means.tolist() == pytest.approx([3 - 4 / 8, 3 + 4 / 7, 3, 3 + 4 / 7])


def test_the_order_of_ratings_changes_no_bit():
    ratings = pl.DataFrame({"movie_id": ["a"] * 50, "rating": [1.0 + number % 7 for number in range(50)]})
    shuffled = ratings.sample(fraction=1, shuffle=True, seed=1)
    assert movie_means(ratings, ["a"])[0].tolist() == movie_means(shuffled, ["a"])[0].tolist()
