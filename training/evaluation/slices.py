"""Scores of predictions by popularity of the movie and by group of members, such as an age group."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.attributes import group_count, groups
from features.schema import Attribute
from training.evaluation.scores import coverage, mean_width, rmse

Array = NDArray[np.float64]

POPULARITY_BINS = (1, 20, 100, 300, 1000)
"""Lower bounds of the popularity bins, as numbers of ratings of a movie."""
FEWEST_ROWS = 50
"""Minimum number of ratings to give scores for a bin of popularity."""
FEWEST_MEMBERS = 20
"""Minimum size of a group of members to score, since scores of smaller groups could reveal individuals."""


@dataclass(frozen=True)
class PredictedRatings:
    """N predictions with intervals beside the true ratings, from which scores are computed."""

    truth: Array
    """(N,) true rating."""
    rating: Array
    """(N,) predicted rating, clipped to the scale."""
    movie_mean: Array
    """(N,) mean rating of the movie, clipped to the scale."""
    lower: Array
    """(N,) lower end of the 90 % interval."""
    upper: Array
    """(N,) upper end of the 90 % interval."""
    steps: Array
    """(S,) distinct ratings in the data, ascending."""

    def scores(self, chosen: NDArray[np.bool_] | slice = slice(None)) -> dict[str, float]:
        """Return the number of ratings, the RMSE of the movie mean and of the predictions, coverage and mean width.

        `chosen` is an (N,) mask or a slice of the rows; all rows by default.
        """
        truth, lower, upper = self.truth[chosen], self.lower[chosen], self.upper[chosen]
        return {
            "targets": float(len(truth)),
            "movie_mean_rmse": rmse(self.movie_mean[chosen], truth),
            "rmse": rmse(self.rating[chosen], truth),
            "coverage": coverage(lower, upper, truth),
            "mean_width": mean_width(lower, upper, self.steps),
        }


def by_popularity(ratings: Array, predicted: PredictedRatings) -> list[dict[str, float]]:
    """Return scores by how many ratings the movie has, ascending; bins with too few ratings to predict are left out.

    `ratings` (N,) is the number of ratings of each predicted rating's movie.
    """
    bins = []
    for low, high in zip(POPULARITY_BINS, (*POPULARITY_BINS[1:], np.inf), strict=True):
        chosen = (ratings >= low) & (ratings < high)
        if chosen.sum() >= FEWEST_ROWS:
            bins.append({"ratings_from": float(low)} | predicted.scores(chosen))
    return bins


def by_group(
    attribute: Attribute, values: NDArray[np.float32], member: NDArray[np.int64], predicted: PredictedRatings
) -> dict[str, dict[str, float]]:
    """Return scores by group of members alike in an attribute; groups of fewer than FEWEST_MEMBERS are left out.

    `values` (N,) is the encoded attribute of each row's member, and `member` (N,) the index of the member.
    """
    group, by_name = groups(values, attribute), {}
    for number in range(group_count(attribute)):
        chosen = group == number
        if len(np.unique(member[chosen])) >= FEWEST_MEMBERS:
            by_name[_group_name(attribute, number)] = predicted.scores(chosen)
    return by_name


def _group_name(attribute: Attribute, number: int) -> str:
    if attribute.kind == "categorical":
        return attribute.categories[number] if number < len(attribute.categories) else "other"
    low = f"from {attribute.knots[number - 1]:g}" if number else ""
    high = f"below {attribute.knots[number]:g}" if number < len(attribute.knots) else ""
    return f"{low} {high}".strip()
