"""Values that enough members who rate hold are categories; all others are merged or left out."""

import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from features.attributes import encode
from features.schema import Attribute, Scale, Schema
from features.values.attribute_value import encode_attribute, is_missing
from model.facts.facts import MovieFacts
from training.data.dataset import Dataset, encode_columns, make_dataset
from training.data.infer_schema import MergedColumn, infer_schema
from training.data.reading.tables import Tables, read_tables

FLOOR = 20


def tables_with(values: list[object], raters: int | None = None, dtype: pl.DataType | None = None) -> Tables:
    """Tables in which each value is the attribute of one member; the first `raters` members rate."""
    ids = [f"u{place:04}" for place in range(len(values))]
    rated = ids[: len(values) if raters is None else raters]
    pairs = pl.DataFrame({"member_id": rated, "movie_id": "m"}, schema={"member_id": pl.String, "movie_id": pl.String})
    unknown = pl.lit(None, pl.Float64)
    return Tables.of(
        members=pl.DataFrame({"member_id": ids, "answer": pl.Series(values, dtype=dtype)}),
        movies=pl.DataFrame(
            {"movie_id": ["m"], "title": ["M"], "release_year": [2000.0], "genres": [["Drama", "War"]]},
        ),
        ratings=pairs.with_columns(rating=pl.lit(3.0), rated_at=unknown),
        plays=pairs.with_columns(played_at=unknown, completion=unknown),
        scale=Scale(1, 5, 4),
    )


def member_attributes(tables: Tables, floor: int = FLOOR) -> tuple[tuple[Attribute, ...], tuple[MergedColumn, ...]]:
    schema, merged = infer_schema(tables, floor)
    return schema.member_attributes, merged


def test_a_value_at_the_floor_is_a_category_and_a_rarer_one_is_merged():
    attributes, merged = member_attributes(tables_with(["b"] * 20 + ["a"] * 21 + ["rare"] * 19 + ["odd"]))
    expected = Attribute(
        "answer", "categorical", categories=("a", "b"), has_other=True, shares=(21 / 61, 20 / 61, 20 / 61)
    )
    assert attributes == (expected,)
    assert merged == (MergedColumn("members", "answer", values=2, kept=2, floor=20),)


def test_nothing_is_merged_where_all_values_are_held_by_many():
    attributes, merged = member_attributes(tables_with(["a"] * 20 + ["b"] * 20 + [None] * 5))
    assert attributes == (Attribute("answer", "categorical", categories=("a", "b"), shares=(0.5, 0.5)),)
    assert merged == ()


def test_only_members_who_rate_count_as_holders():
    attributes, _ = member_attributes(tables_with(["a"] * 30 + ["b"] * 10 + ["b"] * 30 + ["never"] * 30, raters=40))
    assert attributes == (Attribute("answer", "categorical", categories=("a",), has_other=True, shares=(0.75, 0.25)),)


def test_a_column_in_which_every_value_is_rare_is_left_out():
    attributes, merged = member_attributes(tables_with([f"zip {place}" for place in range(100)]))
    assert attributes == ()
    assert merged == (MergedColumn("members", "answer", values=100, kept=0, floor=20),)


@pytest.mark.parametrize("dtype", [pl.String, pl.Float64])
def test_a_column_that_no_rater_holds_is_left_out(dtype):
    attributes, merged = member_attributes(tables_with([None] * 30, dtype=dtype))
    assert attributes == ()
    assert merged == (MergedColumn("members", "answer", values=0, kept=0, floor=20),)


def test_numbers_that_few_hold_are_left_out():
    attributes, (merged,) = member_attributes(tables_with([float(place) for place in range(19)] + [None] * 30))
    assert attributes == ()
    assert merged.kept == 0


def test_knots_are_ascending_quantiles_inside_the_extremes():
    ((attribute,), merged) = member_attributes(tables_with([float(place) for place in range(1001)]))
    assert attribute.kind == "numeric"
    assert merged == ()
    assert len(attribute.knots) == 8
    assert attribute.knots == tuple(sorted(attribute.knots))
    assert sum(attribute.shares) == pytest.approx(1)
    assert attribute.shares[3] == pytest.approx(0.96 / 7, abs=0.002)
    assert (attribute.knots[0], attribute.knots[-1]) == (20, 980)


