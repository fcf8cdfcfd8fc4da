"""Reads the optional `schema.toml` of a data directory, which overrides what is inferred from the tables."""

import re
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from training.errors import DataError, Problem
from training.settings import TomlSettings, read_toml

SCHEMA_FILE = "schema.toml"


SIMILAR = re.compile(r"schema\.to?ml(?![a-z])", re.IGNORECASE)
"""Pattern of the beginning of names that are almost that of the file, such as Schema.toml and schema.toml.txt."""


def _ascending(scale: tuple[float, float]) -> tuple[float, float]:
    if scale[0] >= scale[1]:
        raise ValueError("the lowest rating must be below the highest")
    return scale


def _written(marks: object) -> object:
    """Return numbers and dates in a list as text."""
    if not isinstance(marks, list):
        return marks
    return [
        f"{mark:.15g}"
        if isinstance(mark, (int, float)) and not isinstance(mark, bool)
        else mark.isoformat()
        if isinstance(mark, date)
        else mark
        for mark in marks
    ]


Scale = Annotated[tuple[float, float], Field(strict=False), AfterValidator(_ascending)]
Columns = Annotated[tuple[str, ...], Field(strict=False)]
Marks = Annotated[tuple[str, ...], Field(strict=False), BeforeValidator(_written)]


class EventSettings(TomlSettings):
    """The settings of a table of events, `[ratings]` or `[plays]`."""

    missing: Marks = ()
    """Text, numbers and dates that stand for missing values, in addition to the usual marks."""
    earliest: datetime | date | None = None
    """Earliest possible time, or day in UTC. By default, times far before the others are refused."""
    latest: datetime | date | None = None
    """Latest possible time, or day in UTC. By default, times far after the others are refused."""

    @property
    def earliest_seconds(self) -> float | None:
        """Earliest possible time in seconds since 1970 UTC, or None if it isn't set."""
        return _seconds(self.earliest, time.min)

    @property
    def latest_seconds(self) -> float | None:
        """Latest possible time in seconds since 1970 UTC, or None if it isn't set. A day lasts until its end."""
        return _seconds(self.latest, time.max)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        earliest, latest = self.earliest_seconds, self.latest_seconds
        if earliest is not None and latest is not None and earliest > latest:
            raise PydanticCustomError("order", "earliest is after latest")
        return self


