"""Fits prediction intervals and probabilities to enjoy to held-out rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.schema import Scale
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.prediction.calibration import FAR, PLAY_BINS, Calibration, Tables, bins_of, places_of
from training.data.passes.side_by_side import side_by_side
from training.fit.calibration.held_out import HeldOutRows, thinned
from training.fit.calibration.isotonic import Counts, Distribution, Steps, fit_distribution

Array = NDArray[np.float64]

COVERAGE = 0.9
"""Nominal coverage: share of ratings that should lie within their interval."""
DEVIATION_LEVELS = (0.5, 0.8, 0.95)
"""Quantiles that divide the standard deviations into levels with separate distributions, if there are enough rows."""
LEVEL_ROWS = 1000
"""Minimum number of rows above a quantile for it to divide levels."""
BIN_ROWS, BIN_MEMBERS = 2000, 100
"""Minimum numbers of rows and members in a play-count bin; smaller bins are merged with their smaller neighbour."""
SMALLEST_DEVIATION = 1e-9
"""Lower bound of the standard deviation, needed for data without noise."""
FAR_ROWS, FAR_MEMBERS = 500, 50
"""Minimum numbers of rows and members for a class of extrapolation to have separate intervals."""


def calibrate(
    held_out: Mapping[tuple[MemberEvidence, MovieEvidence], HeldOutRows],
    short: Mapping[MemberEvidence, HeldOutRows],
    distances: Mapping[MemberEvidence, Array],
    scale: Scale,
    steps: Steps,
) -> Calibration:
    """Fit the calibration of all kinds of evidence.

    `short` has rows of short views of the same raters, since a member with few known plays may play little or may have
    many unknown plays. `distances` has the raters' out-of-fold distances from the landmarks.
    """

    def fit_kind(evidence: tuple[MemberEvidence, MovieEvidence]) -> _Kind:
        member, movie = evidence
        return _of_kind(held_out[evidence], short.get(member), member, movie, scale, steps)

    kinds = dict(zip(held_out, side_by_side(fit_kind, list(held_out)), strict=True))
    return Calibration(
        {
            member: _join(
                [kinds[member, movie] for movie in MovieEvidence], thinned(distances.get(member, np.empty(0)))
            )
            for member in sorted({member for member, _ in held_out})
        }
    )


def threshold(score: Array, weight: Array) -> float:
    """Return the weighted quantile that a share COVERAGE of N scores reaches, as in split conformal prediction.

    It includes the finite-sample correction (Lei et al., JASA 2018), weighted as in Tibshirani et al. (NeurIPS 2019)
    with the mean weight for the test point. Returns 0, which every score reaches, if there are too few scores.
    """
    order = np.argsort(score, kind="stable")
    reached = np.cumsum(weight[order])
    budget = (1 - COVERAGE) * (reached[-1] + reached[-1] / len(reached)) if len(reached) else 0.0
    place = int(np.searchsorted(reached, budget * (1 + 1e-12), side="right"))
    return float(score[order[place - 1]]) if place else 0.0


def merged_bins(rows: HeldOutRows) -> list[tuple[tuple[int, ...], HeldOutRows]]:
    """Return the numbers and rows of the PLAY_BINS, merged until all have enough rows and members or one is left."""
    own = bins_of(rows.plays)
    groups: list[tuple[tuple[int, ...], HeldOutRows]] = [
        ((number,), rows.take(own == number)) for number in range(len(PLAY_BINS))
    ]
    while len(groups) > 1:
        lacking = [place for place, (_, part) in enumerate(groups) if not _suffices(part)]
        if not lacking:
            break
        smallest = min(lacking, key=lambda place: len(groups[place][1].rating))
        neighbours = [place for place in (smallest - 1, smallest + 1) if 0 <= place < len(groups)]
        other = min(neighbours, key=lambda place: len(groups[place][1].rating))
        low, high = sorted((smallest, other))
        groups[low : high + 1] = [(groups[low][0] + groups[high][0], groups[low][1].join(groups[high][1]))]
    return groups


@dataclass(frozen=True)
class _Kind:
    """Tables of one kind of evidence, by play-count bin, class of extrapolation and level of deviation."""

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
    if member.has_plays:
        groups = merged_bins(rows if short is None or movie is not MovieEvidence.RATED else rows.join(short))
    else:
        groups = [((0,), rows)]
    fitted = [_fit_bin(part, scale, steps) for _, part in groups]
    widening = _widening([part for _, part in groups], fitted)
    of_bin = {number: merged for (numbers, _), merged in zip(groups, fitted, strict=True) for number in numbers}
    parts = [of_bin[number] for number in sorted(of_bin)]
    ends = [[part.ends(steps, share) for share in widening] for part in parts]
    return _Kind(
        np.stack([part.edges for part in parts]),
        np.array([[lower for lower, _ in classes] for classes in ends]),
        np.array([[upper for _, upper in classes] for classes in ends]),
        np.stack([np.stack([level.enjoyed for level in part.levels]) for part in parts]),
        np.array([part.reach for part in parts]),
    )


@dataclass(frozen=True)
class _Bin:
    """Fit of one play-count bin, with L levels of deviation."""

    edges: Array
    """(L - 1,) breakpoints between the levels; the maximum float for levels that aren't used."""
    levels: list[Distribution]
    """Distributions of the rating by level of deviation."""
    threshold: float
    """Minimum conformity score of the ratings in an interval."""
    reach: float
    """Half-width, in standard deviations, of the symmetric interval that contains a share COVERAGE of the ratings."""
    score: Array
    """(N,) out-of-fold conformity scores of the rows."""

    def ends(self, steps: Steps, share: float) -> tuple[Array, Array]:
        """Return (L, PLACES) lower and upper ends, with the threshold multiplied by `share`."""
        ends = [level.interval(steps, self.threshold * share) for level in self.levels]
        return np.stack([lower for lower, _ in ends]), np.stack([upper for _, upper in ends])


