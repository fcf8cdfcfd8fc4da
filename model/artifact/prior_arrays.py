"""Conversion of a prior to arrays and numbers, and back."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.schema import Attribute
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.files.npz import Arrays
from model.prediction.prior.kernel_regression import KernelRegression
from model.prediction.prior.member_inputs import MovieColumns
from model.prediction.prior.play_probability import POPULARITY
from model.prediction.prior.prior import Description, Prior

_COLUMN_ARRAYS = ("columns", "embedding", "squared_weight", "taste")
_HEAD_ARRAYS = {
    "centre": "centre", "scale": "scale", "sight": "rbf_mask", "landmarks": "landmarks", "intercept": "intercept",
    "linear": "linear", "bumps": "rbf_weights",
}  # fmt: skip
"""Attributes of KernelRegression by their names in the file."""
_PRIOR_ARRAYS = ("movies", "average_member", "movie_variance", "movie_noise", "play_weights")
_DESCRIPTION_ARRAYS = ("centre", "intercept", "weights")


def prior_arrays(prior: Prior) -> Arrays:
    """Return the arrays of a prior by name."""
    arrays: Arrays = {name: getattr(prior.columns, name) for name in _COLUMN_ARRAYS}
    arrays |= {name: getattr(prior, name) for name in _PRIOR_ARRAYS}
    arrays |= description_arrays("description", prior.description)
    for evidence, head in prior.heads.items():
        arrays |= {f"head.{int(evidence)}.{name}": getattr(head, own) for name, own in _HEAD_ARRAYS.items()}
    arrays |= {f"followed.{int(evidence)}": weights for evidence, weights in prior.shrinkage.items()}
    arrays |= {f"spread.{int(evidence)}": spread for evidence, spread in prior.spread.items()}
    return arrays | {f"rating_weights.{int(evidence)}": weights for evidence, weights in prior.rating_weights.items()}


def prior_numbers(prior: Prior) -> dict[str, Any]:
    """Return all of a prior that isn't an array, for JSON."""
    return {
        "mean": prior.mean,
        "noise": prior.noise,
        "noise_spread": prior.noise_spread,
        "mean_year": prior.columns.mean_year,
        "columns": list(prior.columns.names),
        "year_knots": list(prior.description.year.knots),
        "unrated_variance": {str(int(kind)): value for kind, value in prior.unrated_variance.items()},
        "gammas": {str(int(kind)): head.gamma for kind, head in prior.heads.items()},
    }


def prior_of(arrays: Arrays, numbers: dict[str, Any]) -> Prior:
    """Return the prior of these arrays and numbers. Raises ValueError or KeyError if they are invalid."""
    heads = {
        MemberEvidence(int(kind)): KernelRegression(
            gamma=float(gamma),
            **{own: arrays[f"head.{kind}.{name}"] for name, own in _HEAD_ARRAYS.items()},
        )
        for kind, gamma in numbers["gammas"].items()
    }
    columns = MovieColumns(
        names=tuple(numbers["columns"]),
        mean_year=numbers["mean_year"],
        **{name: arrays[name] for name in _COLUMN_ARRAYS},
    )
    year = Attribute("release_year", "numeric", knots=tuple(numbers["year_knots"]))
    return Prior(
        mean=numbers["mean"],
        columns=columns,
        movies=arrays["movies"],
        description=description_of(arrays, "description", year),
        average_member=arrays["average_member"],
        heads=heads,
        shrinkage={
            kind: arrays[f"followed.{int(kind)}"] for kind in MemberEvidence if f"followed.{int(kind)}" in arrays
        },
        spread={kind: arrays[f"spread.{int(kind)}"] for kind in MemberEvidence if f"spread.{int(kind)}" in arrays},
        movie_variance=arrays["movie_variance"],
        unrated_variance={MovieEvidence(int(kind)): value for kind, value in numbers["unrated_variance"].items()},
        noise=numbers["noise"],
        movie_noise=arrays.get("movie_noise", np.full(len(arrays["movies"]), numbers["noise"])),
        rating_weights={
            kind: arrays[f"rating_weights.{int(kind)}"]
            for kind in MemberEvidence
            if f"rating_weights.{int(kind)}" in arrays
        },
        noise_spread=numbers.get("noise_spread", 0.0),
        play_weights=_play_weights(arrays.get("play_weights", POPULARITY)),
    )


def _play_weights(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights of the probability of plays for all its inputs; versions from before an input lack its weight."""
    return np.append(weights, np.zeros(len(POPULARITY) - len(weights)))


def description_arrays(name: str, description: Description) -> Arrays:
    """Return the arrays of a regression on descriptions, whose names begin with `name`."""
    return {f"{name}.{part}": getattr(description, part) for part in _DESCRIPTION_ARRAYS}


def description_of(arrays: Arrays, name: str, year: Attribute) -> Description:
    """Return the regression on descriptions that `description_arrays` converted."""
    return Description(year, **{part: arrays[f"{name}.{part}"] for part in _DESCRIPTION_ARRAYS})
