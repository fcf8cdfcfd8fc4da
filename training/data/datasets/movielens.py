"""Reads MovieLens 100K, 1M and later CSV releases, which are recognised by their files.

Zip codes are dropped and nothing is derived from them, because together with gender and age they identify most members.
In 1M, codes of ages and occupations are replaced by the names in the release's README. Titles stay as published, and
the year in a title becomes `release_year`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from features.columns import GENRES, MEMBER_ID, MOVIE_ID, RATED_AT, RATING, RELEASE_YEAR, TITLE
from features.values import genres, missing, numbers, times, years
from training.data.files.table_files import readable, refuse_no_folder
from training.data.reading.checks import Check, failed, needs_id, needs_number, tally
from training.errors import DataError, Problem

ReleaseTables = dict[str, pl.DataFrame]

AGES = {
    "1": "under 18",
    "18": "18-24",
    "25": "25-34",
    "35": "35-44",
    "45": "45-49",
    "50": "50-55",
    "56": "56 and over",
}
"""Names of the age groups in MovieLens 1M by code, from its README."""

OCCUPATIONS = (
    "other or not specified",
    "academic or educator",
    "artist",
    "clerical or admin",
    "college or graduate student",
    "customer service",
    "doctor or health care",
    "executive or managerial",
    "farmer",
    "homemaker",
    "K-12 student",
    "lawyer",
    "programmer",
    "retired",
    "sales or marketing",
    "scientist",
    "self-employed",
    "technician or engineer",
    "tradesman or craftsman",
    "unemployed",
    "writer",
)
"""Names of the occupations in MovieLens 1M, from its README. The code is the position."""

NO_GENRES = ("unknown", "(no genres listed)")
"""Values that mean that no genre is given, in 100K and in later releases."""

YEAR = r"\((\d{4})(?:[-\u2013]\d{0,4})?\)\s*$"
"""Pattern of the year at the end of a title, or of the first year if there is a range, as for series in later
releases."""

UNIT = "\x1f"
"""Field separator that replaces the original one, such as `::`, because CSV readers support only single characters. No
MovieLens file contains it."""


def read_release(source: Path) -> tuple[str, ReleaseTables, float]:
    """Return the name, tables and lowest rating of the release in a folder. Raises DataError if there is none."""
    refuse_no_folder(str(source), source)
    for name, files, read, lowest in RELEASES:
        if not (source / files[0]).is_file():
            continue
        missing = [file for file in files if not (source / file).is_file()]
        if missing:
            raise DataError([Problem(str(source), f"{name} has a file {file}, which is missing") for file in missing])
        with readable(str(source)):
            return name, read(source), lowest
    files_of = "; ".join(f"{name} by {', '.join(files)}" for name, files, _, _ in RELEASES)
    raise DataError([Problem(str(source), f"holds no MovieLens release; they are told by their files: {files_of}")])


def _read_100k(source: Path) -> ReleaseTables:
    ratings = _fields(source / "u.data", "\t", [MEMBER_ID, MOVIE_ID, RATING, RATED_AT])
    members = _fields(source / "u.user", "|", [MEMBER_ID, "age", "gender", "occupation", "zip"])
    names = _fields(source / "u.genre", "|", ["genre", "place"])["genre"].drop_nulls().to_list()
    movies = _fields(source / "u.item", "|", [MOVIE_ID, TITLE, "released", "released on video", "address", *names])
    flagged = pl.concat_list([pl.when(pl.col(name) == "1").then(pl.lit(name)) for name in names])
    released = _year(pl.col("released").str.extract(r"(\d{4})$"))
    _refuse("u.user", members, [needs_number("age", numbers.no_number("age", pl.String()))])
    return {
        "members": members.select(MEMBER_ID, numbers.number("age", pl.String()).cast(pl.Int64), "gender", "occupation"),
        "movies": movies.with_columns(flagged.alias(GENRES)).select(
            MOVIE_ID, TITLE, pl.coalesce(_title_year(), released), _genres(pl.List(pl.String()))
        ),
        "ratings": _ratings("u.data", ratings),
    }


def _read_1m(source: Path) -> ReleaseTables:
    ratings = _fields(source / "ratings.dat", "::", [MEMBER_ID, MOVIE_ID, RATING, RATED_AT], optional=1)
    members = _fields(source / "users.dat", "::", [MEMBER_ID, "gender", "age", "occupation", "zip"])
    movies = _fields(source / "movies.dat", "::", [MOVIE_ID, TITLE, GENRES])
    occupations = {str(code): name for code, name in enumerate(OCCUPATIONS)}
    named = [pl.col("age").replace(AGES), pl.col("occupation").replace(occupations)]
    return {
        "members": members.select(MEMBER_ID, "gender", *named),
        "movies": movies.select(MOVIE_ID, TITLE, _title_year(), _genres(pl.String())),
        "ratings": _ratings("ratings.dat", ratings),
    }


def _read_later(source: Path) -> ReleaseTables:
    names = {"userId": MEMBER_ID, "movieId": MOVIE_ID, "timestamp": RATED_AT}
    ratings = pl.read_csv(source / "ratings.csv", infer_schema=False, glob=False).rename(names, strict=False)
    movies = pl.read_csv(source / "movies.csv", infer_schema=False, glob=False).rename(names, strict=False)
    return {
        "members": ratings.select(pl.col(MEMBER_ID).unique(maintain_order=True)),
        "movies": movies.select(MOVIE_ID, TITLE, _title_year(), _genres(pl.String())),
        "ratings": _ratings("ratings.csv", ratings),
    }


RELEASES: tuple[tuple[str, Sequence[str], Callable[[Path], ReleaseTables], float], ...] = (
    ("MovieLens 100K", ("u.data", "u.user", "u.item", "u.genre"), _read_100k, 1.0),
    ("MovieLens 1M", ("ratings.dat", "users.dat", "movies.dat"), _read_1m, 1.0),
    ("a later MovieLens release", ("ratings.csv", "movies.csv"), _read_later, 0.5),
)
"""Name, files (the first identifies the release), reader function and lowest rating of each release."""


def _fields(path: Path, separator: str, names: list[str], optional: int = 0) -> pl.DataFrame:
    """Return the fields of a latin-1 file without a header, as text. All rows may lack the last `optional` fields."""
    text = path.read_bytes().decode("latin-1").replace(separator, UNIT).encode()
    rows = pl.read_csv(text, separator=UNIT, has_header=False, infer_schema=False, quote_char=None)
    if not len(names) - optional <= rows.width <= len(names):
        raise DataError([Problem(path.name, f"has {rows.width} fields in its first row, not {len(names)}")])
    return rows.rename(dict(zip(rows.columns, names, strict=False)))


def _ratings(file: str, rows: pl.DataFrame) -> pl.DataFrame:
    text = pl.String()
    rating, columns = numbers.number(RATING, text), []
    checks = [needs_id(MEMBER_ID), needs_id(MOVIE_ID), Check(RATING, rating.is_null(), "without a rating")]
    if RATED_AT in rows.columns:
        seconds = times.counted_seconds(RATED_AT, text)
        checks.append(
            Check(RATED_AT, missing.is_given(RATED_AT, text) & seconds.is_null(), "without a time in seconds")
        )
        columns.append((seconds * 1_000_000).cast(pl.Int64).cast(pl.Datetime("us", "UTC")).alias(RATED_AT))
    _refuse(file, rows, checks)
    return rows.select(MEMBER_ID, MOVIE_ID, rating, *columns)


def _refuse(file: str, rows: pl.DataFrame, checks: Sequence[Check]) -> None:
    """Raise DataError if any row of a file fails a check."""
    problems = failed(file, checks, tally(rows.lazy(), checks).collect())
    if problems:
        raise DataError(problems)


def _title_year() -> pl.Expr:
    return _year(pl.col(TITLE).str.extract(YEAR))


def _year(digits: pl.Expr) -> pl.Expr:
    year = digits.cast(pl.Int64)
    return pl.when(years.is_year_column(year)).then(year).alias(RELEASE_YEAR)


def _genres(dtype: pl.DataType) -> pl.Expr:
    return genres.genres(GENRES, dtype, marks=NO_GENRES)
