"""schema.toml overrides what is inferred, and every wrong key or value of it is reported at once."""

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from training.data.reading.schema_file import (
    ColumnSettings,
    EventSettings,
    MovieSettings,
    RatingSettings,
    SchemaSettings,
    read_schema_file,
    schema_table,
)
from training.data.reading.tables import read_tables
from training.errors import DataError

CONTRACT = """
[ratings]
scale = [1.0, 5.0]          # else the lowest and the highest rating seen
enjoyed_from = 4.0          # a rating from here up counts as enjoyed
[members]
categorical = ["occupation"]
numeric = ["age"]
ignore = ["zip"]
[movies]
ignore = ["imdb_url"]
"""


def test_all_keys_of_the_contract_are_read(tmp_path):
    (tmp_path / "schema.toml").write_text(CONTRACT)
    assert read_schema_file(tmp_path) == SchemaSettings(
        ratings=RatingSettings(scale=(1.0, 5.0), enjoyed_from=4.0),
        members=ColumnSettings(categorical=("occupation",), numeric=("age",), ignore=("zip",)),
        movies=MovieSettings(ignore=("imdb_url",)),
    )


FURTHER = """
[ratings]
missing = [0, "not rated"]
earliest = 1995-01-01
[plays]
missing = [9999-12-31, -1.5]
earliest = 1995-01-01T06:00:00+01:00
latest = 2030-12-31
[members]
missing = ["unknown", -1]
[movies]
missing = ["?"]
separator = ","
"""


def test_all_further_keys_are_read(tmp_path):
    (tmp_path / "schema.toml").write_text(FURTHER)
    read = read_schema_file(tmp_path)
    assert read == SchemaSettings(
        ratings=RatingSettings(missing=("0", "not rated"), earliest=date(1995, 1, 1)),
        plays=EventSettings(
            missing=("9999-12-31", "-1.5"),
            earliest=datetime(1995, 1, 1, 6, tzinfo=timezone(timedelta(hours=1))),
            latest=date(2030, 12, 31),
        ),
        members=ColumnSettings(missing=("unknown", "-1")),
        movies=MovieSettings(missing=("?",), separator=","),
    )
    assert read.ratings.earliest_seconds == datetime(1995, 1, 1, tzinfo=UTC).timestamp()
    assert read.plays.earliest_seconds == datetime(1995, 1, 1, 5, tzinfo=UTC).timestamp()
    assert read.plays.latest_seconds == pytest.approx(datetime(2031, 1, 1, tzinfo=UTC).timestamp(), abs=1e-3)
    assert read.ratings.latest_seconds is None


def test_the_documentation_has_the_current_table_of_keys():
    text = (Path(__file__).parents[4] / "docs/data.md").read_text(encoding="utf-8")
    assert f"\n{schema_table()}\n" in text, "run `make docs`"


def test_without_the_file_nothing_is_overridden(tmp_path):
    assert read_schema_file(tmp_path) == SchemaSettings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[rating]\nscale = [1, 5]",
            "schema.toml: [rating] is not known; there are [ratings], [members], [movies], [plays]",
        ),
        (
            "[ratings]\nscales = [1, 5]",
            "schema.toml: [ratings] scales is not known; there are missing, earliest, latest, scale, enjoyed_from",
        ),
        ("[plays]\nscale = [1, 5]", "schema.toml: [plays] scale is not known; there are missing, earliest, latest"),
        (
            '[members]\nseparator = ","',
            "schema.toml: [members] separator is not known; there are categorical, numeric, ignore, missing",
        ),
        *(
            (
                f"[{table}]\nmissing = {given}",
                f'schema.toml: [{table}] missing must be a list of text and numbers, as ["unknown", -1]',
            )
            for table in ("ratings", "plays", "members", "movies")
            for given in ("0", '"NA"', "[true]", "[[1]]")
        ),
        *(
            (f"[plays]\nlatest = {given}", "schema.toml: [plays] latest must be a date or a time, as 2030-12-31")
            for given in ('"2030-12-31"', "2030", "12:00:00")
        ),
        (
            "[ratings]\nearliest = 2020-01-02\nlatest = 2020-01-01",
            "schema.toml: [ratings] earliest must be before latest",
        ),
        ('[movies]\nseparator = ""', 'schema.toml: [movies] separator must be the text between genres, as ","'),
        ("members = 3", "schema.toml: members must be a section, [members]"),
        *(
            (
                f"[ratings]\nscale = {scale}",
                "schema.toml: [ratings] scale must be the lowest and the highest rating, as [1.0, 5.0]",
            )
            for scale in (
                "5",
                "[1]",
                "[1, 5, 9]",
                "[5, 1]",
                "[1, 1]",
                '["1", "5"]',
                "[true, 5]",
                "[nan, 5]",
                "[1, inf]",
            )
        ),
        *(
            (
                f"[ratings]\nenjoyed_from = {given}",
                "schema.toml: [ratings] enjoyed_from must be a number on the rating scale",
            )
            for given in ('"4"', "true", "nan")
        ),
        ("[members]\nignore = [1]", 'schema.toml: [members] ignore must be a list of column names, as ["age"]'),
        ("[movies]\nnumeric = 'x'", 'schema.toml: [movies] numeric must be a list of column names, as ["age"]'),
        (
            '[members]\nnumeric = ["age"]\nignore = ["age"]',
            "schema.toml: [members] column age is named more than once: in numeric, ignore",
        ),
    ],
)
def test_a_wrong_key_or_type_is_reported(tmp_path, text, message):
    (tmp_path / "schema.toml").write_text(text)
    with pytest.raises(DataError) as raised:
        read_schema_file(tmp_path)
    assert str(raised.value) == message


