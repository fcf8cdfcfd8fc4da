"""schema.toml overrides what is inferred, and every wrong key or value of it is reported at once."""

import pytest

from training.data.reading.schema_file import ColumnSettings, RatingSettings, SchemaSettings, read_schema_file
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
        movies=ColumnSettings(ignore=("imdb_url",)),
    )


def test_without_the_file_nothing_is_overridden(tmp_path):
    assert read_schema_file(tmp_path) == SchemaSettings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[rating]\nscale = [1, 5]", "schema.toml: [rating] is not known; there are [ratings], [members], [movies]"),
        ("[ratings]\nscales = [1, 5]", "schema.toml: [ratings] scales is not known; there are scale, enjoyed_from"),
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
        '[members]\nnumeric = 3\n[movies]\nnumeric = ["a", "b"]\nignore = ["b", "a"]\n[plays]\n'
    )
    with pytest.raises(DataError) as raised:
        read_schema_file(tmp_path)
    assert [problem.text for problem in raised.value.problems] == [
        "[ratings] scale must be the lowest and the highest rating, as [1.0, 5.0]",
        "[ratings] enjoyed is not known; there are scale, enjoyed_from",
        '[members] numeric must be a list of column names, as ["age"]',
        "[movies] column a is named more than once: in numeric, ignore",
        "[movies] column b is named more than once: in numeric, ignore",
        "[plays] is not known; there are [ratings], [members], [movies]",
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
    assert str(raised.value) == message


def test_a_wrong_enjoyed_from_is_reported_along_with_other_problems(write_data):
    with pytest.raises(DataError) as raised:
        read_tables(write_data("csv", "[ratings]\nenjoyed_from = 0.5", movies=None))
    assert [problem.table for problem in raised.value.problems] == ["movies", "schema.toml"]
