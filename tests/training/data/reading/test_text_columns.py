"""Text stands for numbers, flags or categories by what all of it is; mixtures that hold a mistake are refused."""

from datetime import date, timedelta

import polars as pl
import pytest

from tests.training.conftest import refusal
from training.__main__ import main
from training.data.reading.tables import read_tables
from training.errors import DataError

MEMBERS = 26
KINDS = ("csv", "parquet")
MARKS = ("NA", "NULL", "None", r"\N", "n/a", "-", "nan", "#N/A", " NA ", "null")
NUMBERS = [str(20 + place) for place in range(MEMBERS)]
FLAGS = ["True" if place % 2 else "false" for place in range(MEMBERS)]
DAYS = [str(date(2020, 1, 1) + timedelta(place)) for place in range(MEMBERS)]
ZIPS = [f"{place * 3701 % 100_000:05}" for place in range(1, MEMBERS + 1)]


def with_column(tables, values: list[str | None], dtype=pl.String) -> pl.DataFrame:
    return tables["members"].with_columns(pl.Series("extra", values, dtype=pl.String).cast(dtype))


def read(write_data, tables, kind, values, schema=None) -> pl.Series:
    return read_tables(write_data(kind, schema, members=with_column(tables, values))).members["extra"]


def messages(write_data, tables, kind, values) -> list[str]:
    return refusal(write_data(kind, members=with_column(tables, values))).splitlines()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_among_numbers_flags_and_days_is_missing(write_data, tables, kind, mark):
    for values in (NUMBERS, FLAGS, DAYS, ZIPS):
        marked = read(write_data, tables, kind, [mark, *values[1:]])
        empty = read(write_data, tables, kind, [None, *values[1:]])
        assert marked.equals(empty, null_equal=True)
        assert marked.dtype == empty.dtype
        assert marked.null_count() == 1


@pytest.mark.parametrize("kind", KINDS)
def test_in_other_text_a_mark_is_a_category_with_a_warning(write_data, tables, kind):
    countries = ["NA", *["DE", "FR", "None"] * 9][:MEMBERS]
    folder = write_data(kind, members=with_column(tables, countries))
    tables_read = read_tables(folder)
    assert set(tables_read.members["extra"]) == {"NA", "DE", "FR", "None"}
    (warning,) = tables_read.warnings
    assert (warning.column, warning.rows, warning.example) == ("extra", 9, "None")
    stated = read_tables(write_data(kind, '[members]\nmissing = ["NA"]', members=with_column(tables, countries)))
    assert stated.members["extra"].null_count() == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("values", "rows", "text", "example"),
    [
        (["unknown", *NUMBERS[1:]], 1, "that is no number", "unknown"),
        (["1,234", *NUMBERS[1:]], 1, "notation that isn't read", "1,234"),
        (["3,5", *NUMBERS[1:]], 1, "notation that isn't read", "3,5"),
        (["007", *NUMBERS[1:]], 1, "leading zeros", "007"),
        (["\u22125", *NUMBERS[1:]], 1, "notation that isn't read", "\u22125"),
        (["00", *NUMBERS[1:]], 1, "that is no number", "00"),
        ([f"{place},5" for place in range(MEMBERS)], MEMBERS, "notation that isn't read", "0,5"),
        ([f"1.{place:03}.000,5" for place in range(MEMBERS)], MEMBERS, "notation that isn't read", "1.000.000,5"),
        ([f"{place + 1} 000" for place in range(MEMBERS)], MEMBERS, "notation that isn't read", "1 000"),
        ([f"{place + 1}'000" for place in range(MEMBERS)], MEMBERS, "notation that isn't read", "1'000"),
        ([f"{place + 1}\xa0000" for place in range(MEMBERS)], MEMBERS, "notation that isn't read", "10\xa0000"),
        (["5", "3", *[f"{place},25" for place in range(2, MEMBERS)]], MEMBERS - 2, "notation that isn't read", "10,25"),
        ([f"{place}%" for place in range(MEMBERS)], MEMBERS, "notation that isn't read", "0%"),
        ([f"{place}.5 %" for place in range(MEMBERS)], MEMBERS, "notation that isn't read", "0.5 %"),
        ([f"${place},000" for place in range(MEMBERS)], MEMBERS, "notation that isn't read", "$0,000"),
        ([f"{place},50 \u20ac" for place in range(MEMBERS)], MEMBERS, "notation that isn't read", "0,50 \u20ac"),
        (["maybe", *FLAGS[1:]], 1, "that is no flag", "maybe"),
        (["yesterday", *DAYS[1:]], 1, "that is no time", "yesterday"),
    ],
)
def test_few_mistakes_and_other_notations_are_refused(write_data, tables, kind, values, rows, text, example):
    (message,) = messages(write_data, tables, kind, values)
    count = "1 row" if rows == 1 else f"{rows} rows"
    assert message.startswith(f"members, column extra: {count} with ")
    assert text in message
    assert f"for example {example!r}; " in message
    assert 'categorical = ["extra"]' in message


