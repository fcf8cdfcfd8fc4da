"""How members who never rate differ from raters in attributes and plays, for the report."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.prediction.prior.member_inputs import MovieColumns
from training.data.dataset import Dataset
from training.evaluation.scores import area_under_curve
from training.fit.covariate_shift.never_raters import (
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
    """Return how well a classifier can tell never-raters from raters, and by which attributes and plays.

    The result has `auc`, the area under the ROC curve on held-out members: 0.5 if the groups don't differ, 1 if they
    can be separated. For `auc_by_known`, never-raters who have only the named facts are compared with raters of whom
    only these facts are used. `differences` are standardized differences of means by fact (Cohen's d), never-raters
    minus raters, the largest first. `drivers` are the shares of the classifier's gain by fact. The result is empty with
    fewer than FEWEST raters or never-raters.
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
