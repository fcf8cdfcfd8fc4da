"""How far members who never rate differ from those who rate, on what is known of both."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.prediction.prior.member_inputs import MovieColumns
from training.data.dataset import Dataset
from training.evaluation.scores import area_under_curve
from training.fit.never_raters import (
    FEWEST,
    KINDS,
    MOST,
    MOST_DIFFERENCES,
    Facts,
    classify,
    facts_of,
    never_rater_chances,
    of_kind,
)


def difference(data: Dataset, columns: MovieColumns, seed: int) -> dict[str, Any]:
    """What tells raters and never-raters apart; empty where there are too few of either.

    `auc` is that of a classifier on members it did not see: 0.5 where they are alike, 1 where they are told apart for
    sure. `auc_by_known` is the same for never-raters of whom just that is known, beside raters seen with just that.
    `differences` are those of never-raters' means from raters', over the standard deviation, the largest first;
    `drivers` the shares of the classifier's gain by fact.
    """
    random = np.random.default_rng([seed, 10])
    rates = np.zeros(len(data.member_ids), bool)
    rates[data.raters] = True
    raters, others = np.flatnonzero(rates), np.flatnonzero(~rates)
    if min(len(raters), len(others)) < FEWEST:
        return {}
    members = np.sort(np.concatenate([random.permutation(raters)[:MOST], random.permutation(others)[:MOST]]))
    facts = facts_of(data, columns.names, columns.columns, members)
    never = ~rates[members]
    forests = classify(facts.values, never, random, seed)
    by_known = {}
    for name, (attributes, plays) in KINDS.items():
        kind, usable = of_kind(facts, never, attributes, plays)
        if min(kind.sum(), usable.sum()) >= FEWEST:
            rows = kind | usable
            chance = never_rater_chances(facts.only(attributes, plays)[rows], kind[rows], random, seed)
            by_known[name] = area_under_curve(kind[rows], chance)
    return {
        "raters": float(len(raters)),
        "never_raters": float(len(others)),
        "auc": area_under_curve(never, forests.chance),
        "auc_by_known": by_known,
        "differences": _differences(facts, never),
        "drivers": forests.drivers(facts.names),
    }


def _differences(facts: Facts, never: NDArray[np.bool_]) -> dict[str, float]:
    found = {}
    for column, name in zip(facts.values.T, facts.names, strict=True):
        ours, theirs = column[never & np.isfinite(column)], column[~never & np.isfinite(column)]
        spread = np.sqrt((ours.var() + theirs.var()) / 2) if min(len(ours), len(theirs)) >= FEWEST else 0.0
        if spread > 0:
            found[name] = float((ours.mean() - theirs.mean()) / spread)
    largest = sorted(found, key=lambda name: -abs(found[name]))[:MOST_DIFFERENCES]
    return {name: found[name] for name in largest}
