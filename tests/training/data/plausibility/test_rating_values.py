"""Mistakes and codes among the ratings are refused until schema.toml states what they are; every real scale passes."""

import polars as pl
import pytest

from training.__main__ import main
from training.data.plausibility.levels import Levels
from training.data.plausibility.rating_values import check_ratings
from training.data.reading.tables import read_tables
from training.errors import DataError

STARS = {1: 300, 2: 600, 3: 1500, 4: 2000, 5: 1900}
HALVES = {half / 2: 200 + 50 * half for half in range(2, 11)}
MOVIELENS = {0.5: 100} | HALVES
TO_TEN = {rating: 100 + 40 * rating for rating in range(1, 11)}
CODES = (-9, 99, 999, 98)


def problems(counts: dict[float, int]) -> list:
    values = [float(rating) for rating, rows in counts.items() for _ in range(rows)]
    return check_ratings(Levels.of(pl.Series(values)))


@pytest.mark.parametrize(
    ("counts", "rows", "example"),
    [
        (STARS | {45: 1}, 1, "45"),
        (STARS | {10: 1}, 1, "10"),
        (STARS | {-4: 1}, 1, "-4"),
        (HALVES | {35: 2, 45: 3}, 5, "35"),
        ({1: 10, 2: 20, 3: 20, 4: 30, 5: 19, 45: 1}, 1, "45"),
        *(
            (scale | {-1: rows}, rows, "-1")
            for scale in (STARS, MOVIELENS, TO_TEN, {0: 50} | TO_TEN)
            for rows in (1, 4000)
        ),
        *(
            (scale | {code: rows}, rows, str(code))
            for scale in (STARS, MOVIELENS, TO_TEN)
            for code in CODES
            for rows in (3, 4000)
        ),
        (STARS | {9: 2000}, 2000, "9"),
        ({0: 500, 1: 700, 99: 300}, 300, "99"),
        (STARS | {98: 20, 99: 30}, 50, "98"),
        (STARS | {0: 1}, 1, "0"),
        (STARS | {0: 2500}, 2500, "0"),
        ({0: 100, 1: 41, 2: 407, 3: 1633, 4: 2500, 5: 1801}, 100, "0"),
        ({0: 1, 1: 41, 2: 407, 3: 1633, 4: 2500, 5: 1801}, 1, "0"),
        (HALVES | {0: 100}, 100, "0"),
        (MOVIELENS | {0: 5000}, 5000, "0"),
        (TO_TEN | {0: 6000}, 6000, "0"),
    ],
)
def test_mistakes_and_codes_are_refused(counts, rows, example):
    (problem,) = problems(counts)
    assert (problem.rows, problem.example, problem.is_warning) == (rows, example, False)
    assert "missing = [" in problem.remedy
    assert "scale = [" in problem.remedy


def test_mistakes_at_both_ends_are_refused_one_by_one():
    refused = problems(STARS | {-99: 100, 0: 1, 45: 1})
    assert {(problem.rows, problem.example) for problem in refused} == {(100, "-99"), (1, "0"), (1, "45")}


def test_many_ratings_on_a_second_scale_are_a_warning():
    (warning,) = problems(STARS | dict.fromkeys(range(20, 101, 20), 300))
    assert (warning.is_warning, warning.rows, warning.example) == (True, 1500, "20")


@pytest.mark.parametrize(
    "counts",
    [
        STARS,
        HALVES,
        MOVIELENS,
        TO_TEN,
        {0: 80, 1: 100} | TO_TEN,
        {0: 150} | STARS,
        {0: 400, 1: 250} | TO_TEN,
        {half / 2: 100 + half for half in range(9)},
        {half / 2: 100 + half for half in range(11)},
        {rating: 50 + rating for rating in range(-10, 11)},
        {rating: 2 + abs(rating) for rating in range(-10, 11)},
        {0: 9, 1: 239, 2: 1235, 3: 2728, 4: 3356, 5: 1438},
        {0: 2, 1: 51, 2: 173, 3: 420, 4: 640, 5: 717, 6: 771, 7: 543, 8: 371, 9: 116, 10: 18},
        {0: 4, 0.5: 60, 1: 151, 1.5: 237, 2: 294, 2.5: 217, 3: 146, 3.5: 46, 4: 4},
        {0: 21, 1: 7, 2: 3, 3: 2},
        {4: 7, 5: 8, 6: 6, 7: 6, 9: 1},
        {-1: 10, 0: 39, 1: 28, 2: 7},
        {0: 3, 1: 90},
        {0: 90, 1: 3},
        {-1: 500, 1: 700},
        {-1: 5, 0: 300, 1: 700},
        {-2: 10, -1: 50, 0: 300, 1: 200, 2: 100},
        {1: 180, 4: 2000, 5: 3000},
        {0: 4, 7: 20, 8: 30, 9: 40, 10: 30},
        {1: 30, 2: 40, 5: 3},
        {1: 10, 2: 20, 3: 30, 5: 40, 7: 2},
        {1: 2, 4: 10, 7: 8},
        {1: 100, 3: 200, 9: 50},
        {0: 200, 1: 100, 2: 150, 3: 400, 4: 1200},
        {0: 5, 20: 50, 40: 100, 60: 200, 80: 300, 100: 250},
        {0: 30} | {percent: 5 + percent // 5 for percent in range(3, 101)},
        {0: 5} | {10 * place / 997: 1 for place in range(30, 998)},
        {3: 100},
        {1: 1, 5: 99},
        {1: 20},
    ],
)
def test_every_real_scale_passes(counts):
    assert problems(counts) == []


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_mistake_is_refused_until_the_scale_is_stated(write_data, tables, capsys, kind):
    ratings = tables["ratings"].with_columns(rating=pl.concat([pl.Series([45.0]), tables["ratings"]["rating"][1:]]))
    folder = write_data(kind, ratings=ratings)
    assert main(["validate", "--data", str(folder)]) == 2
    message = capsys.readouterr().err
    assert "ratings, column rating: 1 row far outside the others, which are 1 to 5, for example '45'" in message
    assert read_tables(write_data(kind, "[ratings]\nscale = [1, 45]", ratings=ratings)).scale.high == 45
    with pytest.raises(DataError, match="1 row outside the scale 1 to 5"):
        read_tables(write_data(kind, "[ratings]\nscale = [1, 5]", ratings=ratings))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("code", [0, -1, 99])
def test_a_code_for_not_rated_leaves_its_rows_out(write_data, tables, kind, code):
    is_rated = pl.int_range(pl.len()) % 5 > 1
    ratings = tables["ratings"].with_columns(rating=pl.when(is_rated).then("rating").otherwise(float(code)))
    with pytest.raises(DataError, match=rf"40 rows .*missing = \[{code}\]"):
        read_tables(write_data(kind, ratings=ratings))
    tables = read_tables(write_data(kind, f"[ratings]\nmissing = [{code}]", ratings=ratings))
    assert (len(tables.ratings), tables.scale.low, tables.scale.high) == (60, 1, 5)
    (warning,) = tables.warnings
    assert str(warning) == "ratings, column rating: 40 rows left out, because schema.toml lists the rating as missing"


def test_text_for_not_rated_leaves_its_rows_out(write_data, tables):
    rating = pl.Series("rating", ["not rated", "NA", *tables["ratings"]["rating"][2:].cast(pl.String)])
    schema = '[ratings]\nmissing = ["not rated", "NA"]'
    assert len(read_tables(write_data("csv", schema, ratings=tables["ratings"].with_columns(rating))).ratings) == 98
