"""The settings of a fit, their ranges, and the TOML file that gives them."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.errors import DataError, Problem

Ridge = Annotated[float, Field(ge=1e-3, le=1e9)]


class TomlSettings(BaseModel):
    """Base of settings that a TOML file gives: immutable, no unknown names, no conversion between types, finite."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class KernelSettings(TomlSettings):
    """Settings of a kernel ridge regression."""

    ridges: tuple[Ridge, ...] = Field(strict=False, min_length=1, max_length=20)
    """Candidates for the prior precision of all weights; cross-validation chooses."""
    gamma: float = Field(ge=1e-4, le=100)
    """Inverse squared width of the RBF features."""
    amplitude: float = Field(ge=1e-3, le=100)
    """Prior variance of the RBF part, relative to that of the linear part."""
    landmarks: int = Field(ge=1, le=10_000)
    """Number of RBF features; at most one for every fourth row."""
    most_rows: int = Field(default=100_000, ge=1000, le=1_000_000_000)
    """Most rows to fit on; of more, a random sample. All rows are predicted."""


RIDGES = (6.0, 16.0, 64.0, 256.0, 1024.0)


class PriorSettings(TomlSettings):
    """Settings of the prior; the defaults were chosen on inner member folds of MovieLens 1M."""

    rank: int = Field(default=16, ge=1, le=64)
    """Dimensions of taste in the factorization; superfluous ones shrink to zero."""
    sweeps: int = Field(default=12, ge=1, le=200)
    """Sweeps of expectation-maximization before the first regression."""
    rounds: int = Field(default=2, ge=1, le=10)
    """Rounds of regression from members' facts to factors, each followed by sweeps."""
    sweeps_per_round: int = Field(default=3, ge=1, le=50)
    """Sweeps after each regression."""
    embedding: int = Field(default=150, ge=1, le=1000)
    """Dimensions of the play space."""
    sight: int = Field(default=48, ge=1, le=1000)
    """Leading dimensions of the play space that the RBF features use: with half the landmarks, no worse and much
    cheaper."""
    folds: int = Field(default=3, ge=2, le=20)
    """Member folds of the regressions' out-of-fold predictions."""
    prior_ratings: float = Field(default=20.0, ge=0, le=10_000)
    """Number of ratings with which a rater has half of full weight in the regressions."""
    with_plays: KernelSettings = KernelSettings(ridges=RIDGES, gamma=0.7, amplitude=1.6, landmarks=700)
    """The regressions whose inputs include plays."""
    attributes_only: KernelSettings = KernelSettings(ridges=RIDGES, gamma=0.4, amplitude=1.0, landmarks=600)
    """The regression on attributes alone."""


class TreeSettings(TomlSettings):
    """Settings of the forest; it has few small trees, so that serving is cheap."""

    trees: int = Field(default=50, ge=1, le=2000)
    """Number of trees."""
    leaves: int = Field(default=8, ge=2, le=256)
    """Leaves of a tree."""
    learning_rate: float = Field(default=0.16, ge=1e-3, le=1)
    """Factor of each tree's correction."""
    leaf_rows: int = Field(default=1000, ge=1, le=1_000_000)
    """Fewest rows of a leaf; less with fewer than 200 times as many rows."""
    ridge: float = Field(default=100.0, ge=0, le=1_000_000)
    """L2 penalty of the leaves' values."""
    most_rows: int = Field(default=2_000_000, ge=1000, le=1_000_000_000)
    """Most rows to fit on; of more, a random sample."""


class FileSettings(TomlSettings):
    """The settings that a file can give."""

    folds: int = Field(default=5, ge=2, le=50)
    """Member folds of all out-of-fold predictions."""
    prior: PriorSettings = PriorSettings()
    """The prior."""
    trees: TreeSettings = TreeSettings()
    """The trees."""


class FitSettings(FileSettings):
    """Settings of a whole fit."""

    reweight: bool = False
    """Whether raters are weighted by the density ratio of never-raters to raters; an option of the commands."""


