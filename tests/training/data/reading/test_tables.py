"""Tables and times read from a data directory are the same, whatever form the files have."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.schema import Scale
from training.data.reading.tables import Tables, read_tables
from training.errors import DataError

NAMES = ("members", "movies", "ratings", "plays")
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC).timestamp()


def assert_same(tables: Tables, other: Tables) -> None:
    for name in NAMES:
        assert_frame_equal(getattr(tables, name), getattr(other, name))
    assert tables.scale == other.scale


def rows(frame: pl.DataFrame, *ids: str) -> pl.DataFrame:
    """The ratings or plays of one member."""
    return frame.filter(pl.col("member_id").is_in(ids))


def with_row(frame: pl.DataFrame, **values: object) -> pl.DataFrame:
    return pl.concat([frame, pl.DataFrame([values])], how="diagonal_relaxed")


def test_csv_and_parquet_of_the_same_rows_read_the_same(write_data):
    from_csv = read_tables(write_data("csv"))
    assert_same(read_tables(write_data("parquet")), from_csv)


@pytest.mark.parametrize("parts", ["ratings", "ratings.parquet"])
def test_a_folder_of_parquet_parts_reads_as_one_table(write_data, tables, parts):
    whole = read_tables(write_data("parquet"))
    folder = write_data("parquet", ratings=None)
    (folder / parts).mkdir()
    for part, some in enumerate(tables["ratings"].iter_slices(30)):
        some.write_parquet(folder / parts / f"part [{part}].parquet")
    assert_same(read_tables(folder), whole)


def test_rows_are_sorted_and_their_order_in_the_file_is_no_matter(write_data, tables):
    read = read_tables(write_data("csv"))
    shuffled = read_tables(
        write_data("csv", **{n: t.sample(fraction=1, shuffle=True, seed=1) for n, t in tables.items()})
    )
    assert_same(read, shuffled)
    assert read.ratings.equals(read.ratings.sort("member_id", "movie_id"))
    assert read.members["member_id"].is_sorted()


def test_an_id_in_csv_keeps_its_leading_zeros(write_data, tables):
    members = with_row(tables["members"], member_id="007", age=40, gender="M")
    assert "007" in read_tables(write_data("csv", members=members)).members["member_id"]


@pytest.mark.parametrize("dtype", [pl.Int64, pl.UInt16, pl.Int8])
def test_whole_numbers_as_ids_are_read_as_their_text(write_data, tables, dtype):
    numbered = {
        name: frame.with_columns(pl.col("movie_id").str.strip_prefix("m").cast(dtype))
        for name, frame in tables.items()
        if "movie_id" in frame
    }
    read = read_tables(write_data("parquet", **numbered))
    assert read.movies["movie_id"].to_list() == [str(number) for number in range(8)]
    assert read.ratings["movie_id"].dtype == pl.String


def test_categorical_and_enum_columns_are_text(write_data, tables):
    members = tables["members"].with_columns(
        pl.col("member_id").cast(pl.Categorical), pl.col("gender").cast(pl.Enum(["F", "M"]))
    )
    assert_same(read_tables(write_data("parquet", members=members)), read_tables(write_data("parquet")))


def test_csv_columns_are_taken_for_what_their_values_are(write_data, tables):
    members = tables["members"].with_columns(
        zip=pl.Series([f"0{place}139" for place in range(26)]),
        happy=pl.Series(["True", "FALSE", *[None] * 24]),
        score=pl.Series(["1.5", " 2 ", "", "nan", *["-3e1"] * 22]),
        mixed=pl.Series(["1", *["one"] * 25]),
        nothing=pl.Series([None] * 26, dtype=pl.String),
    )
    read = read_tables(write_data("csv", members=members)).members
    assert dict(read.schema) == {
        "member_id": pl.String,
        "age": pl.Float64,
        "gender": pl.String,
        "zip": pl.String,
        "happy": pl.String,
        "score": pl.Float64,
        "mixed": pl.String,
        "nothing": pl.String,
    }
    by_id = read.sort("member_id")
    assert by_id["happy"].drop_nulls().sort().to_list() == ["false", "true"]
    assert sorted(by_id["score"].drop_nulls().unique()) == [-30, 1.5, 2]
    assert by_id["score"].null_count() == 2
    assert by_id["zip"].str.starts_with("0").all()


def test_parquet_columns_are_taken_for_what_their_types_are_and_text_for_what_its_values_are(write_data, tables):
    members = tables["members"].with_columns(
        flag=pl.Series([True, False, None, *[True] * 23]),
        share=pl.Series([0.5, float("nan"), float("inf"), *[1.0] * 23], dtype=pl.Float32),
        digits=pl.Series(["1"] * 26),
        price=pl.Series([1] * 26).cast(pl.Decimal(10, 2)),
        name=pl.Series([" a ", "", *["b"] * 24]),
        nothing=pl.Series([None] * 26),
    )
    read = read_tables(write_data("parquet", members=members)).members
    assert read["flag"].null_count() == 1
    assert set(read["flag"].drop_nulls()) == {"false", "true"}
    assert read["share"].drop_nulls().is_finite().all()
    assert read["share"].null_count() == 2
    assert read["digits"].dtype == pl.Float64
    assert read["price"].dtype == pl.Float64
    assert set(read["name"].drop_nulls()) == {"a", "b"}
    assert read["nothing"].null_count() == 26


def test_schema_toml_overrides_what_a_column_is_taken_for(write_data, tables):
    members = tables["members"].with_columns(
        job=pl.Series([7.0, None, *[12.0] * 24]), code=pl.lit("12"), zip=pl.lit("02139"), on=pl.lit(True)
    )
    of_members = '[members]\ncategorical = ["job"]\nnumeric = ["code", "on"]\nignore = ["zip"]\n'
    schema = of_members + '[movies]\nignore = ["title", "genres"]'
    read = read_tables(write_data("parquet", schema, members=members))
    assert set(read.members["job"].drop_nulls()) == {"7", "12"}
    assert read.members["code"].unique().to_list() == [12.0]
    assert read.members["on"].unique().to_list() == [1.0]
    assert "zip" not in read.members
    assert read.movies["title"].null_count() == read.movies["genres"].null_count() == 8
    assert read.ignored == {"members": ("zip",), "movies": ("title", "genres"), "ratings": (), "plays": ()}


@pytest.mark.parametrize("column", ["title", "release_year", "genres"])
def test_movies_need_nothing_but_an_id(write_data, tables, column):
    read = read_tables(write_data("csv", movies=tables["movies"].drop(column)))
    assert read.movies.columns == ["movie_id", "title", "release_year", "genres"]
    assert read.movies[column].null_count() == 8


def test_a_year_or_genres_of_a_member_is_an_attribute_like_any_other(write_data, tables):
    members = tables["members"].with_columns(release_year=pl.lit("early"), genres=pl.lit("all"), title=pl.lit("Dr"))
    read = read_tables(write_data("csv", members=members)).members
    assert read.select("release_year", "genres", "title").unique().rows() == [("early", "all", "Dr")]


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("Drama|Comedy", ["Comedy", "Drama"]),
        (" Drama | |Drama|", ["Drama"]),
        ("", None),
        ("|", None),
        (None, None),
        (["War", " Drama ", "War", ""], ["Drama", "War"]),
        (["War", None], ["War"]),
        ([], None),
    ],
)
def test_genres_are_trimmed_sorted_and_each_there_once(write_data, tables, given, read):
    genres = pl.Series("genres", [given, *([["War"] if isinstance(given, list) else "War"] * 7)])
    movies = read_tables(write_data("parquet", movies=tables["movies"].with_columns(genres))).movies
    assert movies["genres"].to_list()[0] == read
    assert movies["genres"].dtype == pl.List(pl.String)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip),
    st.sampled_from(["csv", "parquet"]),
)
def test_any_text_is_an_id(write_data, tables, name, kind):
    folder = write_data(kind, members=with_row(tables["members"], member_id=name + "'", age=1, gender="F"))
    assert name + "'" in read_tables(folder).members["member_id"]


def test_the_latest_rating_of_a_movie_counts(write_data, tables):
    dated = tables["ratings"].with_columns(rated_at=pl.lit("2024-03-01"))
    again = [
        {"member_id": "r00", "movie_id": "m1", "rating": rating, "rated_at": at}
        for rating, at in [(5.0, "2024-03-02"), (2.0, "1709400000"), (3.0, "2024-01-01")]
    ]
    ratings = pl.concat([dated, pl.DataFrame(again)])
    read = read_tables(write_data("csv", ratings=ratings)).ratings
    assert len(read) == len(dated)
    assert rows(read, "r00").filter(movie_id="m1")["rating"].to_list() == [2.0]


def test_every_rating_is_also_a_play_and_each_pair_is_one_row(write_data, tables):
    more = pl.DataFrame(
        {
            "member_id": ["lurker", "lurker", "r00"],
            "movie_id": ["m0", "m0", "m1"],
            "played_at": ["2024-02-01", None, "2024-05-01"],
            "completion": [0.9, 0.1, None],
        }
    )
    read = read_tables(write_data("csv", plays=pl.concat([tables["plays"], more])))
    assert len(read.plays) == len(read.ratings) + 3
    assert not read.plays.select("member_id", "movie_id").is_duplicated().any()
    assert read.plays.equals(read.plays.sort("member_id", "movie_id"))
    assert rows(read.plays, "lurker")["completion"].to_list() == [0.9, 1.0]
    assert rows(read.plays, "lurker")["played_at"].to_list() == [NOON - 2 * 3600, None]
    rated_and_played = rows(read.plays, "r00").filter(movie_id="m1")
    assert rated_and_played["played_at"][0] == datetime(2024, 5, 1, tzinfo=UTC).timestamp()


def test_when_a_movie_was_rated_is_not_when_it_was_played(write_data, tables):
    ratings = tables["ratings"].with_columns(rated_at=pl.lit("2024-03-01"))
    read = read_tables(write_data("csv", ratings=ratings, plays=None))
    assert read.plays["played_at"].null_count() == len(read.plays) == len(read.ratings)


def test_plays_may_have_neither_rows_nor_optional_columns(write_data, tables):
    with_none = read_tables(write_data("csv", plays="member_id,movie_id\n"))
    assert len(with_none.plays) == len(with_none.ratings)
    assert read_tables(write_data("csv", plays="member_id,movie_id\nlurker,m3\n")).plays.filter(
        member_id="lurker"
    ).rows() == [("lurker", "m3", None, None)]


def test_raters_and_players_need_no_row_in_members(write_data, tables):
    read = read_tables(write_data("csv", members=tables["members"].filter(pl.col("member_id") != "r03")))
    assert len(rows(read.ratings, "r03")) == 4


@pytest.mark.parametrize(
    ("ratings", "schema", "scale"),
    [
        ([1.0, 2.0, 5.0], None, Scale(1, 5, 4)),
        ([0.0, 0.5, 4.0], None, Scale(0, 4, 3)),
        ([1, 7, 10], None, Scale(1, 10, 7.75)),
        ([3.0, 3.0, 3.0], None, Scale(3, 3, 3)),
        ([-10.0, 0.0, 10.0], None, Scale(-10, 10, 5)),
        ([2.0, 3.0, 4.0], "[ratings]\nscale = [1, 5.0]", Scale(1, 5, 4)),
        ([1.0, 2.0, 5.0], "[ratings]\nenjoyed_from = 3", Scale(1, 5, 3)),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_any_rating_scale_will_do(write_data, tables, ratings, schema, scale, kind):
    given = pl.Series("rating", [ratings[place % 3] for place in range(100)])
    read = read_tables(write_data(kind, schema, ratings=tables["ratings"].with_columns(given)))
    assert read.scale == scale
    assert read.ratings["rating"].dtype == pl.Float64


def test_other_files_and_columns_are_left_alone(write_data, tables):
    folder = write_data("csv", ratings=tables["ratings"].with_columns(device=pl.lit("tv")))
    (folder / "truth.parquet").write_bytes(b"no table")
    (folder / "notes.txt").write_text("mine")
    read = read_tables(folder)
    assert read.ratings.columns == ["member_id", "movie_id", "rating", "rated_at"]
    assert read.ignored["ratings"] == ("device",)


def test_a_byte_order_mark_and_windows_line_ends_are_no_matter(write_data, tables):
    plain = read_tables(write_data("csv"))
    windows = b"\xef\xbb\xbf" + tables["members"].write_csv().replace("\n", "\r\n").encode()
    folder: Path = write_data("csv", members=windows)
    assert_same(read_tables(folder), plain)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("2024-03-01T12:00:00Z", NOON),
        ("2024-03-01T12:00:00", NOON),
        ("2024-03-01 12:00", NOON),
        ("2024-03-01t13:30:00+01:30", NOON),
        ("2024-03-01T07:00:00.000-0500", NOON),
        ("2024-03-01T14+02", None),
        ("2024-03-01T14:00:00+02", NOON),
        ("2024-03-01T12:00:00.25Z", NOON + 0.25),
        ("2024-03-01T12:00:00,25", NOON + 0.25),
        ("2024-03-01", NOON - 12 * 3600),
        (f" {NOON:.0f} ", NOON),
        (f"{NOON}", NOON),
        ("-86400", -86400),
        ("1.709294400e9", NOON),
    ],
)
def test_times_are_read_as_seconds_in_utc(write_data, tables, written, seconds):
    ratings = tables["ratings"].with_columns(rated_at=pl.lit(written))
    folder = write_data("csv", ratings=ratings)
    if seconds is None:
        with pytest.raises(DataError, match="with a time that can't be read"):
            read_tables(folder)
    else:
        assert read_tables(folder).ratings["rated_at"].unique().to_list() == [seconds]


@pytest.mark.parametrize(
    "times",
    [
        pl.Series([datetime(2024, 3, 1, 12)] * 100),  # noqa: DTZ001 - a time without a zone is in UTC
        pl.Series([datetime(2024, 3, 1, 12, tzinfo=UTC)] * 100),
        pl.Series([datetime(2024, 3, 1, 12, tzinfo=UTC)] * 100)
        .dt.convert_time_zone("Asia/Tokyo")
        .dt.cast_time_unit("ns"),
        pl.Series([int(NOON)] * 100),
        pl.Series([NOON] * 100),
        pl.Series(["2024-03-01", *["2024-03-01T12:00Z"] * 98, str(NOON)]),
    ],
)
def test_times_in_parquet_may_be_timestamps_numbers_or_text(write_data, tables, times):
    read = read_tables(write_data("parquet", ratings=tables["ratings"].with_columns(times.alias("rated_at"))))
    assert read.ratings["rated_at"].max() == NOON
    assert read.ratings["rated_at"].null_count() == 0


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60),
    st.booleans(),
)
def test_what_python_writes_as_iso_8601_is_read(write_data, tables, moment, offset_minutes, with_t):
    moment = moment.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    ratings = tables["ratings"].with_columns(rated_at=pl.lit(moment.isoformat("T" if with_t else " ")))
    read = read_tables(write_data("csv", ratings=ratings)).ratings["rated_at"]
    assert read[0] == pytest.approx(moment.timestamp(), abs=2e-6)


def test_a_date_attribute_is_taken_the_same_way_in_parquet_and_csv(write_data, tables):
    days = pl.date(2010, 1, 1) + pl.duration(days=pl.int_range(pl.len()) % 3)
    members = tables["members"].with_columns(joined=pl.when(pl.int_range(pl.len()) > 2).then(days))
    parquet, csv = (read_tables(write_data(kind, members=members)) for kind in ("parquet", "csv"))
    assert parquet.members["joined"].to_list() == csv.members["joined"].to_list()
    assert parquet.members.schema == csv.members.schema
    assert [str(warning) for warning in parquet.warnings] == [str(warning) for warning in csv.warnings]
