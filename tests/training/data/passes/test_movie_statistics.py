"""Statistics summed over partitions, against all rows at once and against numbers worked out by hand."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tests.training.conftest import new_folder
from training.data.dataset import Dataset, read_dataset
from training.data.passes.member_partition import prepare_partitions
from training.data.passes.movie_statistics import MovieStatistics, StatisticsByFold, movie_statistics
from training.data.passes.play_table import play_table

FOLDS = 3


@pytest.fixture(scope="module")
def data(small) -> Dataset:
    data = read_dataset(small.data, 20)[1]
    return replace(data, play_table=play_table(data.play_table.collect(), len(data.member_ids), 300))


@pytest.fixture(scope="module")
def fold_of(data) -> np.ndarray:
    folds = np.full(len(data.member_ids), -1)
    folds[data.raters] = np.random.default_rng(0).integers(0, FOLDS, len(data.raters))
    return folds


@pytest.fixture(scope="module")
def statistics(passes, data, fold_of) -> StatisticsByFold:
    nobody = np.zeros(len(data.member_ids), bool)
    prepared = prepare_partitions(
        passes, new_folder(passes), data.play_table, data.attributes, len(data.movie_ids), None, 0, nobody
    )
    assert len(prepared) > 5
    return movie_statistics(passes, [part.partition for part in prepared], fold_of, FOLDS)


def expected(data: Dataset, kept: np.ndarray) -> pl.DataFrame:
    """The statistics of the members selected by a mask, from all rows at once."""
    rows = data.play_table.collect().filter(pl.Series(kept).gather(data.play_table.collect()["member"]))
    mean = rows["rating"].mean()
    by_movie = rows.group_by("movie").agg(
        ratings=pl.col("rating").count().cast(pl.Float64),
        quality=(pl.col("rating") - mean).sum() / (pl.col("rating").count() + 5),
        spread=pl.col("rating").std(),
        plays=pl.len().cast(pl.Float64),
    )
    movies = pl.DataFrame({"movie": pl.int_range(len(data.movie_ids), dtype=pl.Int32, eager=True)})
    zeros = pl.col("ratings", "quality", "plays").fill_null(0.0)
    return movies.join(by_movie, on="movie", how="left", maintain_order="left").with_columns(zeros)


def test_statistics_of_all_and_without_each_fold_are_those_of_the_rows(data, fold_of, statistics):
    for fold in (None, *range(FOLDS)):
        kept = np.ones(len(fold_of), bool) if fold is None else fold_of != fold
        ours = statistics.whole if fold is None else statistics.without(fold)
        rows = expected(data, kept)
        assert ours.table().columns == ["movie", "ratings", "quality", "spread", "plays"]
        for name in ours.table().columns:
            values, direct = ours.table()[name].to_list(), rows[name].to_list()
            assert [value is None for value in values] == [value is None for value in direct], name
            assert np.array(values, float) == pytest.approx(np.array(direct, float), abs=1e-9, nan_ok=True), name
        assert fold is None or ours.plays.sum() < statistics.whole.plays.sum()


def test_mean_and_squares_are_those_of_the_ratings(data, statistics):
    ratings = data.ratings["rating"].to_numpy()
    assert statistics.whole.mean == pytest.approx(ratings.mean())
    assert statistics.whole.centred_squares == pytest.approx(np.sum((ratings - ratings.mean()) ** 2))


def test_a_movie_has_its_ratings_shrunk_mean_spread_and_plays():
    """Ratings of 5 and 3 of the first movie, of 1 of the third; their mean is 3."""
    sums = MovieStatistics(*map(np.array, ([2.0, 0, 1, 0], [8.0, 0, 1, 0], [34.0, 0, 1, 0], [3.0, 1, 1, 0])))
    table = sums.table()
    assert sums.mean == 3
    assert table["movie"].to_list() == [0, 1, 2, 3]
    assert table["ratings"].to_list() == [2, 0, 1, 0]
    assert table["quality"].to_list() == pytest.approx([2 / 7, 0, -2 / 6, 0])
    assert table["spread"].to_list() == [pytest.approx(np.sqrt(2)), None, None, None]
    assert table["plays"].to_list() == [3, 1, 1, 0]
    assert sums.shrunk(1.0).tolist() == pytest.approx([2 / 3, 0, -1, 0])


def test_ratings_that_are_all_alike_have_no_spread():
    """Rounding never makes the variance negative."""
    sums = MovieStatistics(np.array([10.0]), np.array([36.0]), np.array([10 * 3.6**2]), np.array([10.0]))
    assert sums.table()["spread"].to_list() == pytest.approx([0], abs=1e-6)
    assert sums.table()["quality"].to_list() == pytest.approx([0])
