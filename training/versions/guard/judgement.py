"""Compares two versions on the same ratings, by squared error and by coverage, with each member counting once.

The test is that of Choe and Ramdas, "Comparing sequential forecasters" (Operations Research, 2024), with members as its
units: differences of scores are bets, so that nothing has to be assumed of how ratings are distributed or change.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.schema import Scale
from training.fit.calibration.intervals import COVERAGE
from training.versions.guard.e_process import Array, e_values
from training.versions.guard.guard_settings import GuardSettings

LARGEST_SHARE = 0.25
"""What one rating can say in favour of the current version, as a share of the squared span of the scale. Differences
that could say more, since the versions differ by a quarter of the scale or more, are scaled down to it, whatever the
rating turns out to be. The lower this bound, the fewer ratings the test needs."""


class VersionPredictions(NamedTuple):
    """What one version predicts for N ratings, in rating points."""

    rating: Array
    """(N,) predicted ratings."""
    lower: Array
    """(N,) lower ends of the 90 % intervals."""
    upper: Array
    """(N,) upper ends of the 90 % intervals."""


@dataclass(frozen=True)
class Replay:
    """N recorded ratings of M members, predicted by the current version and by the one before."""

    member: NDArray[np.int64]
    """(N,) number of the member, 0 to M - 1, in the order in which members are looked at."""
    rating: Array
    """(N,) what the members rated."""
    current: VersionPredictions
    """Predictions of the current version."""
    before: VersionPredictions
    """Predictions of the version before."""


@dataclass(frozen=True)
class Judgement:
    """What was seen of two versions until the guard was sure that the current one is worse, or until now."""

    members: int
    """Number of members looked at."""
    outcomes: int
    """Number of their ratings."""
    e_value: float
    """Evidence that the current version is worse, at its highest."""
    squared_error: tuple[float, float]
    """Mean squared error of the current version and of the one before; NaN without ratings."""
    coverage: tuple[float, float]
    """Share of ratings within the 90 % intervals of the current version and of the one before; NaN without ratings."""
    is_worse: bool
    """Whether the evidence suffices to go back."""


def judge(replay: Replay, scale: Scale, settings: GuardSettings) -> Judgement:
    """Compare the versions member by member, until there is enough evidence that the current one is worse.

    The ratings of one member depend on each other, so each member counts once, by the mean over their ratings.
    The evidence is the mean of two e-values: of a larger squared error, and of intervals that cover too little.
    """
    evidence = (_of_error(replay, scale, settings) + _of_coverage(replay, settings)) / 2
    enough = evidence >= 1 / settings.alpha
    is_worse = bool(enough.any())
    members = int(enough.argmax()) + 1 if is_worse else len(evidence)
    seen = replay.member < members
    errors, covered = (
        tuple(float(part(replay, version)[seen].mean()) if seen.any() else np.nan for version in _versions(replay))
        for part in (_squared_error, _covered)
    )
    highest = float(evidence[:members].max(initial=1.0))
    return Judgement(members, int(seen.sum()), highest, errors, covered, is_worse)  # type: ignore[arg-type] # are pairs


def _of_error(replay: Replay, scale: Scale, settings: GuardSettings) -> Array:
    """Return (M,) e-values of the current version having a larger squared error, beyond the margin."""
    allowed = 1 + settings.margin_percent / 100
    bound = LARGEST_SHARE * scale.span**2

    def excess(rating: Array | float) -> Array:
        current, before = ((version.rating - rating) ** 2 for version in _versions(replay))
        return current - allowed * before

    least = np.minimum(excess(scale.low), excess(scale.high))  # it is concave in the rating, so least at an end
    weight = bound / np.maximum(-least, bound)
    return e_values(_by_member(replay, weight * excess(replay.rating)), bound)


def _of_coverage(replay: Replay, settings: GuardSettings) -> Array:
    """Return (M,) e-values of the current intervals covering too little: less than 90 % and less than before."""
    current, before = (_covered(replay, version) for version in _versions(replay))
    margin = settings.coverage_margin
    below_nominal = e_values(_by_member(replay, COVERAGE - margin - current), 1 - COVERAGE + margin)
    below_before = e_values(_by_member(replay, before - margin - current), 1 + margin)
    return np.minimum(below_nominal, below_before)


def _versions(replay: Replay) -> tuple[VersionPredictions, VersionPredictions]:
    return replay.current, replay.before


def _squared_error(replay: Replay, version: VersionPredictions) -> Array:
    return (version.rating - replay.rating) ** 2


def _covered(replay: Replay, version: VersionPredictions) -> Array:
    return ((version.lower <= replay.rating) & (replay.rating <= version.upper)).astype(np.float64)


def _by_member(replay: Replay, values: Array) -> Array:
    """Return (M,) the mean of (N,) values over each member's ratings."""
    return np.bincount(replay.member, values) / np.bincount(replay.member)