def _seconds(moment: date | None, time_of_day: time) -> float | None:
    """Return a time in seconds since 1970 UTC; `time_of_day` is that of a day."""
    if moment is None:
        return None
    given = moment if isinstance(moment, datetime) else datetime.combine(moment, time_of_day)
    return (given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp()


class RatingSettings(EventSettings):
    """The section `[ratings]` of schema.toml."""

    missing: Marks = ()
    """Text and numbers that stand for missing values, in addition to the usual marks. If the rating is one of them, the
    row is left out."""
    scale: Scale | None = None
    """Lowest and highest possible rating. By default, these are the minimum and maximum in the data."""
    enjoyed_from: float | None = None
    """Lowest rating that counts as enjoyed. By default, it is 75 % of the way up the scale."""


NAMING_COLUMNS = ("categorical", "numeric", "ignore")
"""Keys whose values are lists of columns."""


class ColumnSettings(TomlSettings):
    """The section `[members]` or `[movies]` of schema.toml, in which a column may be named only once."""

    categorical: Columns = ()
    """Categorical columns, even if their values look like numbers."""
    numeric: Columns = ()
    """Numeric columns. Values that aren't numbers are reported as problems."""
    ignore: Columns = ()
    """Columns to ignore."""
    missing: Marks = ()
    """Text and numbers that stand for missing values, in all columns but the id, in addition to the usual marks."""

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        keys: dict[str, list[str]] = {}
        for key in NAMING_COLUMNS:
            for column in getattr(self, key):
                keys.setdefault(column, []).append(key)
        repeated = {column: keys[column] for column in sorted(keys) if len(keys[column]) > 1}
        if repeated:
            raise PydanticCustomError("repeated", "columns are named more than once", {"repeated": repeated})
        return self


class MovieSettings(ColumnSettings):
    """The section `[movies]` of schema.toml."""

    separator: str | None = Field(default=None, min_length=1)
    """Text between genres, if they are text rather than lists. By default, it is a vertical bar."""


class SchemaSettings(TomlSettings):
    """The contents of `schema.toml`."""

    ratings: RatingSettings = RatingSettings()
    """The rating scale, and the lowest rating that counts as enjoyed."""
    members: ColumnSettings = ColumnSettings()
    """Kinds of the columns in the members table."""
    movies: MovieSettings = MovieSettings()
    """Kinds of the columns in the movies table, and the separator of genres."""
    plays: EventSettings = EventSettings()
    """Possible times of plays."""


REQUIRED = {
    "scale": "the lowest and the highest rating, as [1.0, 5.0]",
    "enjoyed_from": "a number on the rating scale",
    "missing": 'a list of text and numbers, as ["unknown", -1]',
    "earliest": "a date or a time, as 1990-01-01",
    "latest": "a date or a time, as 2030-12-31",
    "separator": 'the text between genres, as ","',
} | dict.fromkeys(NAMING_COLUMNS, 'a list of column names, as ["age"]')
"""Descriptions of valid values by key, for error messages."""


def read_schema_file(folder: Path) -> SchemaSettings:
    """Read the schema.toml of a data directory, if it exists. Raises DataError listing every invalid value."""
    path = folder / SCHEMA_FILE
    names = sorted(entry.name for entry in folder.iterdir())
    if SCHEMA_FILE not in names:  # it is, if it is a link that leads nowhere
        for name in filter(SIMILAR.match, names):
            raise DataError([Problem(SCHEMA_FILE, f"{name} isn't read: rename it to {SCHEMA_FILE}, or move it away")])
        return SchemaSettings()
    given = read_toml(path, SCHEMA_FILE)
    try:
        return SchemaSettings.model_validate(given)
    except ValidationError as error:
        texts = [text for details in error.errors() for text in _faults(details)]
        raise DataError(Problem(SCHEMA_FILE, text) for text in dict.fromkeys(texts)) from error


def schema_table() -> str:
    """Return a Markdown table of all keys of schema.toml."""
    settings = SchemaSettings()
    sections: dict[tuple[str, str], list[str]] = {}
    for section in SchemaSettings.model_fields:
        for key, field in type(getattr(settings, section)).model_fields.items():
            meaning = " ".join((field.description or "").split())
            sections.setdefault((key, meaning), []).append(f"`[{section}]`")
    rows = [
        f"| {', '.join(names)} | `{key}` | {REQUIRED[key]} | {meaning} |" for (key, meaning), names in sections.items()
    ]
    return "\n".join(["| section | key | value | meaning |", "| --- | --- | --- | --- |", *rows])


def _faults(details: ErrorDetails) -> list[str]:
    """Return the error messages for one invalid value, one for each column that is named more than once."""
    section, key = (*map(str, details["loc"][:2]), "")[:2]
    if details["type"] == "repeated":
        repeated: dict[str, list[str]] = details["ctx"]["repeated"]
        return [
            f"[{section}] column {column} is named more than once: in {', '.join(keys)}"
            for column, keys in repeated.items()
        ]
    if details["type"] == "order":
        return [f"[{section}] earliest must be before latest"]
    if details["type"] != "extra_forbidden":
        return [f"[{section}] {key} must be {REQUIRED[key]}" if key else f"{section} must be a section, [{section}]"]
    if not key:
        return [f"[{section}] is not known; there are {', '.join(f'[{name}]' for name in SchemaSettings.model_fields)}"]
    keys = type(getattr(SchemaSettings(), section)).model_fields
    return [f"[{section}] {key} is not known; there are {', '.join(keys)}"]
