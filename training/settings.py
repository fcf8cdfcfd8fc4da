"""The settings file of a fit: which settings there are, in which range, and how TOML tells them."""

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from training.errors import DataError, Problem


@dataclass(frozen=True)
class KernelSettings:
    """Strengths of the two parts of a kernel regression."""

    ridges: tuple[float, ...]
    """Candidate precisions of all weights; the one that predicts rows of other folds best is taken."""
    gamma: float
    """Inverse squared width of the bumps."""
    amplitude: float
    """Prior variance of the bumps' part against that of the line."""
    landmarks: int
    """How many bumps at most; there is one for every fourth row at most."""
    most_rows: int = 100_000
    """Rows beyond so many are left out of the fit at random; they are predicted all the same."""


RIDGES = (6.0, 16.0, 64.0, 256.0, 1024.0)


WITH_PLAYS = KernelSettings(ridges=RIDGES, gamma=0.7, amplitude=1.6, landmarks=700)


ATTRIBUTES_ONLY = KernelSettings(ridges=RIDGES, gamma=0.4, amplitude=1.0, landmarks=600)


@dataclass(frozen=True)
class PriorSettings:
    """How the prior is fitted; the values were chosen on inner member folds of MovieLens 1M."""

    rank: int = 16
    """Dimensions of taste; those that aren't needed shrink to nothing."""
    sweeps: int = 12
    """Sweeps of expectation-maximization before members' features come in."""
    rounds: int = 2
    """Rounds of regression from features to factors and back."""
    sweeps_per_round: int = 3
    """Sweeps after each regression."""
    embedding: int = 150
    """Dimensions of the space of plays."""
    sight: int = 48
    """Leading dimensions of the space of plays that bumps see: with half the landmarks, no worse and much cheaper."""
    folds: int = 3
    """Member folds by which a member's own factors are kept out of the prediction of them."""
    prior_ratings: float = 20.0
    """A rater weighs half of full weight in the regression at so many ratings."""
    with_plays: KernelSettings = WITH_PLAYS
    """The regressions that see plays."""
    attributes_only: KernelSettings = ATTRIBUTES_ONLY
    """The regression that sees attributes alone."""


@dataclass(frozen=True)
class TreeSettings:
    """The forest; few small trees, so that serving is cheap."""

    trees: int = 50
    """Number of trees."""
    leaves: int = 8
    """Leaves of a tree."""
    learning_rate: float = 0.16
    """Share of each tree's correction that is taken."""
    leaf_rows: int = 1000
    """Fewest rows of a leaf; less when there are fewer than 200 times as many rows."""
    ridge: float = 100.0
    """L2 penalty of the leaves' values."""
    most_rows: int = 2_000_000
    """Rows beyond so many are left out at random."""


@dataclass(frozen=True)
class FitSettings:
    """Settings of a whole fit."""

    folds: int = 5
    """Member folds for all that is out of fold."""
    prior: PriorSettings = field(default_factory=PriorSettings)
    """The factorization."""
    trees: TreeSettings = field(default_factory=TreeSettings)
    """The trees."""
    reweight: bool = False
    """Whether raters count as much as never-raters are like them."""


RANGES: dict[str, tuple[float, float]] = {
    "folds": (2, 50),
    "prior.rank": (1, 64),
    "prior.sweeps": (1, 200),
    "prior.rounds": (1, 10),
    "prior.sweeps_per_round": (1, 50),
    "prior.embedding": (1, 1000),
    "prior.sight": (1, 1000),
    "prior.folds": (2, 20),
    "prior.prior_ratings": (0, 10_000),
    "prior.with_plays.ridges": (1e-3, 1e9),
    "prior.with_plays.gamma": (1e-4, 100),
    "prior.with_plays.amplitude": (1e-3, 100),
    "prior.with_plays.landmarks": (1, 10_000),
    "prior.with_plays.most_rows": (1000, 1_000_000_000),
    "prior.attributes_only.ridges": (1e-3, 1e9),
    "prior.attributes_only.gamma": (1e-4, 100),
    "prior.attributes_only.amplitude": (1e-3, 100),
    "prior.attributes_only.landmarks": (1, 10_000),
    "prior.attributes_only.most_rows": (1000, 1_000_000_000),
    "trees.trees": (1, 2000),
    "trees.leaves": (2, 256),
    "trees.learning_rate": (1e-3, 1),
    "trees.leaf_rows": (1, 1_000_000),
    "trees.ridge": (0, 1_000_000),
    "trees.most_rows": (1000, 1_000_000_000),
}
"""Every setting that a file may give, by its place, and the lowest and highest value that can be meant."""
MOST_CANDIDATES = 20
"""Candidates that a list may hold: each costs a solution of every regression."""


