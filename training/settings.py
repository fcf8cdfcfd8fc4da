"""Settings of a fit, their ranges, and the TOML file that sets them."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.errors import DataError, Problem


class Report(Protocol):
    """Function that shows which step of a long work begins."""

    def __call__(self, step: str, share: float | None = None) -> None:
        """Take the name of the step, and the share, 0 to 1, of the longest part of the work that is done before it."""


Ridge = Annotated[float, Field(ge=1e-3, le=1e9)]


class TomlSettings(BaseModel):
    """Base class of settings in a TOML file: immutable, strictly typed, without unknown names or non-finite numbers."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class KernelSettings(TomlSettings):
    """Settings of a kernel ridge regression."""

    ridges: tuple[Ridge, ...] = Field(strict=False, min_length=1, max_length=20)
    """Candidates for the prior precision of the weights; cross-validation selects one."""
    gamma: float = Field(ge=1e-4, le=100)
    """Coefficient gamma of the RBF features exp(-gamma d²), where d is the distance to a landmark."""
    amplitude: float = Field(ge=1e-3, le=100)
    """Prior variance of the RBF part relative to that of the linear part."""
    landmarks: int = Field(ge=1, le=10_000)
    """Maximum number of RBF features. At most one is used per four rows."""
    views_per_landmark: int = Field(default=20, ge=1, le=1000)
    """Maximum number of raters' views, near to each other, of whose facts a landmark is the mean. At most one is used
    per 700 rows. With one, single raters' facts are published."""
    most_rows: int = Field(default=1_000_000_000, ge=1000, le=1_000_000_000)
    """Maximum number of rows to fit on; by default, all count. If there are more, a random sample is used. Predictions
    are made for all rows."""


RIDGES = (6.0, 16.0, 64.0, 256.0, 1024.0)


class PriorSettings(TomlSettings):
    """Settings of the prior. The defaults were chosen on inner member folds of MovieLens 1M."""

    rank: int = Field(default=16, ge=1, le=64)
    """Number of taste dimensions in the factorization. Dimensions that the ratings don't support shrink to zero."""
    sweeps: int = Field(default=12, ge=1, le=200)
    """Number of expectation-maximization sweeps before the first regression."""
    rounds: int = Field(default=2, ge=1, le=10)
    """Number of rounds. Each is a regression from members' facts to their factors, followed by more sweeps."""
    sweeps_per_round: int = Field(default=3, ge=1, le=50)
    """Number of sweeps in each round, after the regression."""
    embedding: int = Field(default=150, ge=1, le=1000)
    """Number of dimensions of the play space, a truncated singular value decomposition of members' plays."""
    sight: int = Field(default=48, ge=1, le=1000)
    """Number of leading play-space dimensions that the RBF features use. The default halves the number of landmarks
    needed for the same accuracy."""
    folds: int = Field(default=3, ge=2, le=20)
    """Number of member folds for the out-of-fold predictions of the regressions."""
    prior_ratings: float = Field(default=20.0, ge=0, le=10_000)
    """Number of ratings at which a rater has half of the maximum weight in the regressions."""
    with_plays: KernelSettings = KernelSettings(ridges=RIDGES, gamma=0.7, amplitude=1.6, landmarks=500)
    """Settings of the regressions whose inputs include plays."""
    attributes_only: KernelSettings = KernelSettings(ridges=RIDGES, gamma=0.4, amplitude=1.0, landmarks=600)
    """Settings of the regression on attributes only."""


class TreeSettings(TomlSettings):
    """Settings of the gradient-boosted trees. By default, they are few and small to keep predictions fast."""

    trees: int = Field(default=50, ge=1, le=2000)
    """Number of trees."""
    leaves: int = Field(default=8, ge=2, le=256)
    """Maximum number of leaves per tree."""
    learning_rate: float = Field(default=0.16, ge=1e-3, le=1)
    """Learning rate: the factor by which the output of each tree is multiplied."""
    leaf_rows: int = Field(default=1000, ge=1, le=1_000_000)
    """Minimum number of rows per leaf. It is lowered to 1/200 of all rows if that is less, but never below 20."""
    ridge: float = Field(default=100.0, ge=0, le=1_000_000)
    """L2 penalty on leaf values. With fewer than 200,000 rows, it is reduced in proportion."""
    most_rows: int = Field(default=600_000, ge=1000, le=1_000_000_000)
    """Approximate maximum number of rows to fit on. If there are more, random samples are used."""


