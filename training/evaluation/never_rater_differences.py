"""How members who never rate differ from raters, in attributes and plays."""

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


def never_rater_differences(data: Dataset, columns: MovieColumns, seed: int) -> dict[str, Any]:
    """How well a classifier separates never-raters from raters, and by which facts; empty with too few of either.

    `auc` is the area under the ROC curve on members whom the classifier hasn't seen: 0.5 where both are alike, 1 where
    they are separable. `auc_by_known` restricts it to never-raters of whom just those facts are known, beside raters
    shown with just those. `differences` are standardized mean differences by fact, never-raters less raters (Cohen's
    d), the largest first; `drivers` are shares of the classifier's gain by fact.
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
    differences = {}
    for column, name in zip(facts.values.T, facts.names, strict=True):
        ours, theirs = column[never & np.isfinite(column)], column[~never & np.isfinite(column)]
        spread = np.sqrt((ours.var() + theirs.var()) / 2) if min(len(ours), len(theirs)) >= FEWEST else 0.0
        if spread > 0:
            differences[name] = float((ours.mean() - theirs.mean()) / spread)
    largest = sorted(differences, key=lambda name: -abs(differences[name]))[:MOST_DIFFERENCES]
    return {name: differences[name] for name in largest}
