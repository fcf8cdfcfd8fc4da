"""Parts of one table that differ in types or columns read like the table in one file."""

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from training.data.files.part_types import common_type
from training.data.reading.tables import read_tables
from training.errors import DataError

LARGE = 2**62
MOMENTS = [datetime(2024, 3, 1 + day % 28, day % 24, 30, tzinfo=UTC) for day in range(100)]
SECONDS = pl.Series([moment.timestamp() for moment in MOMENTS])
STAMPS = pl.Series(MOMENTS)

TYPES = {
    "integers, then floats": ("rating", [pl.Int64, pl.Float64]),
    "small and unsigned numbers": ("rating", [pl.Int8, pl.UInt64]),
    "floats, then decimals": ("rating", [pl.Float64, pl.Decimal(10, 2)]),
    "numbers, then text": ("rating", [pl.Float64, pl.String]),
    "numeric ids, then text": ("member_id", [pl.Int64, pl.String]),
    "ids of every size": ("member_id", [pl.Int64, pl.UInt64, pl.UInt8]),
    "ids by category": ("movie_id", [pl.Categorical, pl.String, pl.Enum([f"m{number}" for number in range(8)])]),
}


def rows_of(tables) -> pl.DataFrame:
    """Ratings with members that are whole numbers."""
    return tables["ratings"].with_columns(pl.col("member_id").str.strip_prefix("r").cast(pl.Int64))


