"""Explanations of a prediction: the rating points that each group of facts, such as plays, adds."""

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
"""Name of the part of an explanation that an input of the trees counts towards, by the prefix of the input's name."""


def prior_parts(prior: Prior, taste: Taste, without_plays: Taste, targets: Targets) -> dict[str, float]:
    """Return the rating points that each term of the factorization adds to one member's prediction of one movie.

    `taste_from_attributes` is the taste term of a prediction without plays, and `taste_from_plays` is what plays add to
    it. Generosity isn't split between attributes and plays.
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
    """Return the rating points that the trees add to a prediction, by group of facts, for its explanation.

    `names` (F,) are the names of the inputs of the trees. `contributions` (F + 1,) has the rating points that each of
    them adds, and last the constant, which counts towards the corrections of the prior.
    """
    parts = dict.fromkeys(CORRECTIONS.values(), 0.0)
    for name, value in zip(names, contributions[:-1], strict=True):
        parts[CORRECTIONS[name.split(":", 1)[0]]] += float(value)
    parts[CORRECTIONS["prior"]] += float(contributions[-1])
    return parts
