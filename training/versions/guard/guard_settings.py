"""Settings of the guard, which are options of `training models guard`."""

import argparse
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.errors import DataError, Problem


class GuardSettings(BaseModel):
    """Settings of the guard; each is an option of `training models guard`, such as `--guard-alpha`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    alpha: float = Field(0.01, gt=0, lt=1)
    """Maximum probability that a version that is as good as the one before is ever taken back, however often the
    guard looks."""
    margin_percent: float = Field(0.5, ge=0, le=100)
    """Percentage by which the mean squared error may exceed that of the version before. Above 0, because members rate
    movies that the current version chose, among which are those that it overrates."""
    coverage_margin: float = Field(0.01, ge=0, lt=0.5)
    """Share of ratings by which the coverage of the 90 % intervals may lie below 90 % or below that of the version
    before."""
    most_members: int = Field(20_000, ge=1)
    """Number of members whose ratings decide; a version that isn't taken back by then is not compared further."""


FIELDS: dict[str, dict[str, Any]] = GuardSettings.model_json_schema()["properties"]
"""JSON Schema of each setting, with its type, default, range and description."""


def flag(name: str) -> str:
    """Return the option of a setting, such as `--guard-alpha`."""
    return f"--guard-{name.replace('_', '-')}"


def add_guard_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `training models guard`."""
    group = parser.add_argument_group("guard", "when to go back to the version before by itself")
    group.add_argument("--outcomes", metavar="FOLDER", help="the folder in which the service records outcomes")
    group.add_argument("--every", metavar="SECONDS", type=float, help="look again and again; else once")
    for name, field in FIELDS.items():
        text = " ".join(str(field["description"]).split()).replace("%", "%%")
        group.add_argument(
            flag(name), default=field["default"], metavar="VALUE", help=f"{text} (default {field['default']})"
        )


def guard_settings(arguments: argparse.Namespace) -> GuardSettings:
    """Return the settings of a command line; raises DataError with all options that have invalid values."""
    try:
        return GuardSettings(**{name: getattr(arguments, f"guard_{name}") for name in FIELDS})
    except ValidationError as error:
        raise DataError([Problem(flag(str(each["loc"][0])), each["msg"]) for each in error.errors()]) from error