@pytest.mark.parametrize("differing", TYPES)
@pytest.mark.parametrize("order", [1, -1])
def test_parts_of_different_types_read_like_one_table(write_data, write_parts, tables, differing, order):
    column, dtypes = TYPES[differing]
    rows = rows_of(tables)
    whole = read_tables(write_data("parquet", ratings=rows)).ratings
    slices = rows.iter_slices(-(-len(rows) // len(dtypes)))
    parts = {
        f"{place}.parquet": part.with_columns(pl.col(column).cast(dtype))
        for place, (part, dtype) in enumerate(zip(slices, dtypes[::order], strict=True))
    }
    assert_frame_equal(read_tables(write_parts("ratings", parts)).ratings, whole)


@pytest.mark.parametrize(
    "times",
    [
        (STAMPS.cast(pl.Datetime("us", "UTC")), STAMPS.cast(pl.Datetime("ns", "UTC"))),
        (STAMPS.cast(pl.Datetime("ms", "UTC")), STAMPS.dt.convert_time_zone("Asia/Tokyo")),
        (STAMPS.dt.replace_time_zone(None), STAMPS),
        (SECONDS, SECONDS.cast(pl.Int64)),
        (STAMPS, STAMPS.dt.to_string("iso")),
        (STAMPS.dt.convert_time_zone("Asia/Tokyo").cast(pl.Datetime("ns", "Asia/Tokyo")), SECONDS.cast(pl.Int64)),
        (SECONDS, SECONDS.cast(pl.Int64).cast(pl.String)),
    ],
)
def test_times_of_different_types_are_the_same_times(write_parts, tables, times):
    rows = tables["ratings"]
    parts = {f"{place}.parquet": rows.with_columns(rated_at=series)[place::2] for place, series in enumerate(times)}
    read = read_tables(write_parts("ratings", parts)).ratings
    expected = rows.with_columns(rated_at=SECONDS).sort("member_id", "movie_id")["rated_at"]
    assert read["rated_at"].to_list() == expected.to_list()


def test_a_date_among_timestamps_is_midnight(write_parts, halves):
    first, second = halves("ratings")
    parts = {
        "a.parquet": first.with_columns(rated_at=pl.lit(datetime(2024, 3, 1).date())),  # noqa: DTZ001
        "b.parquet": second.with_columns(rated_at=pl.lit(datetime(2024, 3, 1, tzinfo=UTC))),
    }
    read = read_tables(write_parts("ratings", parts)).ratings
    assert read["rated_at"].unique().to_list() == [datetime(2024, 3, 1, tzinfo=UTC).timestamp()]


def test_categories_of_different_parts_are_categories(write_data, write_parts, halves):
    first, second = halves("members")
    parts = {
        "a.parquet": first.cast({"gender": pl.Enum(["F", "M"])}),
        "b.parquet": second.cast({"gender": pl.Categorical}),
    }
    read = read_tables(write_parts("members", parts)).members
    assert_frame_equal(read, read_tables(write_data("parquet")).members)


def test_large_ids_keep_every_digit(write_parts, tables):
    numbers = pl.Series("member_id", [LARGE + number for number in range(26)])
    parts = {
        "a.parquet": tables["members"][:13].with_columns(numbers[:13]),
        "b.parquet": tables["members"][13:].with_columns(numbers[13:].cast(pl.UInt64)),
    }
    assert read_tables(write_parts("members", parts)).members["member_id"].to_list() == numbers.cast(str).to_list()


def test_a_column_that_a_part_lacks_or_has_no_values_of_is_missing_there(write_data, write_parts, halves):
    first, second = halves("members")
    parts = {
        "a.parquet": first.with_columns(region=pl.lit("north"), happy=pl.lit(True)),
        "b.parquet": second.with_columns(region=pl.lit(float("nan")), gender=pl.lit(None)).drop("age"),
        "c.parquet": pl.DataFrame(schema={"age": pl.Binary}),
    }
    read = read_tables(write_parts("members", parts)).members
    whole = read_tables(write_data("parquet")).members
    described = pl.col("member_id").is_in(first["member_id"].implode())
    expected = whole.with_columns(
        pl.when(described).then("age"), pl.when(described).then("gender"),
        region=pl.when(described).then(pl.lit("north")), happy=pl.when(described).then(pl.lit("true")),
    )  # fmt: skip
    assert_frame_equal(read, expected)


def test_a_column_that_the_first_part_lacks_keeps_its_place(write_parts, halves):
    first, second = halves("members")
    parts = {"a.parquet": first.drop("age"), "b.parquet": second}
    assert read_tables(write_parts("members", parts)).members.columns == second.columns


@pytest.mark.parametrize("empty", ["0.parquet", "z.parquet"])
def test_the_types_of_a_part_without_rows_do_not_matter(write_data, write_parts, halves, empty):
    first, second = halves("ratings")
    nothing = pl.DataFrame(schema=dict.fromkeys(first.columns, pl.Null) | {"rating": pl.Binary})
    folder = write_parts("ratings", {"a.parquet": first, "b.parquet": second, empty: nothing})
    assert_frame_equal(read_tables(folder).ratings, read_tables(write_data("parquet")).ratings)


def test_parts_without_any_rows_are_an_empty_table(write_parts, tables):
    nothing = tables["ratings"].clear()
    parts = {"a.parquet": nothing, "b.parquet": nothing.cast({"rating": pl.Int8})}
    with pytest.raises(DataError, match="ratings: the table has no rows"):
        read_tables(write_parts("ratings", parts))


def test_genres_may_be_empty_lists_in_a_part(write_parts, tables):
    lists = tables["movies"].with_columns(pl.col("genres").str.split("|"))
    parts = {
        "a.parquet": lists[:4],
        "b.parquet": lists[4:].with_columns(pl.lit([], pl.List(pl.Null)).alias("genres")),
    }
    read = read_tables(write_parts("movies", parts)).movies
    assert read["genres"].null_count() == 4
    assert read["genres"][0].to_list() == ["War"]


CONFLICTS = {
    "lists": ([1.5], "Float64 in members/a.parquet and List(Float64) in members/b.parquet"),
    "words": (
        "many", "Float64 in members/a.parquet and text that is no number in members/b.parquet, for example 'many'"
    ),
    "timestamps": (MOMENTS[0], "Float64 in members/a.parquet and Datetime(time_unit='us', time_zone='UTC')"),
}  # fmt: skip


@pytest.mark.parametrize("value", CONFLICTS)
def test_types_that_do_not_go_together_name_the_files_unless_the_column_is_ignored(write_parts, halves, value):
    odd, message = CONFLICTS[value]
    first, second = halves("members")
    parts = {
        "a.parquet": first.with_columns(score=pl.lit(1.5)),
        "b.parquet": second.with_columns(pl.Series("score", [odd] * len(second))),
    }
    with pytest.raises(DataError) as raised:
        read_tables(write_parts("members", parts))
    told = str(raised.value)
    assert told.startswith(f"members, column score: holds {message}")
    assert told.endswith("; write all parts with the same type, or name it under ignore in schema.toml")
    ignored = read_tables(write_parts("members", parts, '[members]\nignore = ["score"]'))
    assert ignored.ignored["members"] == ("score",)


def test_marks_of_missing_values_among_numbers_and_flags_are_missing(write_parts, halves):
    first, second = halves("members")
    parts = {
        "a.parquet": first.with_columns(score=pl.lit(1.5), happy=pl.lit(True)),
        "b.parquet": second.with_columns(
            score=pl.Series(["2.5", "NA", "", *[" 3 "] * (len(second) - 3)]),
            happy=pl.Series(["True", "null", "\\N", *["FALSE"] * (len(second) - 3)]),
        ),
    }
    read = read_tables(write_parts("members", parts)).members
    assert set(read["score"].drop_nulls()) == {1.5, 2.5, 3.0}
    assert read["score"].null_count() == 2
    assert set(read["happy"].drop_nulls()) == {"true", "false"}
    assert read["happy"].null_count() == 2


def test_own_marks_of_missing_values_are_missing(write_parts, halves):
    first, second = halves("members")
    parts = {
        "a.parquet": first.with_columns(score=pl.lit(1.5)),
        "b.parquet": second.with_columns(score=pl.lit("?")),
        "c.parquet": second.clear().with_columns(score=pl.lit(None, pl.Binary)),
    }
    read = read_tables(write_parts("members", parts, '[members]\nmissing = ["?"]')).members
    assert (read["score"].dtype, read["score"].null_count()) == (pl.Float64, len(second))
    with pytest.raises(DataError, match=r"text that is no number in members/b\.parquet, for example '\?'"):
        read_tables(write_parts("members", parts))


def test_columns_that_are_not_read_may_differ(write_data, write_parts, halves):
    first, second = halves("ratings")
    parts = {
        "a.parquet": first.with_columns(device=pl.lit("tv")),
        "b.parquet": second.with_columns(device=pl.lit([1], pl.List(pl.Int64))),
    }
    read = read_tables(write_parts("ratings", parts))
    assert_frame_equal(read.ratings, read_tables(write_data("parquet")).ratings)


def test_ids_that_are_floats_in_a_part_name_it(write_parts, halves):
    first, second = halves("ratings")
    parts = {
        "a.parquet": first.with_columns(member_id=pl.lit(1)),
        "b.parquet": second.with_columns(member_id=pl.lit(1.0)),
    }
    with pytest.raises(DataError, match=r"Int32 in ratings/a\.parquet and Float64 in ratings/b\.parquet"):
        read_tables(write_parts("ratings", parts))


def test_a_part_without_a_needed_column_is_named(write_parts, halves):
    first, second = halves("ratings")
    folder = write_parts("ratings", {"a.parquet": first, "b.parquet": second.drop("movie_id")})
    with pytest.raises(DataError) as raised:
        read_tables(folder)
    assert str(raised.value) == "ratings, column movie_id: the column is missing in ratings/b.parquet"


@given(st.lists(st.sampled_from([pl.Int8, pl.Int64, pl.UInt8, pl.UInt32, pl.UInt64]), min_size=1))
def test_the_common_type_of_whole_numbers_holds_them_all(dtypes):
    common = common_type("x", [dtype() for dtype in dtypes])
    for dtype in dtypes:
        ends = pl.select(low=pl.lit(0, dtype) if dtype == common else dtype.min(), high=dtype.max())
        assert ends.cast(pl.Int128).equals(ends.cast(common).cast(pl.Int128))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_table_cut_into_odd_parts_reads_like_the_table(write_data, write_parts, tables, data):
    rows = rows_of(tables).with_columns(rated_at=STAMPS)
    whole = read_tables(write_data("parquet", ratings=rows)).ratings
    casts = {
        "member_id": [pl.Int64, pl.UInt64, pl.Int8, pl.String],
        "rating": [pl.Int16, pl.Float32, pl.Float64, pl.String],
        "rated_at": [pl.Datetime("ms", "UTC"), pl.Datetime("ns", "Asia/Tokyo"), pl.Int64],
    }
    shuffled = rows.sample(fraction=1, shuffle=True, seed=data.draw(st.integers(0, 99)))
    parts = {}
    for place, part in enumerate(shuffled.iter_slices(data.draw(st.integers(15, 60)))):
        columns = [
            pl.col(name).dt.epoch("s") if dtype == pl.Int64 and name == "rated_at" else pl.col(name).cast(dtype)
            for name, dtypes in casts.items()
            for dtype in [data.draw(st.sampled_from(dtypes))]
        ]
        folder = data.draw(st.sampled_from(["", "year=2024/", "a/b/"]))
        parts[f"{folder}{place}.parquet"] = part.with_columns(columns).select(*data.draw(st.permutations(rows.columns)))
    parts["0.parquet"] = parts.get("0.parquet", rows.clear())
    assert_frame_equal(read_tables(write_parts("ratings", parts)).ratings, whole)
