"""Scores of predictions by popularity of the movie and by group of members."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.attributes import group_count, groups
from features.schema import Attribute
from training.evaluation.scores import coverage, mean_width, rmse

Array = NDArray[np.float64]

POPULARITY_BINS = (1, 20, 100, 300, 1000)
"""Numbers of ratings of a movie at which popularity is cut."""
FEWEST_ROWS = 50
"""A slice needs so many targets to be told."""
FEWEST_MEMBERS = 20
"""A group of members needs so many to be told: a smaller one could tell of single people."""


@dataclass(frozen=True)
class Told:
    """N predictions beside the truth."""

    truth: Array
    """(N,) the rating given."""
    rating: Array
    """(N,) predicted, within the scale."""
    movie_mean: Array
    """(N,) the movie's mean rating, within the scale."""
    lower: Array
    """(N,) lower end of the 90 % interval."""
    upper: Array
    """(N,) upper end of it."""
    steps: Array
    """(S,) the ratings that exist, ascending."""

    def errors(self, chosen: NDArray[np.bool_]) -> dict[str, float]:
        """Scores of some of the predictions ((N,) mask)."""
        truth, lower, upper = self.truth[chosen], self.lower[chosen], self.upper[chosen]
        return {
            "targets": float(chosen.sum()),
            "movie_mean_rmse": rmse(self.movie_mean[chosen], truth),
            "rmse": rmse(self.rating[chosen], truth),
            "coverage": coverage(lower, upper, truth),
            "mean_width": mean_width(lower, upper, self.steps),
        }


def by_popularity(ratings: NDArray[np.int64], told: Told) -> list[dict[str, float]]:
    """Scores by how many ratings the movie has; `ratings` is (N,)."""
    found = []
    for low, high in zip(POPULARITY_BINS, (*POPULARITY_BINS[1:], np.inf), strict=True):
        chosen = (ratings >= low) & (ratings < high)
        if chosen.sum() >= FEWEST_ROWS:
            found.append({"ratings_from": float(low)} | told.errors(chosen))
    return found


def by_group(
    attribute: Attribute, values: NDArray[np.float32], member: NDArray[np.int64], told: Told
) -> dict[str, dict[str, float]]:
    """Scores for each group of an attribute that enough members are in; `values` and `member` are (N,)."""
    group, found = groups(values, attribute), {}
    for number in range(group_count(attribute)):
        chosen = group == number
        if len(np.unique(member[chosen])) >= FEWEST_MEMBERS:
            found[_group_name(attribute, number)] = told.errors(chosen)
    return found


def _group_name(attribute: Attribute, number: int) -> str:
    if attribute.kind == "categorical":
        return attribute.categories[number] if number < len(attribute.categories) else "other"
    low = f"from {attribute.knots[number - 1]:g}" if number else ""
    high = f"below {attribute.knots[number]:g}" if number < len(attribute.knots) else ""
    return f"{low} {high}".strip()