def test_each_kind_of_mistake_has_its_message(write_data, tables):
    bent = pl.concat([with_column(tables, NUMBERS)] * 3).with_columns(
        member_id=pl.concat_str("member_id", pl.int_range(pl.len())),
        extra=pl.Series(["3,5", "007", "x", "y", *(NUMBERS * 3)[4:]]),
    )
    with pytest.raises(DataError) as raised:
        read_tables(write_data("csv", members=bent))
    assert [(problem.rows, problem.example) for problem in raised.value.problems] == [(1, "3,5"), (1, "007"), (2, "x")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "values",
    [
        ZIPS,
        ["T8H1N", "V3N4P", *ZIPS[2:]],
        ["00000", *ZIPS[1:]],
        ["02139", *[str(10_000 + 7 * place) for place in range(1, MEMBERS)]],
        [f"{month % 12 + 1:02}" for month in range(MEMBERS)],
        ["18-24", "25-34"] * 13,
        ["1", "1,2", "2,3,4", "1,2,3"] * 6 + ["4", "1,2,5"],
        ["1", "2", "three"] * 8 + ["1", "2"],
        ["7 days", "30 days"] * 13,
        ["5'11", "6'0"] * 13,
        ["yes", "no"] * 13,
        ["T", "f"] * 13,
        ["1.0.3", "1.10.0"] * 13,
        ["१२ वर्ष", "十二"] * 13,
    ],
)
def test_codes_and_categories_pass_as_they_stand(write_data, tables, kind, values):
    assert read(write_data, tables, kind, values).to_list() == [
        value for _, value in sorted(zip(tables["members"]["member_id"], values, strict=True))
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("values", [["NA"] * MEMBERS, ["", None] * 13, [None] * MEMBERS])
def test_a_column_without_any_value_is_missing(write_data, tables, kind, values):
    folder = write_data(kind, members=with_column(tables, values))
    assert read_tables(folder).members["extra"].null_count() == MEMBERS
    assert [warning.column for warning in read_tables(folder).warnings] == ["extra"]


def test_columns_that_parquet_marks_as_categories_stay_categories(write_data, tables):
    members = with_column(tables, NUMBERS, pl.Categorical).with_columns(
        few=pl.Series(FLAGS).cast(pl.Enum(["True", "false"]))
    )
    read = read_tables(write_data("parquet", members=members)).members
    assert read["extra"].dtype == read["few"].dtype == pl.String
    assert set(read["few"]) == {"true", "false"}


@pytest.mark.parametrize("kind", KINDS)
def test_schema_toml_settles_what_a_mixture_is(write_data, tables, kind):
    values = ["unknown", *NUMBERS[1:]]
    missing = read(write_data, tables, kind, values, '[members]\nmissing = ["unknown"]')
    assert (missing.dtype, missing.null_count()) == (pl.Float64, 1)
    categories = read(write_data, tables, kind, values, '[members]\ncategorical = ["extra"]')
    assert (categories.dtype, categories.null_count(), "unknown" in categories) == (pl.String, 0, True)
    ignored = read_tables(write_data(kind, '[members]\nignore = ["extra"]', members=with_column(tables, values)))
    assert "extra" not in ignored.members


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("code", ["999", "999.0", " 999 ", "9.99e2"])
def test_a_number_that_is_listed_as_missing_may_be_written_in_any_way(write_data, tables, kind, code):
    ages = read(write_data, tables, kind, [code, *NUMBERS[1:]], "[members]\nmissing = [999]")
    assert (ages.dtype, ages.null_count(), ages.max()) == (pl.Float64, 1, 45)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("values", [NUMBERS, FLAGS, DAYS])
def test_a_column_in_which_half_are_numbers_flags_or_days_is_a_warning(write_data, tables, kind, values):
    folder = write_data(kind, members=with_column(tables, [*values[:20], *["many"] * 6]))
    (warning,) = read_tables(folder).warnings
    assert (warning.column, warning.rows, warning.example) == ("extra", 6, "many")


def test_validate_ends_with_the_problem_and_exit_code_2(write_data, tables, capsys):
    folder = write_data("csv", members=with_column(tables, ["unknown", *NUMBERS[1:]]))
    assert main(["validate", "--data", str(folder)]) == 2
    assert (
        "members, column extra: 1 row with a value that is no number, for example 'unknown'" in capsys.readouterr().err
    )


@pytest.mark.parametrize("name", ["count", "rows", "text", "given", ""])
def test_a_column_may_have_any_name(write_data, tables, name):
    members = with_column(tables, [None, *NUMBERS[1:]]).rename({"extra": name or "A column, with a comma"})
    assert read_tables(write_data("csv", members=members)).members.to_series(3).null_count() == 1