def _fields(model: type[BaseModel], section: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Place and JSON schema of each setting in a group and its sections."""
    schemas = model.model_json_schema()["properties"]
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _fields(field.annotation, f"{section}{name}.")
        else:
            yield section + name, schemas[name]


FIELDS: dict[str, dict[str, Any]] = dict(_fields(FileSettings))
"""JSON schema of each setting of a file (type, range, sentence) by its place, such as prior.with_plays.gamma."""

AnySettings = TypeVar("AnySettings", bound=BaseModel)


def read_fit_settings(path: Path) -> FitSettings:
    """The settings of a file, with defaults for what it doesn't set; raises DataError with every wrong value."""
    given = read_toml(path, str(path))
    try:
        settings = FileSettings.model_validate(_merged(FileSettings().model_dump(), given))
    except ValidationError as error:
        places = [tuple(map(str, details["loc"])) for details in error.errors()]
        raise DataError(Problem(str(path), text) for text in dict.fromkeys(map(_fault, places))) from error
    return FitSettings(**dict(settings))


def read_toml(path: Path, name: str) -> dict[str, Any]:
    """The content of a TOML file; raises DataError, which calls the file `name`, where it can't be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise DataError([Problem(name, f"can't be read: {error}")]) from error


def to_toml(settings: FileSettings, comment: str) -> str:
    """The file that `read_fit_settings` reads as these settings, with a comment as its first line."""
    sections: dict[str, list[str]] = {}
    for place, value in to_dict(settings).items():
        section, _, name = place.rpartition(".")
        sections.setdefault(section, []).append(f"{name} = {value!r}")
    parts = ["\n".join([f"[{name}]"] * bool(name) + lines) for name, lines in sections.items()]
    return "\n\n".join([f"# {comment}\n" + parts[0], *parts[1:]]) + "\n"


def to_dict(settings: FileSettings) -> dict[str, Any]:
    """Every setting of a file by its place, as JSON types."""
    values = {place: value_at(settings, place) for place in FIELDS}
    return {place: list(value) if isinstance(value, tuple) else value for place, value in values.items()}


def value_at(settings: BaseModel, place: str) -> Any:
    """The value at a place, such as prior.with_plays.gamma."""
    value: Any = settings
    for name in place.split("."):
        value = getattr(value, name)
    return value


def with_value(settings: AnySettings, place: str, value: Any) -> AnySettings:
    """A copy of the settings with another value at a place, converted to the type of the present one."""
    name, _, rest = place.partition(".")
    own = getattr(settings, name)
    return settings.model_copy(update={name: with_value(own, rest, value) if rest else type(own)(value)})


def fit_settings_table() -> str:
    """All settings of a file as a Markdown table."""
    defaults = to_dict(FileSettings())
    rows = [
        f"| `{place}` | {_shown(defaults[place])} | {_range(schema)} | {' '.join(schema['description'].split())} |"
        for place, schema in FIELDS.items()
    ]
    return "\n".join(["| setting | default | range | meaning |", "| --- | --- | --- | --- |", *rows])


def _merged(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults, replaced by what is given, section by section."""
    sections = {
        name: _merged(defaults[name], value)
        for name, value in given.items()
        if isinstance(value, dict) and isinstance(defaults.get(name), dict)
    }
    return {**defaults, **given, **sections}


def _fault(path: tuple[str, ...]) -> str:
    """What is wrong at a path of names and list positions where validation failed."""
    place = next((place for place in map(".".join, (path, path[:-1])) if place in FIELDS), None)
    if place is not None:
        return f"{place} must be a {_kind(FIELDS[place])} from {_range(FIELDS[place])}"
    section = ".".join(path[:-1])
    names = [place for place in FIELDS if place.rpartition(".")[0] == section]
    sections = sorted({place.rpartition(".")[0] for place in FIELDS if place.startswith(section)} - {section, ""})
    return f"{'.'.join(path)} is no setting; there are {', '.join([*names, *(f'[{name}]' for name in sections)])}"


def _kind(schema: Mapping[str, Any]) -> str:
    if schema["type"] == "array":
        return f"list of {schema['minItems']} to {schema['maxItems']} numbers, each"
    return "whole number" if schema["type"] == "integer" else "number"


def _range(schema: Mapping[str, Any]) -> str:
    bounds = schema.get("items", schema)
    return f"{bounds['minimum']:g} to {bounds['maximum']:g}"


def _shown(value: Any) -> str:
    return ", ".join(f"{number:,}".removesuffix(".0") for number in (value if isinstance(value, list) else [value]))
