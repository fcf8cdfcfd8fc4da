"""The optional `schema.toml` of a data directory, which overrides what is inferred from the tables."""

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
    """The section `[ratings]`."""

    scale: Scale | None = None
    """The lowest and the highest possible rating; by default those in the data."""
    enjoyed_from: float | None = None
    """The lowest rating that counts as enjoyed; by default 75 % of the way up the scale."""


class ColumnSettings(TomlSettings):
    """The section `[members]` or `[movies]`; each column is named once at most."""

    categorical: Columns = ()
    """Columns of categories, though their values may look like numbers."""
    numeric: Columns = ()
    """Columns of numbers; a value that is no number is a problem."""
    ignore: Columns = ()
    """Columns to leave out."""

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
    """The content of `schema.toml`."""

    ratings: RatingSettings = RatingSettings()
    """The rating scale."""
    members: ColumnSettings = ColumnSettings()
    """Columns of the members table."""
    movies: ColumnSettings = ColumnSettings()
    """Columns of the movies table."""


REQUIRED = {
    "scale": "the lowest and the highest rating, as [1.0, 5.0]",
    "enjoyed_from": "a number on the rating scale",
}
"""What the value of a key must be; all other keys take columns."""


def read_schema_file(folder: Path) -> SchemaSettings:
    """The settings of a data directory, defaults where it has none; raises DataError with every wrong value."""
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
    """What is wrong at one place of the file, in one text for each column that is named more than once."""
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
