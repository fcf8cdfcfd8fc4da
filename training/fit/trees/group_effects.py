"""How much better or worse than all others each group of members rates each movie."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from features.attributes import group_count, groups
from features.columns import RATING
from features.movies import MEMBER, MOVIE
from training.data.dataset import Dataset

SURE = 2.0
"""By so many standard errors groups must differ more than chance makes them, before any of it is believed."""
MOST_ATTRIBUTES = 12
"""Attributes beyond the strongest so many are left to the prior."""


def grouped_attributes(data: Dataset) -> tuple[int, ...]:
    """Positions of the member attributes whose groups differ most in how they rate single movies."""
    count = len(data.schema.member_attributes)
    return tuple(range(count)) if count <= MOST_ATTRIBUTES else strongest_attributes(data, MOST_ATTRIBUTES)


def strongest_attributes(data: Dataset, most: int) -> tuple[int, ...]:
    """The same, so many at most, whatever the number of attributes."""
    residuals = group_residuals(data, tuple(range(len(data.schema.member_attributes))))
    plays = np.bincount(data.ratings[MOVIE].to_numpy(), minlength=len(residuals))
    sizes = [group_count(attribute) for attribute in data.schema.member_attributes]
    ends = np.cumsum(sizes)
    strength = [
        float(np.mean(plays[:, None] * residuals[:, end - size : end] ** 2))
        for size, end in zip(sizes, ends, strict=True)
    ]
    return tuple(sorted(np.argsort(strength)[::-1][:most].tolist()))


def group_residuals(data: Dataset, grouped: tuple[int, ...]) -> NDArray[np.float32]:
    """(M, T) shrunk mean over a group's ratings of a movie: rating less movie mean, less the member's mean of that.

    All are 0 for an attribute whose groups differ no more than chance makes them.
    """
    members, movies = data.ratings[MEMBER].to_numpy(), data.ratings[MOVIE].to_numpy()
    ratings = data.ratings[RATING].to_numpy()
    movie_count = len(data.movie_ids)
    residual = ratings - _mean_by(movies, ratings - ratings.mean(), movie_count, 5.0)[movies] - ratings.mean()
    residual -= _mean_by(members, residual, len(data.member_ids), 5.0)[members]
    columns = []
    for number in grouped:
        attribute = data.schema.member_attributes[number]
        size = group_count(attribute)
        group = groups(data.attributes[members, number], attribute)
        known = group >= 0
        pairs = (movies[known], group[known])
        total = sparse.coo_array((residual[known], pairs), shape=(movie_count, size)).toarray()
        count = sparse.coo_array((np.ones(known.sum()), pairs), shape=(movie_count, size)).toarray()
        columns.append(total / (count + _strength(total, count, float(np.mean(residual[known] ** 2)))))
    return np.concatenate([np.empty((movie_count, 0)), *columns], axis=1).astype(np.float32)


def _strength(total: NDArray[np.float64], count: NDArray[np.float64], variance: float) -> float:
    """How many ratings that show nothing each cell of a movie and a group is to be mixed with.

    The variance of ratings over that of the cells' true means, by moments: the weighted sum of squares of the cells'
    means is the variance of ratings for each cell, and more where true means differ (DerSimonian and Laird, Controlled
    Clinical Trials 1986).
    """
    inside = count > 0
    cells = int(inside.sum())
    beyond = float(np.sum(total[inside] ** 2 / count[inside])) - (cells + SURE * np.sqrt(2 * cells)) * variance
    return variance * float(count.sum()) / beyond if beyond > 0 else np.inf


def _mean_by(keys: NDArray[np.int64], values: NDArray[np.float64], size: int, prior: float) -> NDArray[np.float64]:
    total = np.bincount(keys, weights=values, minlength=size)
    mean: NDArray[np.float64] = total / (np.bincount(keys, minlength=size) + prior)
    return mean