class FileSettings(TomlSettings):
    """Settings that a settings file can contain."""

    folds: int = Field(default=5, ge=2, le=50)
    """Number of member folds for the out-of-fold predictions of the whole model."""
    prior: PriorSettings = PriorSettings()
    """Settings of the prior."""
    trees: TreeSettings = TreeSettings()
    """Settings of the trees."""


class FitSettings(FileSettings):
    """All settings of a fit: those that a settings file can contain, and `reweight`."""

    reweight: bool = False
    """Whether to weight raters by the density ratio of never-raters to raters. Set by a command-line option."""


def _fields(model: type[BaseModel], section: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the dotted path and JSON schema of each setting in a model class and its sections."""
    schemas = model.model_json_schema()["properties"]
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _fields(field.annotation, f"{section}{name}.")
        else:
            yield section + name, schemas[name]


FIELDS: dict[str, dict[str, Any]] = dict(_fields(FileSettings))
"""JSON schema (type, range, description) of each setting in a file, by dotted path, such as prior.with_plays.gamma."""

AnySettings = TypeVar("AnySettings", bound=BaseModel)


def read_fit_settings(path: Path) -> FitSettings:
    """Read a settings file; unset settings keep their defaults. Raises DataError listing every invalid value."""
    given = read_toml(path, str(path))
    try:
        settings = FileSettings.model_validate(_merged(FileSettings().model_dump(), given))
    except ValidationError as error:
        places = [tuple(map(str, details["loc"])) for details in error.errors()]
        raise DataError(Problem(str(path), text) for text in dict.fromkeys(map(_fault, places))) from error
    return FitSettings(**dict(settings))


def read_toml(path: Path, name: str) -> dict[str, Any]:
    """Return the contents of a TOML file. Raises DataError, which calls the file `name`, if it can't be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise DataError([Problem(name, f"can't be read: {error}")]) from error


def to_toml(settings: FileSettings, comment: str) -> str:
    """Return these settings as TOML text that `read_fit_settings` can read, with a comment as its first line."""
    sections: dict[str, list[str]] = {}
    for place, value in to_dict(settings).items():
        section, _, name = place.rpartition(".")
        sections.setdefault(section, []).append(f"{name} = {value!r}")
    parts = ["\n".join([f"[{name}]"] * bool(name) + lines) for name, lines in sections.items()]
    return "\n\n".join([f"# {comment}\n" + parts[0], *parts[1:]]) + "\n"


def to_dict(settings: FileSettings) -> dict[str, Any]:
    """Return the value of every setting in a settings file, as a JSON type, by dotted path."""
    values = {place: value_at(settings, place) for place in FIELDS}
    return {place: list(value) if isinstance(value, tuple) else value for place, value in values.items()}


def value_at(settings: BaseModel, place: str) -> Any:
    """Return the value at a dotted path, such as prior.with_plays.gamma."""
    value: Any = settings
    for name in place.split("."):
        value = getattr(value, name)
    return value


def with_value(settings: AnySettings, place: str, value: Any) -> AnySettings:
    """Return a copy of the settings with a new value at a dotted path, converted to the type of the old value."""
    name, _, rest = place.partition(".")
    own = getattr(settings, name)
    return settings.model_copy(update={name: with_value(own, rest, value) if rest else type(own)(value)})


def fit_settings_table() -> str:
    """Return a Markdown table of all settings that a settings file can contain."""
    defaults = to_dict(FileSettings())
    rows = [
        f"| `{place}` | {_shown(defaults[place])} | {_range(schema)} | {' '.join(schema['description'].split())} |"
        for place, schema in FIELDS.items()
    ]
    return "\n".join(["| setting | default | range | meaning |", "| --- | --- | --- | --- |", *rows])


def _merged(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults, overridden section by section by the given values."""
    sections = {
        name: _merged(defaults[name], value)
        for name, value in given.items()
        if isinstance(value, dict) and isinstance(defaults.get(name), dict)
    }
    return {**defaults, **given, **sections}


def _fault(path: tuple[str, ...]) -> str:
    """Return an error message for the location of a validation error, a path of names and list positions."""
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
