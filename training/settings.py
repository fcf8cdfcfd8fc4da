"""The settings file of a fit: which settings there are, in which range, and how TOML tells them."""

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from training.errors import DataError, Problem
from training.fit.fit_model import FitSettings

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
    for field in fields(settings):
        value = getattr(settings, field.name)
        if is_dataclass(value):
            yield from places(value, f"{before}{field.name}.")
        elif not isinstance(value, bool):
            yield before + field.name


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
