"""What each rater counts, so that raters together look like the members who never rate."""

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
"""A density ratio is cut to this, and to one by this: a few members must not decide everything."""
NEWTON_STEPS, MOST_SLOPE = 20, 3.0
"""Of the logistic regression that puts the classifier's chances right, and its largest slope."""


@dataclass(frozen=True)
class Reweighting:
    """Density ratios of never-raters to raters."""

    weight: Array
    """(N,) for each member; in the mean 1 over raters, 0 for the others."""
    raters: int
    """How many raters there are."""
    never_raters: int
    """How many members who never rate stood for them all."""

    @property
    def effective(self) -> float:
        """Effective sample size: so many raters of equal weight would tell as much (Kish, 1965)."""
        return float(self.weight.sum() ** 2 / (self.weight**2).sum())


def reweight(data: Dataset, seed: int) -> Reweighting | None:
    """Weights of raters by a classifier on what is known of both; None where there are too few of either.

    Never-raters of whom attributes are known, plays, or both are each compared with raters on just that. A rater's
    weight is the mean of those ratios, by how many never-raters each kind has; a kind of which nothing is known, or too
    few members, can't be told apart and counts as 1. No member's chance comes from a classifier that saw the member.
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
    told_apart = 0
    for attributes, plays in KINDS.values():
        kind, usable = of_kind(facts, never, attributes, plays)
        if min(kind.sum(), usable.sum()) < FEWEST:
            continue
        rows = np.flatnonzero(kind | usable)
        chance = never_rater_chances(facts.only(attributes, plays)[rows], kind[rows], random, seed)
        found = np.ones(len(members))
        odds = calibrated_odds(chance, kind[rows])
        found[rows] = np.clip(odds * (usable.sum() / kind.sum()), 1 / MOST_WEIGHT, MOST_WEIGHT)
        found[usable] /= found[usable].mean()
        ratio += kind.sum() / total * found
        told_apart += int(kind.sum())
    ratio += 1 - told_apart / total
    weight = np.zeros(len(data.member_ids))
    weight[data.raters] = ratio[~never] / ratio[~never].mean()
    return Reweighting(weight, len(data.raters), total)


def calibrated_odds(chance: Array, label: NDArray[np.bool_]) -> Array:
    """(N,) odds of the label from chances that did not see it, by a logistic regression on their log odds.

    A classifier that is too sure, or not sure enough, is put right by the slope (Platt, 1999): where it tells nothing,
    the odds are alike for all.
    """
    given = np.log(np.clip(chance, 1e-6, 1 - 1e-6) / np.clip(1 - chance, 1e-6, 1 - 1e-6))
    design = np.column_stack([np.ones(len(given)), given])
    found = np.array([np.log(label.sum() / (~label).sum()), 0.0])
    for _ in range(NEWTON_STEPS):
        share = 1 / (1 + np.exp(-design @ found))
        curvature = (design * (share * (1 - share))[:, None]).T @ design + np.eye(2)
        found = found + np.linalg.solve(curvature, design.T @ (label - share))
        found[1] = np.clip(found[1], 0, MOST_SLOPE)
    return np.asarray(np.exp(design @ found))


def add_reweighting(parser: argparse.ArgumentParser) -> None:
    """The option `--reweight` of a command."""
    parser.add_argument(
        "--reweight", action="store_true",
        help="in training and evaluation, let raters count as much as members who never rate are like them",
    )  # fmt: skip


def reweighting_notes(asked: bool, found: Reweighting | None) -> list[str]:
    """What the report says where reweighting was asked for."""
    if not asked or found is not None:
        return []
    return [f"raters were not reweighted: that needs {FEWEST} of them and {FEWEST} members who never rate"]


def _facts(data: Dataset, members: NDArray[np.int64]) -> Facts:
    mean = float(data.ratings[RATING].mean())  # type: ignore[arg-type]  # ratings are numbers, and there are some
    table = statistics(data.ratings.lazy(), data.plays.lazy(), len(data.movie_ids), mean).collect()
    names, columns, _ = play_weighted_columns(table, data.release_year, data.genres, data.schema.genres)
    return facts_of(data, names, columns, members)
