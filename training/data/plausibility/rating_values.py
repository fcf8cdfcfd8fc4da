"""Checks whether all ratings are on one scale: no mistakes far outside it, no codes that mean "not rated"."""

from collections.abc import Iterable

import numpy as np
import polars as pl

from features.columns import RATING
from training.data.plausibility.levels import Levels, split_far
from training.errors import Problem

FAR_SPANS = 1.0
"""Minimum distance of a few ratings that are far outside the others, as a multiple of the range of the others."""

SECOND_SCALE_SPANS, FEWEST_LEVELS = 1.2, 3
"""Minimum distance of many ratings that may be on a second scale, as a multiple of the range of the others, and minimum
number of distinct values of the others."""

MOST_LEVELS = 21
"""Maximum number of distinct ratings on a scale with levels, such as -10 to 10; with more, it counts as continuous."""

FEW_LEVELS = 7
"""Maximum number of levels on a scale whose neighbouring levels are about equally frequent. With more levels, protest
votes make the lowest one much more frequent than the next."""

MOST_TIMES, MOST_TIMES_OF_MANY_LEVELS = 2.5, 5.0
"""Maximum ratio of the number of ratings of 0 to that of the next level, with up to FEW_LEVELS and with more."""

LEAST_TIMES = 0.1
"""Minimum ratio of the number of ratings of 0 to that of the next level."""

FEWEST_ZEROS, FEWEST_NEXT, FEWEST_BESIDE_GAP = 20, 30, 4
"""Minimum number of ratings of 0, or of the next level, whose ratio isn't due to chance, and of both if a level in
between is unused."""


def check_ratings(ratings: pl.DataFrame) -> list[Problem]:
    """Return a problem for ratings that can't be on the scale of the others; for data whose scale isn't stated."""
    scale = Levels.of(ratings[RATING])
    problems: list[tuple[Levels, str]] = []
    while True:
        if (split := split_far(scale, FAR_SPANS)) is not None:
            far, scale = split
            problems.append((far, "far outside the others"))
        elif _is_unrated_zero(scale):
            zero, scale = scale.split(1)
            problems.append((zero, 'that may mean "not rated"'))
        else:
            return [_problem(apart, scale, text) for apart, text in problems] + _second_scale(scale)


def _second_scale(levels: Levels) -> list[Problem]:
    """Return a warning if many ratings are far outside the others, as if there were two scales."""
    split = split_far(levels, SECOND_SCALE_SPANS, most_share=1)
    if split is None or len(split[1].values) < FEWEST_LEVELS:
        return []
    far, others = split
    text = (
        f"far outside the others, which are {others.values[0]:g} to {others.values[-1]:g}, as if there were two scales"
    )
    return [Problem("ratings", text, RATING, int(far.counts.sum()), f"{far.values[0]:g}", is_warning=True)]


def _problem(apart: Levels, scale: Levels, text: str) -> Problem:
    """Return the problem of levels that are apart from the scale."""
    low, high = float(scale.values[0]), float(scale.values[-1])
    whole = min(low, float(apart.values[0])), max(high, float(apart.values[-1]))
    remedy = (
        f"correct them, or write under [ratings] in schema.toml missing = [{_listed(apart.values[:5])}] if they mean "
        f'"not rated", or scale = [{_listed(whole)}] if they are ratings'
    )
    text = (
        f"{text}, which are {low:g} to {high:g}"
        if text.endswith("others")
        else f"{text}; the others are {low:g} to {high:g}"
    )
    return Problem("ratings", text, RATING, int(apart.counts.sum()), f"{apart.values[0]:g}", remedy)


def _listed(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _is_unrated_zero(levels: Levels) -> bool:
    """Return whether the lowest rating is a 0 whose count or distance doesn't continue the scale of the others."""
    values, counts = levels.values, levels.counts
    if values[0] != 0 or len(values) < 4:
        return False
    zeros, beside = int(counts[0]), int(counts[1])
    if len(values) > MOST_LEVELS:
        return bool(values[1] >= 0.1 * values[-1] and zeros > counts[1:].max())
    most_times = MOST_TIMES if len(values) - 1 <= FEW_LEVELS else MOST_TIMES_OF_MANY_LEVELS
    is_frequent = zeros >= FEWEST_ZEROS and zeros > most_times * beside
    is_rare = beside >= FEWEST_NEXT and zeros < LEAST_TIMES * beside
    step = float(np.diff(values[1:]).min())
    skips_level = values[1] <= 1 and values[1] >= 2 * step and min(zeros, beside) >= FEWEST_BESIDE_GAP
    return is_frequent or is_rare or bool(skips_level)
