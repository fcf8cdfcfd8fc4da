"""Checks whether all ratings are on one scale: no mistakes far outside it, no codes that mean "not rated"."""

from collections.abc import Iterable

import numpy as np

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
"""Maximum number of levels above 0 on a short scale. On longer scales, protest votes make 0 much more frequent than the
next level, and extremes are rarer."""

MOST_TIMES, MOST_TIMES_LONG = 2.5, 5.0
"""Maximum ratio of the number of ratings of 0 to that of the next level, on short and on long scales, if the next level
is as frequent as the one after it."""

LEAST_TIMES, LEAST_SHARE = 0.1, 0.0005
"""Ratio of the number of ratings of 0 to that of the next level from which 0 isn't rare, and share of all ratings below
which a smaller ratio is too rare on a short scale."""

FEWEST_ZEROS, FEWEST_BESIDE_GAP = 20, 4
"""Minimum number of ratings of 0 that are frequent not just by chance, and minimum number on both sides of an unused
level for it to be unused not just by chance."""

DECLINE, DEVIATIONS = 3, 3
"""If 0 is rare, its ratio to the next level is at least this power of the ratio of the two levels after it (on a
bell-shaped scale, about the second power), less this number of standard deviations."""


def check_ratings(scale: Levels) -> list[Problem]:
    """Return a problem for ratings that can't be on the scale of the others; for data whose scale isn't stated."""
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
    if len(values) > MOST_LEVELS:
        return bool(values[1] >= 0.1 * values[-1] and counts[0] > counts[1:].max())
    step = float(np.diff(values[1:]).min())
    skips_level = values[1] <= 1 and values[1] >= 2 * step and counts[:2].min() >= FEWEST_BESIDE_GAP
    zeros, beside, second = counts[:3].tolist()
    return bool(skips_level) or _is_odd_count(zeros, beside, second, int(counts.sum()), len(values) - 1 <= FEW_LEVELS)


def _is_odd_count(zeros: int, beside: int, second: int, ratings: int, is_short: bool) -> bool:
    """Return whether 0 is too frequent or too rare to be the level below two others with `beside` and `second` ratings.

    `ratings` is the number of all ratings, and `is_short` says whether the scale has few levels.
    """
    ratio = beside / second
    most = (MOST_TIMES if is_short else MOST_TIMES_LONG) * beside * (max(ratio, 1.0) * min(2 * ratio, 1.0))
    least = beside * min(ratio, 1.0) ** DECLINE
    is_frequent = zeros >= FEWEST_ZEROS and zeros > max(most, beside)
    is_too_few = zeros < least - DEVIATIONS * least**0.5 or (is_short and zeros < LEAST_SHARE * ratings)
    return is_frequent or (zeros < LEAST_TIMES * beside and is_too_few)
