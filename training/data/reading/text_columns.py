"""Infers from the text in a column whether it stands for categories, numbers or flags, and refuses mixtures."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import polars as pl

from features.values import flags, missing, numbers, times
from training.errors import Problem

TextKind = Literal["categorical", "code", "flag", "numeric"]
"""Kind of a text column. Codes are categories in which marks of missing values are missing: digits and times."""

MIXED_SHARE = 0.95
"""Minimum share of numbers, flags or times in a column whose other text is an error; with fewer, all are categories."""

HALF = 0.5
"""Minimum share of numbers, flags or times in a column of categories from which there is a warning."""

CODES_SHARE, CODE_LENGTH = 0.05, 4
"""Digits are codes if this share has leading zeros, or if all have the same length, which is at least this long."""

ZEROS = r"^00+$"
"""Pattern of repeated zeros, which may stand for an unknown number."""

FOREIGN_NUMBER = r"^[+\-\u2212]?(?:\p{Sc}\s?)?(?:\d+|\d{1,3}(?:[.,'\u2019\s]\d{3})+)(?:[.,]\d+)?-?(?:\s?[\p{Sc}%])?$"
"""Pattern of numbers with a decimal comma, separators of thousands, another minus sign, a sign of percent
or of a currency, or other digits than 0 to 9."""


@dataclass(frozen=True)
class TextCounts:
    """Numbers of rows by what their text is, and examples of it. Missing values aren't counted as given."""

    given: int
    marks: int
    """Number of rows with a usual mark of missing values."""
    mark: str | None
    numbers: int
    codes: int
    """Number of rows with digits that have leading zeros, but not only zeros."""
    code: str | None
    zeros: int
    """Number of rows with repeated zeros, which are codes in a column of codes."""
    foreign: int
    """Number of rows with a number in a notation that isn't read."""
    foreign_number: str | None
    flags: int
    times: int
    no_number: str | None
    """Text that is neither a number nor a code."""
    no_flag: str | None
    no_time: str | None
    shortest: int | None
    """Number of characters of the shortest text; None if all are missing."""
    longest: int | None
    """Number of characters of the longest text; None if all are missing."""


def count_text(values: pl.DataFrame, marks: Collection[str]) -> TextCounts:
    """Count the rows by what their text is. `values` has the distinct values of a column, `text`, and their `rows`.

    The examples are the most frequent values.
    """
    given = missing.unmarked_text("text", marks)
    any_text = missing.text("text", marks)
    has_zeros = given.str.contains(numbers.CODE)
    is_number = given.is_not_null() & ~numbers.no_number("text", pl.String(), marks) & ~has_zeros
    kinds = {
        "given": given.is_not_null(),
        "marks": any_text.is_not_null() & given.is_null(),
        "numbers": is_number,
        "codes": has_zeros & ~given.str.contains(ZEROS),
        "zeros": given.str.contains(ZEROS),
        "foreign": given.str.contains(FOREIGN_NUMBER) & ~is_number & ~has_zeros,
        "flags": flags.flag("text", marks).is_not_null(),
        "times": given.str.contains(times.ISO_8601),
    }
    length = given.str.len_chars().alias("length")
    kind_of = values.sort("rows", "text", descending=[True, False]).select(
        any_text.alias("text"), "rows", length, *(kind.fill_null(False).alias(name) for name, kind in kinds.items())
    )
    is_given, is_kind = pl.col("given"), {name: pl.col(name) for name in kinds}
    examples = {
        "mark": is_kind["marks"],
        "code": is_kind["codes"],
        "foreign_number": is_kind["foreign"],
        "no_number": is_given & ~is_kind["numbers"] & ~is_kind["foreign"] & ~is_kind["codes"],
        "no_flag": is_given & ~is_kind["flags"],
        "no_time": is_given & ~is_kind["times"],
    }
    counts = kind_of.select(
        *(pl.col("rows").filter(kind).sum().alias(name) for name, kind in is_kind.items()),
        *(pl.col("text").filter(kind).first().alias(name) for name, kind in examples.items()),
        pl.col("length").min().alias("shortest"),
        pl.col("length").max().alias("longest"),
    )
    return TextCounts(**counts.row(0, named=True))


def text_kind(counts: TextCounts) -> TextKind:
    """Return the kind of a column. Text in a column of numbers, flags or times makes all of them categories."""
    if counts.given in (0, counts.times) or _are_codes(counts):
        return "code"
    if counts.given == counts.numbers:
        return "numeric"
    return "flag" if counts.given == counts.flags else "categorical"


def check_text(table: str, column: str, counts: TextCounts) -> list[Problem]:
    """Return the problems of a column that schema.toml doesn't name, if its text is of several kinds."""
    if text_kind(counts) != "categorical":
        return []
    least = MIXED_SHARE * counts.given
    if counts.numbers + counts.foreign >= least:
        return _number_problems(table, column, counts)
    for noun, number, example in (("flag", counts.flags, counts.no_flag), ("time", counts.times, counts.no_time)):
        if number >= least:
            text = f"with a value that is no {noun}"
            return [Problem(table, text, column, counts.given - number, example, _remedy(table, column))]
    return _warnings(table, column, counts)


def _are_codes(counts: TextCounts) -> bool:
    if counts.codes == 0 or counts.numbers + counts.codes + counts.zeros < counts.given:
        return False
    has_one_length = counts.shortest == counts.longest and (counts.longest or 0) >= CODE_LENGTH
    return has_one_length or _has_many_codes(counts)


def _has_many_codes(counts: TextCounts) -> bool:
    return counts.codes >= CODES_SHARE * counts.given


def _number_problems(table: str, column: str, counts: TextCounts) -> list[Problem]:
    """Return the problems of a column of numbers in which some values aren't."""
    text = counts.given - counts.numbers - counts.foreign - counts.codes
    foreign = "write numbers with a decimal point and without separators of thousands and signs of units"
    kinds = (
        (counts.foreign, "with a number in a notation that isn't read", counts.foreign_number, foreign),
        (counts.codes, "with leading zeros, as in codes, in a column of numbers", counts.code, "correct them"),
        (text, "with a value that is no number", counts.no_number, "correct them"),
    )
    return [
        Problem(table, text, column, rows, example, _remedy(table, column, first))
        for rows, text, example, first in kinds
        if rows
    ]


def _remedy(table: str, column: str, first: str = "correct them") -> str:
    return (
        f'{first}, or write under [{table}] in schema.toml missing = [...] with the text that means "not known", or '
        f'categorical = ["{column}"] if the column holds categories'
    )


def _warnings(table: str, column: str, counts: TextCounts) -> list[Problem]:
    """Return the warnings about a column of categories."""
    warnings = []
    if counts.marks:
        text = "with text that often means that the value is missing, but counts as a category"
        remedy = f"if it is missing, list the text under [{table}] in schema.toml as missing = [...]"
        warnings.append(Problem(table, text, column, counts.marks, counts.mark, remedy, is_warning=True))
    if counts.numbers >= HALF * counts.given and not _has_many_codes(counts):
        text = "with text among numbers, all of which count as categories"
        rows = counts.given - counts.numbers
        warnings.append(Problem(table, text, column, rows, counts.no_number or counts.code, is_warning=True))
    for noun, number, example in (("flags", counts.flags, counts.no_flag), ("times", counts.times, counts.no_time)):
        if number >= HALF * counts.given:
            text = f"with text among {noun}, all of which count as categories"
            warnings.append(Problem(table, text, column, counts.given - number, example, is_warning=True))
    return warnings
