"""What tables say of movies, against numbers worked out by hand."""

import numpy as np
import polars as pl
import pytest

from features.movies import describe, play_weighted_columns
from features.schema import Attribute


def columns_of(plays: list[int], quality: list[float], year: list[float], genres: list[list[float]]):
    table = pl.DataFrame({"plays": plays, "quality": quality}, schema={"plays": pl.Float64, "quality": pl.Float64})
    names = [f"g{place}" for place in range(len(genres[0]))]
    names, columns, mean_year = play_weighted_columns(
        table, np.array(year, np.float32), np.array(genres, np.float32), names
    )
    return dict(zip(names, columns.T, strict=True)), mean_year


def test_columns_of_movies_are_centred_over_plays_except_the_year():
    nan = np.nan
    columns, mean_year = columns_of([3, 1, 0], [0.5, -0.5, 0], [1990, nan, 2010], [[1, 1], [nan, nan], [0, 1]])
    assert mean_year == 2000
    assert columns["year"] == pytest.approx([-1, 0, 1])
    for name, values in columns.items():
        if name != "year":
            assert values[:2] @ [3, 1] == pytest.approx(0, abs=1e-5), name
    assert columns["genre:g0"][1] == 0


@pytest.mark.parametrize(
    ("plays", "quality", "year", "genres"),
    [
        ([0, 0], [0, 0], [np.nan, np.nan], [[np.nan], [np.nan]]),
        ([4, 4], [0.1, 0.1], [2000, 2000], [[1], [1]]),
        ([1], [0.3], [np.nan], [[]]),
    ],
)
def test_columns_are_finite_whatever_is_missing_or_alike(plays, quality, year, genres):
    columns, mean_year = columns_of(plays, quality, year, genres)
    assert np.isfinite(mean_year)
    assert all(np.isfinite(values).all() for values in columns.values())


def test_a_description_is_year_genres_and_attributes_side_by_side():
    year = Attribute("release_year", "numeric", knots=(1990.0, 2000.0))
    country = Attribute("country", "categorical", categories=("F", "J"))
    given = np.array([[1, 0]], np.float32)
    described = describe(np.array([1995], np.float32), given, np.array([[1]], np.float32), year, (country,))
    assert described.tolist() == [[0.5, 1, 0, 0, 1]]
