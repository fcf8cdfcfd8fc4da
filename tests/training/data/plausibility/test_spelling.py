"""Ids that two tables write differently are refused with one id of each side; ids that differ pass."""

import unicodedata

import polars as pl
import pytest

from training.data.reading.tables import read_tables
from training.errors import DataError

SPELLINGS = {
    "a decimal": (lambda name: name + ".0", str),
    "a decimal after text": (lambda name: name + ".0", lambda number: f"r{number}"),
    "a blank": (lambda name: name + "  ", lambda number: f"r{number}"),
    "another case": (str.upper, lambda number: f"r{number}"),
    "decomposed characters": (lambda name: unicodedata.normalize("NFD", name), lambda number: f"é{number}"),
    "leading zeros": (lambda name: name.zfill(6), str),
    "quotes": (lambda name: f'"{name}"', lambda number: f"r{number}"),
    "a byte order mark": (lambda name: "\ufeff" + name, lambda number: f"r{number}"),
    "another dash": (lambda name: name.replace("-", "_"), lambda number: f"r-{number}"),
    "no hyphens": (lambda name: name.replace("-", ""), lambda number: f"{number:08x}-0000-4000-8000-{number:012x}"),
    "braces": (lambda name: f"{{{name.upper()}}}", lambda number: f"{number:08x}-0000-4000-8000-{number:012x}"),
    "thousands": (lambda name: f"{int(name):,}", lambda number: f"{number + 1_000_000}"),
    "full-width digits": (lambda name: name.translate({48 + digit: 0xFF10 + digit for digit in range(10)}), str),
}
KINDS = ("csv", "parquet")


def renamed(frame: pl.DataFrame, column: str, spelled) -> pl.DataFrame:
    """The table with other ids, made of the digits of its ids."""
    names = [spelled(int("".join(filter(str.isdigit, name)) or 99)) for name in frame[column]]
    return frame.with_columns(pl.Series(column, names))


def problems(folder) -> list:
    with pytest.raises(DataError) as raised:
        read_tables(folder)
    return list(raised.value.problems)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", SPELLINGS)
def test_members_whose_ids_are_written_differently_are_refused(write_data, tables, kind, way):
    respelled, name = SPELLINGS[way]
    members = renamed(tables["members"], "member_id", name)
    events = {t: renamed(tables[t], "member_id", lambda number: respelled(name(number))) for t in ("ratings", "plays")}
    (problem, *_) = problems(write_data(kind, members=members, **events))
    assert problem.text.startswith("only 0 of 25 members who rate are in the members table; 25 more would be")
    first = min(name(number) for number in range(25))
    assert problem.example.endswith(f" and {first!r}")


@pytest.mark.parametrize("way", SPELLINGS)
def test_players_whose_ids_are_written_differently_are_refused(write_data, tables, way):
    respelled, name = SPELLINGS[way]
    members, ratings = (renamed(tables[table], "member_id", name) for table in ("members", "ratings"))
    plays = renamed(tables["ratings"], "member_id", lambda number: respelled(name(number))).drop("rating")
    (problem,) = problems(write_data("csv", members=members, ratings=ratings, plays=plays))
    assert problem.text.startswith(
        "only 0 of 25 members who play are in the members or ratings table; 25 more would be"
    )


@pytest.mark.parametrize("way", SPELLINGS)
def test_the_message_about_unknown_movies_says_when_they_are_written_differently(write_data, tables, way):
    respelled, name = SPELLINGS[way]
    movies, plays = (renamed(tables[table], "movie_id", name) for table in ("movies", "plays"))
    ratings = renamed(tables["ratings"], "movie_id", lambda number: respelled(name(number)))
    (problem,) = problems(write_data("csv", movies=movies, ratings=ratings, plays=plays))
    assert problem.rows == 100
    assert problem.text.endswith(", 8 of 8 ids only because they are written differently there")
    assert problem.example == f"{respelled(name(0))!r} and {name(0)!r}"


@pytest.mark.parametrize("kind", KINDS)
def test_ids_of_other_members_are_no_problem_but_a_warning_if_nearly_all_are(write_data, tables, kind):
    few = read_tables(write_data(kind, members=tables["members"].head(12)))
    assert few.warnings == ()
    strangers = tables["members"].with_columns(pl.concat_str("member_id", pl.lit("-x")))
    (warning,) = read_tables(write_data(kind, members=strangers)).warnings
    assert str(warning) == "ratings, column member_id: only 0 of 25 members who rate are in the members table"


def test_half_of_the_ids_written_differently_are_a_warning(write_data, tables):
    members = tables["members"].with_columns(
        pl.when(pl.int_range(pl.len()) % 2 == 0).then("member_id").otherwise(pl.col("member_id").str.to_uppercase())
    )
    (warning,) = read_tables(write_data("csv", members=members)).warnings
    assert warning.text.startswith("only 13 of 25 members who rate are in the members table; 12 more would be")
    assert warning.example == "'r01' and 'R01'"


def test_ids_that_differ_in_case_only_are_different_members(write_data, tables):
    both = pl.concat([tables["members"], renamed(tables["members"], "member_id", lambda number: f"R{number:02}")])
    assert read_tables(write_data("csv", members=both)).warnings == ()