def read_fit_settings(path: Path) -> FitSettings:
    """The settings of a file, defaults where it says nothing; raises DataError with all that is wrong."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise DataError([Problem(str(path), f"can't be read: {error}")]) from error
    problems: list[Problem] = []
    settings = FitSettings()
    for place, value in _flat(given):
        if place not in RANGES:
            text = f"{place} is no setting; there are {', '.join(_siblings(place))}"
            problems.append(Problem(str(path), text))
            continue
        told = _wrong(place, value, value_at(settings, place))
        if told:
            problems.append(Problem(str(path), f"{place} {told}"))
        else:
            settings = with_value(settings, place, value)
    if problems:
        raise DataError(problems)
    return settings


def to_toml(settings: FitSettings, comment: str) -> str:
    """The file that `read_fit_settings` reads as these settings, with a line that says where they come from."""
    sections: dict[str, list[str]] = {}
    for place in RANGES:
        section, _, name = place.rpartition(".")
        sections.setdefault(section, []).append(f"{name} = {_told(value_at(settings, place))}")
    parts = ["\n".join([f"[{name}]"] * bool(name) + lines) for name, lines in sections.items()]
    return "\n\n".join([f"# {comment}\n" + parts[0], *parts[1:]]) + "\n"


def to_dict(settings: FitSettings) -> dict[str, Any]:
    """Every setting by its place, as JSON can hold them."""
    values = {place: value_at(settings, place) for place in RANGES}
    return {place: list(value) if isinstance(value, tuple) else value for place, value in values.items()}


def value_at(settings: Any, place: str) -> Any:
    """The value of a setting."""
    for name in place.split("."):
        settings = getattr(settings, name)
    return settings


def with_value(settings: Any, place: str, value: Any) -> Any:
    """The settings with one changed, in the type that it has."""
    name, _, rest = place.partition(".")
    own = getattr(settings, name)
    if rest:
        return replace(settings, **{name: with_value(own, rest, value)})
    kind = tuple if isinstance(own, tuple) else type(own)
    return replace(settings, **{name: kind(map(float, value)) if kind is tuple else kind(value)})


def places(settings: Any, before: str = "") -> Iterator[str]:
    """Every number and list of numbers that the settings hold, by its place."""
    for each in fields(settings):
        value = getattr(settings, each.name)
        if is_dataclass(value):
            yield from places(value, f"{before}{each.name}.")
        elif not isinstance(value, bool):
            yield before + each.name


def _flat(given: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in given.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield before + name, value


def _siblings(place: str) -> list[str]:
    """Settings of the same section, all sections where there is none of that name."""
    section = place.rpartition(".")[0]
    own = [one for one in RANGES if one.rpartition(".")[0] == section]
    return own or sorted({f"[{one.rpartition('.')[0]}]" for one in RANGES if "." in one})


def _wrong(place: str, value: Any, own: Any) -> str:
    """What is wrong with a value; empty where nothing is."""
    low, high = RANGES[place]
    if isinstance(own, tuple):
        sound = isinstance(value, list) and 1 <= len(value) <= MOST_CANDIDATES
        if sound and all(_is_number(one) and low <= one <= high for one in value):
            return ""
        return f"must be a list of 1 to {MOST_CANDIDATES} numbers, each from {low:g} to {high:g}"
    whole = isinstance(own, int)
    if not _is_number(value) or (whole and not isinstance(value, int)) or not low <= value <= high:
        return f"must be a {'whole ' if whole else ''}number from {low:g} to {high:g}"
    return ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _told(value: Any) -> str:
    return f"[{', '.join(map(repr, value))}]" if isinstance(value, tuple) else repr(value)
