"""LightGBM on its own: the same features without the prior, to compare the whole with."""

import numpy as np
from numpy.typing import NDArray

from features.pairs import PRIOR_NUMBERS
from model.facts.evidence import MemberEvidence, MovieEvidence
from training.fit.fit_model import DEMEANED, Fit, half_of
from training.fit.trees.fit_trees import TreeSettings, fit_trees
from training.fit.trees.pair_rows import Rows, concatenate

MOST_ROWS = 200_000
"""Rows of each kind of evidence that it is trained on, drawn at random."""
PRIOR_PLACE = 2
"""Where the prior's numbers start among the features of pairs."""


def trees_alone(fit: Fit, seed: int) -> dict[MemberEvidence, NDArray[np.float64]]:
    """(N,) predictions of the rows that the fit is judged on, by forests that saw the other half of the members."""
    random = np.random.default_rng([seed, 7])
    judged = {
        member: fit.judged[member, MovieEvidence.RATED].rows
        for member in DEMEANED
        if (member, MovieEvidence.RATED) in fit.judged
    }
    if not judged:
        return {}
    chosen = {member: np.sort(random.permutation(len(rows))[:MOST_ROWS]) for member, rows in judged.items()}
    rows = concatenate([judged[member].take(places) for member, places in chosen.items()])
    features, mean = _features(fit, rows), fit.core.prior.mean
    side = half_of(fit.table, rows)
    forests = [
        fit_trees(features[side != half], rows.rating[side != half] - mean, seed, TreeSettings()) for half in (0, 1)
    ]
    found = {}
    for member, own in judged.items():
        predictions = np.full(len(own), mean)
        own_side = half_of(fit.table, own)
        for start in range(0, len(own), MOST_ROWS):
            part = np.arange(start, min(start + MOST_ROWS, len(own)))
            given = _features(fit, own.take(part))
            for half, forest in enumerate(forests):
                asked = own_side[part] == half
                predictions[part[asked]] += np.asarray(forest.predict(given[asked]))
        found[member] = predictions
    return found


def _features(fit: Fit, rows: Rows) -> NDArray[np.float32]:
    """Features of pairs without the prior, with the member's own beside them."""
    pairs = fit.table.all_features(rows, np.zeros(len(rows)))
    pairs = np.delete(pairs, np.arange(PRIOR_PLACE, PRIOR_PLACE + len(PRIOR_NUMBERS)), axis=1)
    plays = np.isin(rows.evidence, [MemberEvidence.PLAYS, MemberEvidence.ATTRIBUTES_AND_PLAYS])
    own = fit.table.apart.inputs[rows.view][:, : -fit.core.prior.columns.embedding.shape[1]]
    attributes = np.isin(rows.evidence, [MemberEvidence.ATTRIBUTES, MemberEvidence.ATTRIBUTES_AND_PLAYS])
    known = np.where(attributes[:, None], fit.table.views.attributes[rows.view], np.nan)
    return np.concatenate(
        [pairs, np.where(plays[:, None], own, np.nan), known], axis=1, dtype=np.float32, casting="same_kind"
    )