def test_few_different_numbers_have_as_many_knots():
    ((attribute,), _) = member_attributes(tables_with([1.0] * 30 + [2.0] * 30 + [3.0] * 30))
    assert attribute.knots == (1, 2, 3)
    assert attribute.shares == (1 / 3, 1 / 3, 1 / 3)
    ((constant,), _) = member_attributes(tables_with([7.0] * 30))
    assert constant.knots == (7,)


@pytest.mark.parametrize("step", [1e-300, 1e-48])
def test_numbers_that_are_one_number_for_the_model_have_one_knot(step):
    ((attribute,), _) = member_attributes(tables_with([step * place for place in range(30)]))
    assert len(attribute.knots) == 1
    assert encode(np.array([[1e30]], np.float32), [attribute]).tolist() == [[np.float32(1e30)]]


def test_attributes_of_movies_need_five_movies():
    tables = tables_with(["a"] * 20)
    movies = pl.DataFrame({"movie_id": [f"m{place}" for place in range(12)]}).with_columns(
        title=pl.lit(None, pl.String),
        release_year=pl.lit(None, pl.Float64),
        genres=pl.lit(None, pl.List(pl.String)),
        language=pl.Series(["fr"] * 5 + ["no"] * 4 + ["en"] * 3),
        minutes=pl.Series([90.0] * 12),
    )
    schema, merged = infer_schema(replace(tables, movies=movies))
    assert schema.movie_attributes == (
        Attribute("language", "categorical", categories=("fr",), has_other=True, shares=(5 / 12, 7 / 12)),
        Attribute("minutes", "numeric", knots=(90.0,), shares=(1.0,)),
    )
    assert merged == (MergedColumn("movies", "language", values=2, kept=1, floor=5),)
    assert schema.genres == ()


CODES = {
    "zip codes": ["00990", *["02139", "10005"] * 12],
    "days": ["2024-05-05", *["2024-03-01", "2024-03-02"] * 12],
    "flags": ["true", *["True", "false"] * 12],
    "names": ["Rome", *["Berlin", "Paris"] * 12],
}


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("mark", ["NA", " n/a ", "\\N", ""])
def test_a_mark_is_missing_in_requests_if_it_is_in_the_table(write_data, tables, name, mark):
    members = tables["members"].sort("member_id").with_columns(pl.Series("extra", [mark, *CODES[name]]))
    read = read_tables(write_data("csv", members=members))
    extra = infer_schema(read, min_holders=5)[0].member_attributes[-1]
    in_table = encode_columns(read.members, (extra,))[0, 0]
    assert math.isnan(in_table) == (name != "names" or not mark)
    assert encode_attribute(extra, mark) == pytest.approx(in_table, nan_ok=True)
    assert is_missing(extra, mark) == math.isnan(in_table)


def test_marks_among_years_and_genres_are_missing_in_requests_if_they_are_in_the_table(write_data, tables):
    movies = tables["movies"].with_columns(
        release_year=pl.Series([1900, *range(1991, 1998)]),
        genres=pl.Series(["Drama|Unsorted", *["Drama", "War"] * 3, "Odd"]),
    )
    read = read_tables(write_data("csv", '[movies]\nmissing = [1900, "Unsorted"]', movies=movies))
    schema, _ = infer_schema(read)
    data, facts = make_dataset(read, schema), MovieFacts.of(schema, 1900, ["Drama", "Unsorted"], {})
    assert schema.genres == ("Drama", "War", "other")
    assert math.isnan(facts.release_year)
    assert math.isnan(data.release_year[0])
    assert facts.genres.tolist() == data.genres[0].tolist() == [1, 0, 0]
    assert MovieFacts.of(schema, 1991, ["Unsorted"], {}).release_year == 1991
    assert Schema.from_dict(schema.to_dict()) == schema


def test_the_end_of_the_data_is_the_latest_play(write_data):
    schema, _ = infer_schema(read_tables(write_data("csv")))
    assert schema.end_of_data == 1709337600.0
    assert schema.genres == ("Comedy", "Drama", "War")
    assert schema.scale == Scale(1, 5, 4)
    assert infer_schema(read_tables(write_data("csv", plays=None)))[0].end_of_data is None


def test_the_schema_survives_being_written(write_data):
    schema, _ = infer_schema(read_tables(write_data("csv")), min_holders=10)
    assert Schema.from_dict(schema.to_dict()) == schema


