"""Reads the optional `schema.toml` of a data directory, which overrides what is inferred from the tables."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from training.errors import DataError, Problem
from training.settings import TomlSettings, read_toml

SCHEMA_FILE = "schema.toml"


def _ascending(scale: tuple[float, float]) -> tuple[float, float]:
    if scale[0] >= scale[1]:
        raise ValueError("the lowest rating must be below the highest")
    return scale


Scale = Annotated[tuple[float, float], Field(strict=False), AfterValidator(_ascending)]
Columns = Annotated[tuple[str, ...], Field(strict=False)]


class RatingSettings(TomlSettings):
    """The section `[ratings]` of schema.toml."""

    scale: Scale | None = None
    """Lowest and highest possible rating. By default, these are the minimum and maximum in the data."""
    enjoyed_from: float | None = None
    """Lowest rating that counts as enjoyed. By default, it is 75 % of the way up the scale."""


class ColumnSettings(TomlSettings):
    """The section `[members]` or `[movies]` of schema.toml, in which a column may be named only once."""

    categorical: Columns = ()
    """Categorical columns, even if their values look like numbers."""
    numeric: Columns = ()
    """Numeric columns. Values that aren't numbers are reported as problems."""
    ignore: Columns = ()
    """Columns to ignore."""

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        keys: dict[str, list[str]] = {}
        for key in type(self).model_fields:
            for column in getattr(self, key):
                keys.setdefault(column, []).append(key)
        repeated = {column: keys[column] for column in sorted(keys) if len(keys[column]) > 1}
        if repeated:
            raise PydanticCustomError("repeated", "columns are named more than once", {"repeated": repeated})
        return self


class SchemaSettings(TomlSettings):
    """The contents of `schema.toml`."""

    ratings: RatingSettings = RatingSettings()
    """The rating scale, and the lowest rating that counts as enjoyed."""
    members: ColumnSettings = ColumnSettings()
    """Kinds of the columns in the members table."""
    movies: ColumnSettings = ColumnSettings()
    """Kinds of the columns in the movies table."""


REQUIRED = {
    "scale": "the lowest and the highest rating, as [1.0, 5.0]",
    "enjoyed_from": "a number on the rating scale",
}
"""Descriptions of valid values by key, for error messages. The values of all other keys are lists of columns."""


def read_schema_file(folder: Path) -> SchemaSettings:
    """Read the schema.toml of a data directory, if it exists. Raises DataError listing every invalid value."""
    path = folder / SCHEMA_FILE
    if not path.exists():
        return SchemaSettings()
    given = read_toml(path, SCHEMA_FILE)
    try:
        return SchemaSettings.model_validate(given)
    except ValidationError as error:
        texts = [text for details in error.errors() for text in _faults(details)]
        raise DataError(Problem(SCHEMA_FILE, text) for text in dict.fromkeys(texts)) from error


def _faults(details: ErrorDetails) -> list[str]:
    """Return the error messages for one invalid value, one for each column that is named more than once."""
    section, key = (*map(str, details["loc"][:2]), "")[:2]
    if details["type"] == "repeated":
        repeated: dict[str, list[str]] = details["ctx"]["repeated"]
        return [
            f"[{section}] column {column} is named more than once: in {', '.join(keys)}"
            for column, keys in repeated.items()
        ]
    if details["type"] != "extra_forbidden":
        required = REQUIRED.get(key, 'a list of column names, as ["age"]')
        return [f"[{section}] {key} must be {required}" if key else f"{section} must be a section, [{section}]"]
    if not key:
        return [f"[{section}] is not known; there are {', '.join(f'[{name}]' for name in SchemaSettings.model_fields)}"]
    keys = (RatingSettings if section == "ratings" else ColumnSettings).model_fields
    return [f"[{section}] {key} is not known; there are {', '.join(keys)}"]
