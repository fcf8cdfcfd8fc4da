"""Additive explanation of one prediction by groups of facts."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.prediction.movie_targets import Targets
from model.prediction.prior.prior import Prior, Taste

CORRECTIONS = {
    "movie": "movie_corrections",
    "plays": "play_corrections",
    "attributes": "attribute_corrections",
    "prior": "prior_corrections",
}
"""The group of an explanation that each kind of the trees' features belongs to."""


def prior_parts(prior: Prior, taste: Taste, without_plays: Taste, targets: Targets) -> dict[str, float]:
    """Rating points that the prior's terms add to the prediction of one movie for one member.

    Taste from attributes is that of a prediction without plays; the difference that plays make is taste from plays.
    Generosity isn't divided between attributes and plays.
    """
    size = targets.factors.shape[1] - 1
    movie, average = targets.factors[0], prior.average_member
    factors, bare = taste.factors[0], without_plays.factors[0]
    usual = float(movie[:size] @ average[:size])
    whole = float(movie[:size] @ factors[:size]) - usual
    by_attributes = float(movie[:size] @ bare[:size]) - usual
    if not taste.evidence.has_plays:
        by_attributes = whole
    return {
        "average": prior.mean,
        "movie": float(movie[size]) + usual + float(targets.offset[0]),
        "generosity": float(factors[size]),
        "taste_from_plays": whole - by_attributes,
        "taste_from_attributes": by_attributes,
    }


def tree_parts(names: Sequence[str], contributions: NDArray[np.float64]) -> dict[str, float]:
    """Rating points that the trees add, by group, from (F + 1,) contributions of F features and the constant."""
    parts = dict.fromkeys(CORRECTIONS.values(), 0.0)
    for name, value in zip(names, contributions[:-1], strict=True):
        parts[CORRECTIONS[name.split(":", 1)[0]]] += float(value)
    parts[CORRECTIONS["prior"]] += float(contributions[-1])
    return parts
