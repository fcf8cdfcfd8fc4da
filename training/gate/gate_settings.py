"""The limits of the gate, each an option of `training retrain`."""

import argparse
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.errors import DataError, Problem

PREFIX = "gate_"
"""Prefix of the settings' names as options."""


class GateSettings(BaseModel):
    """Limits of the gate; each is an option of `training retrain`, as `--gate-share`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    share: float = Field(0.05, ge=0, le=0.5)  # to keep out more would be to learn from the minority
    """Share of the raters whom no version learns from, so that versions can be compared on them; 0 keeps out nobody."""
    key: str = ""
    """Key of the hash that chooses them; the store keeps it, so that all versions keep out the same raters."""
    margin_percent: float = Field(1.0, ge=-100)
    """Percentage by which the RMSE may be above that of the version that serves."""
    fewest_members: int = Field(30, ge=0)
    """With fewer kept-out raters, versions aren't compared, and the limits apply to out-of-fold scores."""
    most_members: int = Field(1000, ge=1)
    """Kept-out raters whose ratings are predicted, at most; always the same."""
    least_gain_over_mean_percent: float = Field(1.0, le=100)
    """Percentage by which the RMSE with the most evidence (out of fold, also that of the prior) must be below that of
    the mean of all ratings."""
    most_above_movie_mean_percent: float = Field(1.0, ge=-100)
    """Percentage by which the RMSE with any kind of evidence may be above that of the movie mean."""
    least_gain_kept: float = Field(0.5, ge=0)
    """Share of the serving version's gain over the movie mean that must be kept, unless it is missed by chance."""
    least_coverage: float = Field(0.85, ge=0, le=1)
    """Share of ratings that must lie within their 90 % interval."""
    most_coverage: float = Field(0.97, ge=0, le=1)
    """Share of ratings that may lie within their 90 % interval where the intervals are wider than the movie mean's."""
    most_calibration_error: float = Field(0.05, ge=0, le=1)
    """Calibration error of the probability to enjoy, beyond what chance gives for the number of ratings."""
    most_fallbacks: float = Field(0.1, ge=0, le=1)
    """Share of predictions that may use less evidence than is known, or be of a movie that nobody rated."""
    most_latency_ratio: float = Field(2.0, ge=0)
    """Time of a request, as a multiple of that with the version that serves."""
    most_milliseconds: float = Field(50.0, ge=0)
    """Milliseconds of a request for 20 movies, measured in the job's own process."""
    most_size_ratio: float = Field(3.0, ge=0)
    """Size of the files, as a multiple of that of the version that serves."""
    most_megabytes: float = Field(4000.0, ge=0)
    """Size of the files, in MB."""


FIELDS: dict[str, dict[str, Any]] = GateSettings.model_json_schema()["properties"]
"""Each setting's type, default, range and sentence, as JSON Schema names them."""


def add_gate_arguments(parser: argparse.ArgumentParser) -> None:
    """Add an option for each setting, and `--force`."""
    group = parser.add_argument_group("the gate", "what is asked of a version before it serves")
    for name, field in FIELDS.items():
        default = "" if field["default"] == "" else f" (default {field['default']})"
        text = _sentence(field).replace("%", "%%") + default
        group.add_argument(flag(name), default=field["default"], metavar="VALUE", help=text)
    group.add_argument("--force", action="store_true", help="let the version serve though the gate says no")


def gate_settings(arguments: argparse.Namespace) -> GateSettings:
    """The settings of a command line; raises DataError with every option whose value is wrong."""
    try:
        return GateSettings(**{name: getattr(arguments, PREFIX + name) for name in FIELDS})
    except ValidationError as error:
        names = [str(details["loc"][0]) for details in error.errors()]
        raise DataError([Problem(flag(name), f"must be {_range(FIELDS[name])}") for name in names]) from error


def gate_table() -> str:
    """All settings as a Markdown table."""
    rows = [f"| `{flag(name)}` | `{field['default']}` | {_sentence(field)} |" for name, field in FIELDS.items()]
    return "\n".join(["| option | default | meaning |", "| --- | --- | --- |", *rows]).replace("| `` |", "| |")


def flag(name: str) -> str:
    """The option of a setting."""
    return f"--{PREFIX}{name}".replace("_", "-")


def _sentence(field: dict[str, Any]) -> str:
    return " ".join(field["description"].split())


def _range(field: dict[str, Any]) -> str:
    """The values that a setting may have, in words."""
    kind = {"integer": "a whole number", "number": "a number"}.get(field["type"], "text")
    low, high = field.get("minimum"), field.get("maximum")
    if low is not None and high is not None:
        return f"{kind} from {low:g} to {high:g}"
    return (
        kind + (f", {low:g} or more" if low is not None else "") + (f", {high:g} at most" if high is not None else "")
    )
