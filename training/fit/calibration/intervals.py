"""Fits intervals and probabilities on members whom the predictions had not seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.schema import Scale
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.prediction.calibration import COVERAGE, FAR, PLAY_BINS, Calibration, Tables, bins_of, places_of
from training.fit.calibration.held_out import HeldOutRows, thinned
from training.fit.calibration.isotonic import Counts, Distribution, Steps, fit_distribution

Array = NDArray[np.float64]

DEVIATION_LEVELS = (0.5, 0.8, 0.95)
"""Quantiles of the standard deviation at which predictions get distributions of their own, where rows suffice."""
LEVEL_ROWS = 1000
"""Rows that a level of deviation needs."""
BIN_ROWS, BIN_MEMBERS = 2000, 100
"""Rows and members that a bin of plays needs, else it is merged with its smaller neighbour."""
SMALLEST_DEVIATION = 1e-9
"""Where there is no noise at all."""
FAR_ROWS, FAR_MEMBERS = 500, 50
"""Rows and members that a class of extrapolation needs to have intervals of its own."""


def calibrate(
    held: Mapping[tuple[MemberEvidence, MovieEvidence], HeldOutRows],
    short: Mapping[MemberEvidence, HeldOutRows],
    distances: Mapping[MemberEvidence, Array],
    scale: Scale,
    steps: Steps,
) -> Calibration:
    """The calibration of all kinds of evidence.

    `short` are predictions from few plays of the same raters: a member of few plays may be one who plays little, or one
    of whose plays few are known. `distances` are those of raters whom the regressions had not seen.
    """
    members = sorted({member for member, _ in held})
    return Calibration(
        {
            member: _join(
                [_of_kind(held[member, movie], short.get(member), member, movie, scale, steps)
                 for movie in MovieEvidence],
                thinned(distances.get(member, np.empty(0))),
            )
            for member in members
        }
    )  # fmt: skip


def threshold(score: Array, weight: Array) -> float:
    """The number that 90 % of N scores reach, by weight, with split-conformal prediction's finite-sample correction.

    0, which every score reaches, where there are too few (Lei et al., JASA 2018; weights as in Tibshirani et al.,
    NeurIPS 2019, with the mean weight for the rating to come).
    """
    order = np.argsort(score, kind="stable")
    reached = np.cumsum(weight[order])
    budget = (1 - COVERAGE) * (reached[-1] + reached[-1] / len(reached)) if len(reached) else 0.0
    place = int(np.searchsorted(reached, budget * (1 + 1e-12), side="right"))
    return float(score[order[place - 1]]) if place else 0.0


def merged_bins(rows: HeldOutRows) -> list[tuple[tuple[int, ...], HeldOutRows]]:
    """Bins of PLAY_BINS, merged so that each has rows and members enough where that can be, with their rows."""
    own = bins_of(rows.plays)
    groups: list[tuple[tuple[int, ...], HeldOutRows]] = [
        ((number,), rows.take(own == number)) for number in range(len(PLAY_BINS))
    ]
    while len(groups) > 1:
        lacking = [place for place, (_, part) in enumerate(groups) if not _suffices(part)]
        if not lacking:
            break
        place = min(lacking, key=lambda one: len(groups[one][1].rating))
        beside = [one for one in (place - 1, place + 1) if 0 <= one < len(groups)]
        other = min(beside, key=lambda one: len(groups[one][1].rating))
        low, high = sorted((place, other))
        groups[low : high + 1] = [(groups[low][0] + groups[high][0], groups[low][1].join(groups[high][1]))]
    return groups


@dataclass(frozen=True)
class _Kind:
    """Tables of one kind of member and movie evidence: bins, classes of extrapolation, levels."""

    edges: Array
    lower: Array
    upper: Array
    enjoyed: Array
    reach: Array


def _of_kind(
    rows: HeldOutRows,
    short: HeldOutRows | None,
    member: MemberEvidence,
    movie: MovieEvidence,
    scale: Scale,
    steps: Steps,
) -> _Kind:
    if short is not None and movie is MovieEvidence.RATED:
        rows = rows.join(short)
    groups = merged_bins(rows) if member.has_plays else [((0,), rows)]
    fitted = [_fit_bin(part, scale, steps) for _, part in groups]
    widening = _widening([part for _, part in groups], fitted)
    of_bin = {number: one for (numbers, _), one in zip(groups, fitted, strict=True) for number in numbers}
    parts = [of_bin[number] for number in sorted(of_bin)]
    ends = [[one.ends(steps, share) for share in widening] for one in parts]
    return _Kind(
        np.stack([one.edges for one in parts]),
        np.array([[lower for lower, _ in classes] for classes in ends]),
        np.array([[upper for _, upper in classes] for classes in ends]),
        np.stack([np.stack([level.enjoyed for level in one.levels]) for one in parts]),
        np.array([one.reach for one in parts]),
    )


@dataclass(frozen=True)
class _Bin:
    """What was fitted to one bin of plays."""

    edges: Array
    """(L - 1,) beyond all deviations where there are fewer levels."""
    levels: list[Distribution]
    """Distributions of ratings for each level of deviation."""
    threshold: float
    """Ratings whose score reaches it are inside the interval."""
    reach: float
    """How many standard deviations to either side of the rating hold 90 % of ratings."""
    score: Array
    """(N,) of the rows, each by a fit that didn't see its member."""

    def ends(self, steps: Steps, share: float) -> tuple[Array, Array]:
        """(L, PLACES) lower and upper ends, with the threshold lowered to this share of it."""
        found = [level.interval(steps, self.threshold * share) for level in self.levels]
        return np.stack([lower for lower, _ in found]), np.stack([upper for _, upper in found])


