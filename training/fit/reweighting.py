"""Weights of raters by the density ratio of never-raters to raters (covariate shift)."""

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.columns import RATING
from features.movies import play_weighted_columns, statistics
from training.data.dataset import Dataset
from training.fit.never_raters import FEWEST, KINDS, MOST, Facts, facts_of, never_rater_chances, of_kind

Array = NDArray[np.float64]

MOST_WEIGHT = 10.0
"""Density ratios are clipped to this and to its inverse, so that a few members can't dominate the fit."""
NEWTON_STEPS, MOST_SLOPE = 20, 3.0
"""Newton steps of the logistic regression that calibrates the classifier, and its largest slope."""


@dataclass(frozen=True)
class Reweighting:
    """Density ratios of never-raters to raters."""

    weight: Array
    """(N,) weight of each member; mean 1 over raters, 0 for the others."""
    raters: int
    """Number of raters."""
    never_raters: int
    """Number of never-raters in the sample that the classifiers learned from."""

    @property
    def effective(self) -> float:
        """Effective sample size (Kish, Survey Sampling, 1965)."""
        return float(self.weight.sum() ** 2 / (self.weight**2).sum())


def reweight(data: Dataset, seed: int) -> Reweighting | None:
    """Weights of raters by classifiers on members' facts; None with fewer than FEWEST raters or never-raters.

    Never-raters with attributes, with plays and with both are each compared with raters on just those facts. A rater's
    weight is the mean of the three density ratios, weighted by the number of never-raters of each kind; a kind of fewer
    than FEWEST members, or without facts, has ratio 1. Each member's probability comes from a classifier that wasn't
    fitted on the member.
    """
    random = np.random.default_rng([seed, 11])
    rates = np.zeros(len(data.member_ids), bool)
    rates[data.raters] = True
    others = np.flatnonzero(~rates)
    if min(len(data.raters), len(others)) < FEWEST:
        return None
    members = np.sort(np.concatenate([data.raters, random.permutation(others)[:MOST]]))
    facts, never = _facts(data, members), ~rates[members]
    total, ratio = int(never.sum()), np.zeros(len(members))
    compared = 0
    for attributes, plays in KINDS.values():
        kind, usable = of_kind(facts, never, attributes, plays)
        if min(kind.sum(), usable.sum()) < FEWEST:
            continue
        rows = np.flatnonzero(kind | usable)
        chance = never_rater_chances(facts.only(attributes, plays)[rows], kind[rows], random, seed)
        density_ratio = np.ones(len(members))
        odds = calibrated_odds(chance, kind[rows])
        density_ratio[rows] = np.clip(odds * (usable.sum() / kind.sum()), 1 / MOST_WEIGHT, MOST_WEIGHT)
        density_ratio[usable] /= density_ratio[usable].mean()
        ratio += kind.sum() / total * density_ratio
        compared += int(kind.sum())
    ratio += 1 - compared / total
    weight = np.zeros(len(data.member_ids))
    weight[data.raters] = ratio[~never] / ratio[~never].mean()
    return Reweighting(weight, len(data.raters), total)


def calibrated_odds(chance: Array, label: NDArray[np.bool_]) -> Array:
    """(N,) odds of the label from out-of-fold probabilities, calibrated by a logistic regression on their log odds.

    The slope corrects an over- or underconfident classifier (Platt, 1999); it is 0, and the odds are equal for all,
    where the classifier predicts nothing.
    """
    log_odds = np.log(np.clip(chance, 1e-6, 1 - 1e-6) / np.clip(1 - chance, 1e-6, 1 - 1e-6))
    design = np.column_stack([np.ones(len(log_odds)), log_odds])
    weights = np.array([np.log(label.sum() / (~label).sum()), 0.0])
    for _ in range(NEWTON_STEPS):
        share = 1 / (1 + np.exp(-design @ weights))
        curvature = (design * (share * (1 - share))[:, None]).T @ design + np.eye(2)
        weights = weights + np.linalg.solve(curvature, design.T @ (label - share))
        weights[1] = np.clip(weights[1], 0, MOST_SLOPE)
    return np.asarray(np.exp(design @ weights))


def add_reweighting(parser: argparse.ArgumentParser) -> None:
    """The option `--reweight` of a command."""
    parser.add_argument(
        "--reweight", action="store_true",
        help="in training and evaluation, let raters count as much as members who never rate are like them",
    )  # fmt: skip


def reweighting_notes(requested: bool, reweighting: Reweighting | None) -> list[str]:
    """The note of the report where reweighting was requested but impossible."""
    if not requested or reweighting is not None:
        return []
    return [f"raters were not reweighted: that needs {FEWEST} of them and {FEWEST} members who never rate"]


def _facts(data: Dataset, members: NDArray[np.int64]) -> Facts:
    """The facts of those members, with movie statistics of all ratings and plays."""
    mean = float(data.ratings[RATING].mean())  # type: ignore[arg-type]  # ratings are numbers, and there are some
    table = statistics(data.ratings.lazy(), data.plays.lazy(), len(data.movie_ids), mean).collect()
    names, columns, _ = play_weighted_columns(table, data.release_year, data.genres, data.schema.genres)
    return facts_of(data, names, columns, members)
