"""Scores by popularity of the movie and by group of members."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.attributes import group_count, groups
from features.schema import Attribute
from training.evaluation.scores import coverage, mean_width, rmse

Array = NDArray[np.float64]

POPULARITY_BINS = (1, 20, 100, 300, 1000)
"""Lower bounds of the bins of popularity, in ratings of the movie."""
FEWEST_ROWS = 50
"""A slice of fewer ratings gets no scores."""
FEWEST_MEMBERS = 20
"""A smaller group of members gets no scores, since they could reveal single people."""


@dataclass(frozen=True)
class PredictedRatings:
    """N predictions with their intervals, beside the ratings given."""

    truth: Array
    """(N,) the rating given."""
    rating: Array
    """(N,) the rating predicted, within the scale."""
    movie_mean: Array
    """(N,) the movie's mean rating, within the scale."""
    lower: Array
    """(N,) lower end of the 90 % interval."""
    upper: Array
    """(N,) upper end of the 90 % interval."""
    steps: Array
    """(S,) the distinct ratings of the data, ascending."""

    def scores(self, chosen: NDArray[np.bool_] | slice = slice(None)) -> dict[str, float]:
        """Number of ratings, RMSE of both predictions, coverage and mean width: of all rows, or of a mask (N,)."""
        truth, lower, upper = self.truth[chosen], self.lower[chosen], self.upper[chosen]
        return {
            "targets": float(len(truth)),
            "movie_mean_rmse": rmse(self.movie_mean[chosen], truth),
            "rmse": rmse(self.rating[chosen], truth),
            "coverage": coverage(lower, upper, truth),
            "mean_width": mean_width(lower, upper, self.steps),
        }


def by_popularity(ratings: NDArray[np.int64], predicted: PredictedRatings) -> list[dict[str, float]]:
    """Scores for each bin of popularity, lowest first; `ratings` (N,) is the number of ratings of each row's movie."""
    bins = []
    for low, high in zip(POPULARITY_BINS, (*POPULARITY_BINS[1:], np.inf), strict=True):
        chosen = (ratings >= low) & (ratings < high)
        if chosen.sum() >= FEWEST_ROWS:
            bins.append({"ratings_from": float(low)} | predicted.scores(chosen))
    return bins


def by_group(
    attribute: Attribute, values: NDArray[np.float32], member: NDArray[np.int64], predicted: PredictedRatings
) -> dict[str, dict[str, float]]:
    """Scores for each group of an attribute with enough members.

    `values` (N,) is the attribute of each row's member, as the schema encodes it; `member` (N,) numbers the members.
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