def test_what_was_merged_is_reported_without_any_value():
    _, (merged,) = member_attributes(tables_with(["a"] * 20 + ["secret"] * 3))
    assert str(merged) == (
        "members, column answer: 1 of its values, each held by fewer than 20 members who rate, "
        'count as one "other" value'
    )
    _, (left_out,) = member_attributes(tables_with(["secret"] * 3))
    assert str(left_out) == (
        "members, column answer: left out, since fewer than 20 members who rate hold it, or any one value of it"
    )


def schema_of_genres(*lists: list[str] | None) -> tuple[Schema, tuple[MergedColumn, ...], Dataset]:
    """The schema and the data of movies with these genres."""
    tables = tables_with(["a"] * 20)
    movies = pl.DataFrame({"movie_id": [f"m{place:05}" for place in range(len(lists))]}).with_columns(
        title=pl.lit(None, pl.String),
        release_year=pl.lit(None, pl.Float64),
        genres=pl.Series(lists, dtype=pl.List(pl.String)),
    )
    tables = replace(tables, movies=movies)
    schema, merged = infer_schema(tables)
    return schema, merged, make_dataset(tables, schema)


def test_genres_of_few_movies_count_as_one_genre_other():
    schema, (merged,), data = schema_of_genres(
        *[["Drama", "War"]] * 4,
        ["Drama"],
        *[["Comedy", "Western"]] * 5,
        ["Noir", "Western"],
        ["Noir"],
        None,
        *[None] * 20,
    )
    assert schema.genres == ("Comedy", "Drama", "Western", "other")
    assert schema.has_other_genre
    assert data.genres[0].tolist() == [0, 1, 0, 1]
    assert data.genres[4].tolist() == [0, 1, 0, 0]
    assert data.genres[10:12].tolist() == [[0, 0, 1, 1], [0, 0, 0, 1]]
    assert np.isnan(data.genres[12]).all()
    assert str(merged) == (
        'movies, column genres: 2 of its values, each held by fewer than 5 movies, count as one "other" value'
    )
    described = MovieFacts.of(schema, None, [" Drama", "Opera", ""], {})
    assert described.genres.tolist() == [0, 1, 0, 1]
    assert Schema.from_dict(schema.to_dict()) == schema


def test_a_genre_called_other_takes_in_the_rare_ones():
    schema, _, data = schema_of_genres(*[["other"]] * 6, *[["Drama"]] * 20, ["Noir"])
    assert schema.genres == ("Drama", "other")
    assert data.genres[-1].tolist() == [0, 1]


def test_frequent_genres_stay_as_they_are_and_nothing_is_added_to_the_schema():
    schema, merged, _ = schema_of_genres(*[["Drama", "other"]] * 20, *[["War"]] * 5)
    assert (schema.genres, schema.has_other_genre, merged) == (("Drama", "War", "other"), False, ())
    assert "has_other_genre" not in schema.to_dict()
    assert np.isnan(MovieFacts.of(schema, None, ["Opera"], {}).genres).all()


def test_a_catalogue_of_few_movies_keeps_genres_of_a_quarter_of_them():
    schema, _, _ = schema_of_genres(["Drama"], ["Drama"], ["War"], *[None] * 5)
    assert schema.genres == ("Drama", "other")
    assert schema_of_genres(["Drama"], ["War"], None)[0].genres == ("Drama", "War")


def test_there_are_never_more_than_a_hundred_genres_and_the_most_frequent_stay():
    lists = [[f"tag {tag:03}" for tag in range(300) if (movie + tag) % 20 < 5 + tag % 2] for movie in range(100)]
    schema, (merged,), data = schema_of_genres(*lists)
    assert schema.genres == ("other", *(f"tag {tag:03}" for tag in range(1, 200, 2)))
    text = "200 of its values, which aren't among the 100 most frequent"
    assert str(merged) == f'movies, column genres: {text}, count as one "other" value'
    assert data.genres.shape == (100, 101)


def test_genres_are_left_out_where_each_is_rare():
    schema, (merged,), data = schema_of_genres(*[[f"mood {movie}"] for movie in range(40)])
    assert (schema.genres, merged.kept, data.genres.shape) == ((), 0, (40, 0))
