"""Settings of the gate, which are options of `training retrain`."""

import argparse
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.errors import DataError, Problem

PREFIX = "gate_"
"""Prefix of the settings' names in option names."""


class GateSettings(BaseModel):
    """Settings of the gate; each is an option of `training retrain`, such as `--gate-share`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    share: float = Field(0.05, ge=0, le=0.5)  # with more, most raters would be kept out of training
    """Share of raters to keep out of training, so that versions can be compared on them; 0 keeps out nobody."""
    key: str = ""
    """Key of the hash that chooses the kept-out raters. It is saved in the store, so that all versions keep out the
    same raters."""
    margin_percent: float = Field(1.0, ge=-100)
    """Maximum percentage by which the RMSE may exceed that of the current version."""
    fewest_members: int = Field(30, ge=0)
    """Minimum number of kept-out raters. With fewer, versions aren't compared, and the limits are applied to
    out-of-fold scores."""
    most_members: int = Field(1000, ge=1)
    """Maximum number of kept-out raters whose ratings are predicted; the same raters are chosen every time."""
    least_gain_over_mean_percent: float = Field(1.0, le=100)
    """Minimum percentage by which the RMSE with the most evidence must be below that of the mean of all ratings. With
    out-of-fold scores, the same is required of the prior alone."""
    most_above_movie_mean_percent: float = Field(1.0, ge=-100)
    """Maximum percentage by which the RMSE with any kind of evidence may exceed that of the movie mean, unless the
    excess may be due to chance."""
    least_gain_kept: float = Field(0.5, ge=0)
    """Minimum share of the current version's gain over the movie mean that must be kept, unless the loss may be due to
    chance."""
    least_data_kept: float = Field(0.8, ge=0, le=1)
    """Minimum number of members, raters, movies, ratings, plays and known values of each column, as a share of those of
    the current version. Also the minimum share of these values whose categories and genres still occur."""
    least_ids_kept: float = Field(0.5, ge=0, le=1)
    """Minimum share of the members and of the movies of the current version whose ids still occur."""
    least_coverage: float = Field(0.85, ge=0, le=1)
    """Minimum share of ratings within their 90 % interval."""
    most_coverage: float = Field(0.97, ge=0, le=1)
    """Maximum share of ratings within their 90 % interval if the intervals are wider than those of the movie mean."""
    most_calibration_error: float = Field(0.05, ge=0, le=1)
    """Maximum calibration error of the probability to enjoy, in addition to twice the error expected by chance."""
    most_fallbacks: float = Field(0.1, ge=0, le=1)
    """Maximum share of predictions that use less evidence than is available, or are of a movie without ratings."""
    most_latency_ratio: float = Field(2.0, ge=0)
    """Maximum time of a request, as a multiple of the time with the current version."""
    most_milliseconds: float = Field(50.0, ge=0)
    """Maximum time of a request for 20 movies in milliseconds, measured within the training process."""
    most_size_ratio: float = Field(3.0, ge=0)
    """Maximum size of the files, as a multiple of the size of the current version's files."""
    most_megabytes: float = Field(4000.0, ge=0)
    """Maximum size of the files in MB."""


FIELDS: dict[str, dict[str, Any]] = GateSettings.model_json_schema()["properties"]
"""JSON Schema of each setting, with its type, default, range and description."""


def add_gate_arguments(parser: argparse.ArgumentParser) -> None:
    """Add an option for each setting, and the option `--force`."""
    group = parser.add_argument_group("the gate", "what is asked of a version before it serves")
    for name, field in FIELDS.items():
        default = "" if field["default"] == "" else f" (default {field['default']})"
        text = _sentence(field).replace("%", "%%") + default
        group.add_argument(flag(name), default=field["default"], metavar="VALUE", help=text)
    group.add_argument("--force", action="store_true", help="let the version serve though the gate says no")


def gate_settings(arguments: argparse.Namespace) -> GateSettings:
    """Return the settings of a command line; raises DataError with all options that have invalid values."""
    try:
        return GateSettings(**{name: getattr(arguments, PREFIX + name) for name in FIELDS})
    except ValidationError as error:
        names = [str(details["loc"][0]) for details in error.errors()]
        raise DataError([Problem(flag(name), f"must be {_range(FIELDS[name])}") for name in names]) from error


def gate_table() -> str:
    """Return all settings as a Markdown table."""
    rows = [f"| `{flag(name)}` | `{field['default']}` | {_sentence(field)} |" for name, field in FIELDS.items()]
    return "\n".join(["| option | default | meaning |", "| --- | --- | --- |", *rows]).replace("| `` |", "| |")


def flag(name: str) -> str:
    """Return the option name of a setting."""
    return f"--{PREFIX}{name}".replace("_", "-")


def _sentence(field: dict[str, Any]) -> str:
    return " ".join(field["description"].split())


def _range(field: dict[str, Any]) -> str:
    """Describe the values that a setting can take."""
    kind = {"integer": "a whole number", "number": "a number"}.get(field["type"], "text")
    low, high = field.get("minimum"), field.get("maximum")
    if low is not None and high is not None:
        return f"{kind} from {low:g} to {high:g}"
    return (
        kind + (f", {low:g} or more" if low is not None else "") + (f", {high:g} at most" if high is not None else "")
    )
