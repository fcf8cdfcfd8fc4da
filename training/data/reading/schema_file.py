"""The optional `schema.toml` of a data directory: what overrides that which is inferred."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from training.errors import DataError, Problem

SCHEMA_FILE = "schema.toml"


@dataclass(frozen=True)
class ColumnSettings:
    """What `[members]` or `[movies]` says of the columns of that table."""

    categorical: tuple[str, ...] = ()
    """Columns of named categories, though they may look like numbers."""
    numeric: tuple[str, ...] = ()
    """Columns of numbers; a value that is no number is a problem."""
    ignore: tuple[str, ...] = ()
    """Columns that nothing reads."""


@dataclass(frozen=True)
class Settings:
    """All of `schema.toml`; what it doesn't say is None or empty."""

    scale: tuple[float, float] | None = None
    """The lowest and the highest rating that can be given; else those seen."""
    enjoyed_from: float | None = None
    """A rating from here up counts as enjoyed; else 75 % of the way up the scale."""
    members: ColumnSettings = ColumnSettings()
    """Of the members table."""
    movies: ColumnSettings = ColumnSettings()
    """Of the movies table."""


def read_settings(folder: Path) -> Settings:
    """The settings of a data directory, defaults where it has none; raises DataError with all that is wrong."""
    path = folder / SCHEMA_FILE
    if not path.exists():
        return Settings()
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise DataError([Problem(SCHEMA_FILE, f"can't be read: {error}")]) from error
    problems = _wrong_keys(given)
    settings = Settings(
        scale=_scale(_section(given, "ratings").get("scale"), problems),
        enjoyed_from=_enjoyed_from(_section(given, "ratings").get("enjoyed_from"), problems),
        members=_columns(given, "members", problems),
        movies=_columns(given, "movies", problems),
    )
    if problems:
        raise DataError(problems)
    return settings


_KEYS = {
    "ratings": ("scale", "enjoyed_from"),
    "members": tuple(field.name for field in fields(ColumnSettings)),
    "movies": tuple(field.name for field in fields(ColumnSettings)),
}


def _wrong_keys(given: Mapping[str, Any]) -> list[Problem]:
    problems = []
    for name, section in given.items():
        if name not in _KEYS:
            problems.append(
                Problem(SCHEMA_FILE, f"[{name}] is not known; there are {_listed(f'[{key}]' for key in _KEYS)}")
            )
        elif not isinstance(section, dict):
            problems.append(Problem(SCHEMA_FILE, f"{name} must be a section, [{name}]"))
        else:
            problems += [
                Problem(SCHEMA_FILE, f"[{name}] {key} is not known; there are {_listed(_KEYS[name])}")
                for key in section
                if key not in _KEYS[name]
            ]
    return problems


def _section(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = given.get(name)
    return section if isinstance(section, dict) else {}


def _scale(given: Any, problems: list[Problem]) -> tuple[float, float] | None:
    if given is None:
        return None
    if isinstance(given, list) and len(given) == 2 and all(map(_is_number, given)) and given[0] < given[1]:
        return float(given[0]), float(given[1])
    problems.append(Problem(SCHEMA_FILE, "[ratings] scale must be the lowest and the highest rating, as [1.0, 5.0]"))
    return None


def _enjoyed_from(given: Any, problems: list[Problem]) -> float | None:
    if given is None or _is_number(given):
        return None if given is None else float(given)
    problems.append(Problem(SCHEMA_FILE, "[ratings] enjoyed_from must be a number on the rating scale"))
    return None


def _columns(given: Mapping[str, Any], name: str, problems: list[Problem]) -> ColumnSettings:
    named: dict[str, tuple[str, ...]] = {}
    for key in _KEYS[name]:
        columns = _section(given, name).get(key, [])
        if isinstance(columns, list) and all(isinstance(column, str) for column in columns):
            named[key] = tuple(columns)
        else:
            problems.append(Problem(SCHEMA_FILE, f'[{name}] {key} must be a list of column names, as ["age"]'))
    for column in sorted({column for columns in named.values() for column in columns}):
        keys = [key for key, columns in named.items() for _ in range(columns.count(column))]
        if len(keys) > 1:
            problems.append(
                Problem(SCHEMA_FILE, f"[{name}] column {column} is named more than once: in {_listed(keys)}")
            )
    return ColumnSettings(**named)


def _is_number(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given)


def _listed(names: Any) -> str:
    return ", ".join(names)