def _fit_bin(rows: HeldOutRows, scale: Scale, steps: Steps) -> _Bin:
    quantiles = [q for q in DEVIATION_LEVELS if (1 - q) * len(rows.rating) >= LEVEL_ROWS]
    cuts = np.unique(np.quantile(rows.deviation, quantiles)) if quantiles else np.empty(0)
    cuts = cuts[cuts < rows.deviation.max(initial=-np.inf)]
    edges = np.full(len(DEVIATION_LEVELS), np.finfo(np.float64).max)
    edges[: len(cuts)] = cuts
    level = (rows.deviation[:, None] > edges).sum(axis=1)
    place = np.rint(places_of(rows.rating, scale)).astype(np.int64)
    step = steps.of(rows.truth)
    levels, folds = len(edges) + 1, int(rows.fold.max(initial=0)) + 1
    counts = Counts.of(
        level * folds + rows.fold, levels * folds, place, step, rows.truth >= scale.enjoyed_from, rows.weight,
        len(steps.low),
    )  # fmt: skip
    everywhere, score = fit_distribution(counts.sum(np.arange(levels * folds))), np.zeros(len(place))
    distributions = []
    for number in range(levels):
        groups = np.arange(number * folds, (number + 1) * folds)
        whole = counts.sum(groups)
        distributions.append(fit_distribution(whole) if whole.rows.any() else everywhere)
        inside = level == number
        for fold in np.unique(rows.fold[inside]):
            own, others = np.flatnonzero(inside & (rows.fold == fold)), counts.sum(np.delete(groups, fold))
            fitted = fit_distribution(others) if others.rows.any() else distributions[-1]
            score[own] = fitted.score[place[own], step[own]]
    standardised = np.abs(rows.truth - rows.rating) / np.maximum(rows.deviation, SMALLEST_DEVIATION)
    reach = -threshold(-standardised, rows.weight) or float(standardised.max(initial=0))
    return _Bin(edges, distributions, threshold(score, rows.weight), reach, score)


def _widening(parts: Sequence[HeldOutRows], fitted: Sequence[_Bin]) -> list[float]:
    """Return factors of the threshold, 0 to 1, by class of extrapolation; they decrease, which widens intervals."""
    share = np.concatenate([bin_.score / bin_.threshold if bin_.threshold > 0 else bin_.score + 1 for bin_ in fitted])
    extrapolation, member = (np.concatenate([getattr(part, name) for part in parts])
                             for name in ("extrapolation", "member"))  # fmt: skip
    weight = np.concatenate([part.weight for part in parts])
    factors = [1.0]
    for low, high in zip(FAR, (*FAR[1:], np.inf), strict=True):
        far = (extrapolation >= low) & (extrapolation < high)
        enough = far.sum() >= FAR_ROWS and len(np.unique(member[far])) >= FAR_MEMBERS
        factors.append(min(factors[-1], threshold(share[far], weight[far])) if enough else factors[-1])
    return factors


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
