"""Each fault of a data directory or file is reported with exactly its own message, and all of them at once."""

import os

import polars as pl
import pytest

from tests.training.conftest import refusal
from training.data.files.table_files import readable
from training.data.reading.tables import read_tables
from training.errors import DataError, Problem

IGNORE = "; else name it under ignore in schema.toml"
ISO = "(ISO 8601, or seconds, not milliseconds, since 1970)"


def messages_of(folder) -> list[str]:
    """What a data scientist is told of the folder."""
    return refusal(folder).splitlines()


def changed(frame: pl.DataFrame, column: str, **values: object) -> pl.DataFrame:
    """The frame with other values in a column, by row (`row3="x"`); as text, as CSV would hold it."""
    given = frame[column].cast(pl.String).to_list()
    for row, value in values.items():
        given[int(row.removeprefix("row"))] = value
    return frame.with_columns(pl.Series(column, given, dtype=pl.String))


MISTAKES = {
    "an id twice": (
        "members",
        lambda members: changed(members, "member_id", row4="r01", row5="r01"),
        "members, column member_id: 2 rows with the id of an earlier row, for example 'r01'",
    ),
    "a movie twice": (
        "movies",
        lambda movies: pl.concat([movies, movies.head(1)]),
        "movies, column movie_id: 1 row with the id of an earlier row, for example 'm0'",
    ),
    "no id": (
        "members",
        lambda members: changed(members, "member_id", row25=None, row4="  "),
        "members, column member_id: 2 rows without an id",
    ),
    "no movie": (
        "ratings",
        lambda ratings: changed(ratings, "movie_id", row4=None),
        "ratings, column movie_id: 1 row without an id",
    ),
    "unknown movie": (
        "ratings",
        lambda ratings: changed(ratings, "movie_id", row4="m99", row7="m98"),
        "ratings, column movie_id: 2 rows with a movie that the movies table lacks, for example 'm98'",
    ),
    "play of an unknown movie": (
        "plays",
        lambda plays: changed(plays, "movie_id", row1="m99"),
        "plays, column movie_id: 1 row with a movie that the movies table lacks, for example 'm99'",
    ),
    "no rating": (
        "ratings",
        lambda ratings: changed(ratings, "rating", row1=None, row2=""),
        "ratings, column rating: 2 rows without a rating",
    ),
    "rating in words": (
        "ratings",
        lambda ratings: changed(ratings, "rating", row1="four", row2="4,5", row3="1,234", row9="inf"),
        "ratings, column rating: 4 rows with a value that is no number, for example 'four'",
    ),
    "completion over 1": (
        "plays",
        lambda plays: changed(plays, "completion", row0="85", row1="-0.1"),
        "plays, column completion: 2 rows outside 0 to 1, for example '85'",
    ),
    "completion in words": (
        "plays",
        lambda plays: changed(plays, "completion", row0="half"),
        "plays, column completion: 1 row with a value that is no number, for example 'half'",
    ),
    "odd time": (
        "plays",
        lambda plays: changed(plays, "played_at", row0="yesterday", row2="2024-02-30"),
        f"plays, column played_at: 2 rows with a time that can't be read {ISO}, for example 'yesterday'",
    ),
    "milliseconds": (
        "ratings",
        lambda ratings: ratings.with_columns(rated_at=pl.lit(1709294400000)),
        f"ratings, column rated_at: 100 rows with a time that can't be read {ISO}, for example '1709294400000'",
    ),
    "odd year": (
        "movies",
        lambda movies: changed(movies, "release_year", row3="MCMXCIII"),
        "movies, column release_year: 1 row with a value that is no number, for example 'MCMXCIII'",
    ),
    "rated twice": (
        "ratings",
        lambda ratings: pl.concat([ratings, ratings.slice(6, 2)]),
        (
            "ratings: 2 rows with a second rating of one pair, and there is no rated_at to tell the latest, "
            "for example 'member r01, movie m4'"
        ),
    ),
    "few raters": (
        "ratings",
        lambda ratings: ratings.filter(pl.col("member_id") < "r07"),
        "ratings: only 7 members rated anything; at least 20 are needed to learn from",
    ),
    "no column of ratings": (
        "ratings",
        lambda ratings: ratings.rename({"rating": "stars"}),
        "ratings, column rating: the column is missing; there are: 'member_id', 'movie_id', 'stars'",
    ),
    "no member ids": (
        "members",
        lambda members: members.rename({"member_id": "id"}),
        "members, column member_id: the column is missing; there are: 'id', 'age', 'gender'",
    ),
    "a nameless column": (
        "members",
        lambda members: members.with_row_index(""),
        "members: a column has no name: name it, or leave it out if it only counts rows",
    ),
    "no members": ("members", lambda members: members.clear(), "members: the table has no rows"),
    "no ratings": ("ratings", lambda ratings: ratings.clear(), "ratings: the table has no rows"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_reported_with_table_column_rows_and_example(write_data, tables, mistake):
    table, planted, message = MISTAKES[mistake]
    (reported,) = messages_of(write_data("csv", **{table: planted(tables[table])}))
    assert reported.partition(";")[0] == message.partition(";")[0]


def test_all_mistakes_are_reported_at_once(write_data, tables):
    ratings = changed(changed(tables["ratings"], "rating", row1="x"), "movie_id", row2="m99")
    folder = write_data(
        "csv",
        '[ratings]\nscale = [5, 1]\n[members]\nignore = "age"',
        movies=changed(tables["movies"], "release_year", row0="?"),
        members=None,
        plays="member_id\nx\n",
        ratings=ratings,
    )
    assert [message.partition("; correct")[0].partition("; leave")[0] for message in messages_of(folder)] == [
        "schema.toml: [ratings] scale must be the lowest and the highest rating, as [1.0, 5.0]",
        'schema.toml: [members] ignore must be a list of column names, as ["age"]',
        "members: the table is missing: there is neither members.parquet nor members.csv nor a folder members",
        "movies, column release_year: 1 row with a value that is no number, for example '?'",
        "ratings, column rating: 1 row with a value that is no number, for example 'x'",
        "plays, column movie_id: the column is missing; there are: 'member_id'",
        "ratings, column movie_id: 1 row with a movie that the movies table lacks, for example 'm99'",
    ]


def test_a_rating_outside_the_given_scale_is_reported(write_data, tables):
    folder = write_data(
        "csv", "[ratings]\nscale = [1, 5]", ratings=changed(tables["ratings"], "rating", row3="5.5", row4="0")
    )
    assert messages_of(folder) == [
        "ratings, column rating: 2 rows outside the scale 1 to 5 that schema.toml gives, for example '5.5'"
    ]


@pytest.mark.parametrize(
    ("times", "refused"),
    [
        (("2024-03-01", "2024-03-02"), False),
        (("2024-03-01", "2024-03-01"), True),
        (("2024-03-01", None), True),
        ((None, None), True),
    ],
)
def test_a_second_rating_is_refused_unless_rated_at_tells_the_latest(write_data, tables, times, refused):
    ratings = tables["ratings"].with_columns(rated_at=pl.lit("2024-01-01"))
    twice = pl.DataFrame(
        {"member_id": "x", "movie_id": "m0", "rating": [1.0, 2.0], "rated_at": pl.Series(times, dtype=pl.String)}
    )
    folder = write_data("csv", ratings=pl.concat([ratings, twice]))
    if refused:
        assert messages_of(folder) == [
            (
                "ratings: 1 row with a second rating of one pair, and rated_at doesn't tell the latest, "
                "for example 'member x, movie m0'"
            )
        ]
    else:
        assert read_tables(folder).ratings.filter(member_id="x")["rating"].to_list() == [2.0]


@pytest.mark.parametrize("missing", ["members", "movies", "ratings"])
def test_a_missing_table_is_reported(write_data, missing):
    (message,) = messages_of(write_data("csv", **{missing: None}))
    assert message.startswith(f"{missing}: the table is missing")


def test_a_missing_folder_is_reported(tmp_path):
    assert messages_of(tmp_path / "nowhere") == [f"{tmp_path / 'nowhere'}: there is no such folder"]


def test_two_columns_of_one_name_are_reported(write_data):
    assert messages_of(write_data("csv", members="member_id,age,age\nr1,1,2\n")) == [
        "members, column age: two columns have this name"
    ]


@pytest.mark.parametrize(
    ("table", "column", "values", "wanted"),
    [
        ("members", "member_id", 1.5, "holds Float64, but must hold text or whole numbers"),
        (
            "members",
            "born",
            [1],
            f"holds List(Int64), but must hold text, numbers or flags{IGNORE}",
        ),
        (
            "movies",
            "genres",
            [1],
            f"holds List(Int64), but must hold a list of text, or text split by |{IGNORE}",
        ),
        ("ratings", "rating", True, "holds Boolean, but must hold numbers"),
        ("plays", "played_at", True, "holds Boolean, but must hold ISO 8601 text, seconds since 1970 or timestamps"),
    ],
)
def test_a_column_of_a_type_that_can_not_be_used_is_reported(write_data, tables, table, column, values, wanted):
    frame = tables[table]
    bent = frame.with_columns(pl.Series(column, [values] * len(frame)))
    assert messages_of(write_data("parquet", **{table: bent})) == [f"{table}, column {column}: {wanted}"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(("table", "column"), [("members", "age"), ("ratings", "rating"), ("movies", "movie_id")])
def test_a_padded_name_of_a_column_is_reported(write_data, tables, kind, table, column):
    with pytest.raises(DataError, match=f"{table}, column  {column} : the name has white space at its beginning or"):
        read_tables(write_data(kind, **{table: tables[table].rename({column: f" {column} "})}))


def test_long_examples_are_cut_so_that_a_problem_is_one_line(write_data, tables):
    (message,) = messages_of(write_data("csv", ratings=changed(tables["ratings"], "rating", row1="ab\ncd" * 100)))
    assert len(message) < 320


def test_a_problem_of_many_rows_counts_in_thousands():
    problem = Problem("ratings", "with a value that is no number", "rating", 12345, "x")
    assert str(problem) == "ratings, column rating: 12,345 rows with a value that is no number, for example 'x'"


def test_a_table_in_two_forms_is_reported(write_data, tables):
    folder = write_data("csv")
    tables["movies"].write_parquet(folder / "movies.parquet")
    (folder / "plays").mkdir()
    assert messages_of(folder) == [
        "movies: there are movies.parquet and movies.csv; keep one of them",
        "plays: there are plays.csv and plays/; keep one of them",
    ]


def test_a_folder_without_parts_is_reported(write_data):
    folder = write_data("csv", ratings=None)
    (folder / "ratings").mkdir()
    assert messages_of(folder) == ["ratings: the folder ratings/ holds no Parquet parts"]


@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_a_truncated_parquet_file_is_reported(write_data, share):
    path = write_data("parquet") / "ratings.parquet"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    (message,) = messages_of(path.parent)
    assert message.startswith("ratings: can't be read: ")


def test_damaged_pages_of_parquet_are_reported(write_data):
    path = write_data("parquet") / "members.parquet"
    good = path.read_bytes()
    path.write_bytes(good[:4] + bytes(60) + good[64:])
    (message,) = messages_of(path.parent)
    assert message.startswith("members: can't be read: ")


@pytest.mark.parametrize(
    "contents",
    [b"", "member_id,age\nr1,1,2,3\n", b"member_id,age\n\xff\xfe,1\n", 'member_id,age\nr1,"1\nr2,2\n'],
)
def test_a_broken_csv_file_is_reported(write_data, contents):
    (message,) = messages_of(write_data("csv", members=contents))
    assert message.startswith("members: can't be read: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_reported(write_data):
    path = write_data("csv") / "members.csv"
    path.chmod(0)
    (message,) = messages_of(path.parent)
    assert message.startswith("members: can't be read: ")


def test_a_panic_of_the_reader_is_a_problem_and_no_crash():
    assert not issubclass(pl.exceptions.PanicException, Exception)
    with pytest.raises(DataError, match=r"^members: can't be read: index out of bounds$"), readable("members"):
        raise pl.exceptions.PanicException("index out of bounds\nmore")


@pytest.mark.parametrize("mark", ["None", "nan", "NULL", r"\N", "-"])
@pytest.mark.parametrize("table", ["members", "ratings", "plays"])
def test_a_mark_of_missing_values_in_place_of_an_id_is_a_warning(write_data, tables, table, mark):
    ids = pl.when(pl.int_range(pl.len()) == 1).then(pl.lit(mark)).otherwise("member_id").alias("member_id")
    (warning,) = read_tables(write_data("csv", **{table: tables[table].with_columns(ids)})).warnings
    assert (warning.table, warning.column, warning.rows, warning.example) == (table, "member_id", 1, mark)


@pytest.mark.parametrize(
    ("table", "column"),
    [("ratings", "rating"), ("plays", "completion"), ("plays", "played_at"), ("movies", "release_year")],
)
def test_the_remedy_for_text_that_is_no_value_works(write_data, tables, table, column):
    planted = {table: changed(tables[table], column, row0="0000-00-00")}
    (message,) = messages_of(write_data("csv", **planted))
    assert "as missing = [...]" in message or "schema.toml missing = [...]" in message
    assert read_tables(write_data("csv", f'[{table}]\nmissing = ["0000-00-00"]', **planted))


@pytest.mark.parametrize("infinite", ["inf", "-Infinity", "1e400"])
def test_an_infinite_number_of_an_attribute_is_a_warning(write_data, tables, infinite):
    members = changed(tables["members"], "age", row3=infinite)
    (warning,) = read_tables(write_data("csv", members=members)).warnings
    assert (warning.column, warning.rows, warning.example) == ("age", 1, infinite)
    stated = read_tables(write_data("csv", f'[members]\nmissing = ["{infinite}"]', members=members))
    assert stated.members["age"].null_count() == 1
    assert not stated.warnings
