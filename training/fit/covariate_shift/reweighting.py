"""Weights raters by the density ratio of never-raters to raters, to correct for covariate shift."""

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from features.movies import play_weighted_columns
from training.data.dataset import Dataset
from training.data.passes.movie_statistics import MovieStatistics
from training.fit.covariate_shift.never_raters import FEWEST, KINDS, MOST, Facts, facts_of, never_rater_chances, of_kind

Array = NDArray[np.float64]

MOST_WEIGHT = 10.0
"""Upper bound of the density ratios; its inverse is the lower bound. A few members thus can't dominate the fit."""
MOST_LOG_ODDS = 30.0
"""Maximum of calibrated log odds, which are infinite where a fact tells raters and never-raters apart."""
NEWTON_STEPS, MOST_SLOPE = 20, 3.0
"""Number of Newton steps of the logistic regression that calibrates the classifier, and its maximum slope."""


@dataclass(frozen=True)
class Reweighting:
    """Density ratios of never-raters to raters."""

    weight: Array
    """(N,) weight of each member: 1 on average over raters, 0 for never-raters."""
    raters: int
    """Number of raters."""
    never_raters: int
    """Number of never-raters that the classifiers were fitted on, after sampling."""

    @property
    def effective(self) -> float:
        """Effective sample size (Kish, Survey Sampling, 1965)."""
        return float(self.weight.sum() ** 2 / (self.weight**2).sum())


def reweight(data: Dataset, statistics: MovieStatistics, seed: int) -> Reweighting | None:
    """Weight raters by classifiers on members' facts; return None with fewer than FEWEST raters or never-raters.

    Never-raters with attributes only, with plays only, and with both are compared with raters separately, using only
    these facts. A rater's weight is the mean of the density ratios, weighted by the number of never-raters of each
    kind. Kinds with fewer than FEWEST members, and never-raters without facts, have ratio 1. Each member's probability
    comes from a classifier that wasn't fitted on the member. `statistics` are those of the movies in the data.
    """
    random = np.random.default_rng([seed, 11])
    rates = np.zeros(len(data.member_ids), bool)
    rates[data.raters] = True
    others = np.flatnonzero(~rates)
    if min(len(data.raters), len(others)) < FEWEST:
        return None
    members = np.sort(np.concatenate([data.raters, random.permutation(others)[:MOST]]))
    facts, never = _facts(data, statistics, members), ~rates[members]
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
    """Return (N,) odds of the label, calibrated by a logistic regression on the log odds of out-of-fold probabilities.

    The slope corrects an over- or underconfident classifier (Platt, 1999). If the probabilities carry no information
    about the label, the slope is about 0 and all odds are about equal.
    """
    log_odds = np.log(np.clip(chance, 1e-6, 1 - 1e-6) / np.clip(1 - chance, 1e-6, 1 - 1e-6))
    design = np.column_stack([np.ones(len(log_odds)), log_odds])
    weights = np.array([np.log(label.sum() / (~label).sum()), 0.0])
    for _ in range(NEWTON_STEPS):
        share = expit(design @ weights)
        curvature = (design * (share * (1 - share))[:, None]).T @ design + np.eye(2)
        weights = weights + np.linalg.solve(curvature, design.T @ (label - share))
        weights[1] = np.clip(weights[1], 0, MOST_SLOPE)
    return np.asarray(np.exp(np.clip(design @ weights, -MOST_LOG_ODDS, MOST_LOG_ODDS)))


def add_reweighting(parser: argparse.ArgumentParser) -> None:
    """Add the option `--reweight` to a command."""
    parser.add_argument(
        "--reweight", action="store_true",
        help="in training and evaluation, let raters count as much as members who never rate are like them",
    )  # fmt: skip


def reweighting_notes(requested: bool, reweighting: Reweighting | None) -> list[str]:
    """Return a note for the report if reweighting was requested but impossible, otherwise an empty list."""
    if not requested or reweighting is not None:
        return []
    return [f"raters were not reweighted: that needs {FEWEST} of them and {FEWEST} members who never rate"]


def _facts(data: Dataset, statistics: MovieStatistics, members: NDArray[np.int64]) -> Facts:
    names, columns, _ = play_weighted_columns(statistics.table(), data.release_year, data.genres, data.schema.genres)
    return facts_of(data, names, columns, members)
