"""Movie means, worked out by hand."""

import polars as pl
import pytest

from training.data.passes.play_table import play_table
from training.evaluation.movie_means import movie_means, rated_movies


def test_the_mean_of_a_movie_is_drawn_to_the_mean_of_all_as_if_by_five_ratings():
    ratings = pl.DataFrame({"movie_id": ["a", "a", "b", "b", "b"], "rating": [5.0, 5.0, 2.0, 1.0, 2.0]})
    means, mean = movie_means(ratings.lazy(), ["b", "a", "new", "a"])
    assert mean == 3
    assert means.tolist() == pytest.approx([3 - 4 / 8, 3 + 4 / 7, 3, 3 + 4 / 7])


def test_the_order_of_ratings_changes_no_bit():
    ratings = pl.DataFrame({"movie_id": ["a"] * 50, "rating": [1.0 + number % 7 for number in range(50)]})
    shuffled = ratings.sample(fraction=1, shuffle=True, seed=1)
    assert movie_means(ratings.lazy(), ["a"])[0].tolist() == movie_means(shuffled.lazy(), ["a"])[0].tolist()


def test_the_means_of_partitions_are_those_of_all_rows(small):
    tables = small.tables
    by_id, mean = movie_means(tables.ratings.lazy(), tables.movies["movie_id"])
    for most_plays in (200, 10_000):
        divided = play_table(tables.play_table.collect(), len(tables.member_ids), most_plays)
        rated = rated_movies(divided, len(tables.movies))
        assert (rated.mean, rated.means.tolist()) == (mean, by_id.tolist())
        assert rated.steps.tolist() == tables.ratings["rating"].unique().sort().to_list()