def _fit_bin(rows: HeldOutRows, scale: Scale, steps: Steps) -> _Bin:
    quantiles = [q for q in DEVIATION_LEVELS if (1 - q) * len(rows.rating) >= LEVEL_ROWS]
    found = np.unique(np.quantile(rows.deviation, quantiles)) if quantiles else np.empty(0)
    found = found[found < rows.deviation.max(initial=-np.inf)]
    edges = np.full(len(DEVIATION_LEVELS), np.finfo(np.float64).max)
    edges[: len(found)] = found
    level = (rows.deviation[:, None] > edges).sum(axis=1)
    place = np.rint(places_of(rows.rating, scale)).astype(np.int64)
    step = steps.of(rows.truth)
    levels, folds = len(edges) + 1, int(rows.fold.max(initial=0)) + 1
    counts = Counts.of(
        level * folds + rows.fold, levels * folds, place, step, rows.truth >= scale.enjoyed_from, rows.weight,
        len(steps.low),
    )  # fmt: skip
    everywhere, score = fit_distribution(counts.sum(np.arange(levels * folds))), np.zeros(len(place))
    found_levels = []
    for number in range(levels):
        groups = np.arange(number * folds, (number + 1) * folds)
        whole = counts.sum(groups)
        found_levels.append(fit_distribution(whole) if whole.rows.any() else everywhere)
        inside = level == number
        for fold in np.unique(rows.fold[inside]):
            own, others = np.flatnonzero(inside & (rows.fold == fold)), counts.sum(np.delete(groups, fold))
            fitted = fit_distribution(others) if others.rows.any() else found_levels[-1]
            score[own] = fitted.score[place[own], step[own]]
    away = np.abs(rows.truth - rows.rating) / np.maximum(rows.deviation, SMALLEST_DEVIATION)
    reach = -threshold(-away, rows.weight) or float(away.max(initial=0))
    return _Bin(edges, found_levels, threshold(score, rows.weight), reach, score)


def _widening(parts: Sequence[HeldOutRows], fitted: Sequence[_Bin]) -> list[float]:
    """The share to which each class of extrapolation lowers the threshold: never more than nearer ones."""
    share = np.concatenate([one.score / one.threshold if one.threshold > 0 else one.score + 1 for one in fitted])
    extrapolation, member = (np.concatenate([getattr(part, name) for part in parts])
                             for name in ("extrapolation", "member"))  # fmt: skip
    weight = np.concatenate([part.weight for part in parts])
    found = [1.0]
    for low, high in zip(FAR, (*FAR[1:], np.inf), strict=True):
        far = (extrapolation >= low) & (extrapolation < high)
        enough = far.sum() >= FAR_ROWS and len(np.unique(member[far])) >= FAR_MEMBERS
        found.append(min(found[-1], threshold(share[far], weight[far])) if enough else found[-1])
    return found


def _join(kinds: Sequence[_Kind], distances: Array) -> Tables:
    return Tables(
        np.stack([kind.edges for kind in kinds], axis=1),
        np.stack([kind.lower for kind in kinds], axis=2),
        np.stack([kind.upper for kind in kinds], axis=2),
        np.stack([kind.enjoyed for kind in kinds], axis=1),
        np.stack([kind.reach for kind in kinds], axis=1),
        distances,
    )


def _suffices(rows: HeldOutRows) -> bool:
    return len(rows.rating) >= BIN_ROWS and len(np.unique(rows.member)) >= BIN_MEMBERS