def test_every_wrong_value_is_reported_at_once(tmp_path):
    (tmp_path / "schema.toml").write_text(
        "[ratings]\nscale = [5, 1]\nenjoyed = 3\n"
        '[members]\nnumeric = 3\n[movies]\nnumeric = ["a", "b"]\nignore = ["b", "a"]\n[views]\n'
    )
    with pytest.raises(DataError) as raised:
        read_schema_file(tmp_path)
    assert [problem.text for problem in raised.value.problems] == [
        "[ratings] scale must be the lowest and the highest rating, as [1.0, 5.0]",
        "[ratings] enjoyed is not known; there are missing, earliest, latest, scale, enjoyed_from",
        '[members] numeric must be a list of column names, as ["age"]',
        "[movies] column a is named more than once: in numeric, ignore",
        "[movies] column b is named more than once: in numeric, ignore",
        "[views] is not known; there are [ratings], [members], [movies], [plays]",
    ]


@pytest.mark.parametrize("contents", [b"[ratings\n", b"\xff\xfe", b"a = "])
def test_a_file_that_is_no_toml_is_reported(tmp_path, contents):
    (tmp_path / "schema.toml").write_bytes(contents)
    with pytest.raises(DataError, match=r"^schema\.toml: can't be read: "):
        read_schema_file(tmp_path)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ('[members]\nignore = ["zpi"]', "schema.toml: [members] ignore names the column 'zpi', which the table lacks"),
        ('[movies]\nignore = ["movie_id"]', "schema.toml: [movies] ignore names 'movie_id', which is no attribute"),
        ('[movies]\nnumeric = ["title"]', "schema.toml: [movies] numeric names 'title', which is no attribute"),
        ("[ratings]\nenjoyed_from = 6", "schema.toml: [ratings] enjoyed_from is 6, outside the scale 1 to 5"),
        (
            '[members]\nnumeric = ["gender"]',
            "members, column gender: 26 rows with a value that is no number, for example 'M'",
        ),
    ],
)
def test_what_does_not_fit_the_tables_is_reported(write_data, schema, message):
    with pytest.raises(DataError) as raised:
        read_tables(write_data("csv", schema))
    assert str(raised.value).partition("; correct")[0] == message


def test_a_wrong_enjoyed_from_is_reported_along_with_other_problems(write_data):
    with pytest.raises(DataError) as raised:
        read_tables(write_data("csv", "[ratings]\nenjoyed_from = 0.5", movies=None))
    assert [problem.table for problem in raised.value.problems] == ["movies", "schema.toml"]


@pytest.mark.parametrize("name", ["Schema.toml", "schema.tml", "schema.toml.txt", "SCHEMA.TOML"])
def test_a_file_that_is_named_almost_like_the_schema_is_not_passed_over(write_data, name):
    folder = write_data("csv")
    (folder / name).write_text("[ratings]\nscale = [1, 9]")
    with pytest.raises(DataError, match=rf"{name} isn't read: rename it to schema\.toml"):
        read_tables(folder)
    (folder / "schema.toml").write_text("")
    assert read_tables(folder)
