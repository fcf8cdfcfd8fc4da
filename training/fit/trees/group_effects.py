"""Group effects: shrunk mean residuals of each movie among members with the same attribute value."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from features.attributes import group_count, groups
from features.columns import RATING
from features.movies import MEMBER, MOVIE
from training.data.dataset import Dataset

SURE = 2.0
"""Number of standard errors by which the variation between groups must exceed the variation expected by chance."""
MOST_ATTRIBUTES = 12
"""Maximum number of attributes with group effects; weaker attributes act only through the prior."""


def grouped_attributes(data: Dataset) -> tuple[int, ...]:
    """Return the positions of the MOST_ATTRIBUTES member attributes with the strongest group effects, ascending."""
    count = len(data.schema.member_attributes)
    return tuple(range(count)) if count <= MOST_ATTRIBUTES else strongest_attributes(data, MOST_ATTRIBUTES)


def strongest_attributes(data: Dataset, most: int) -> tuple[int, ...]:
    """Return the positions of the `most` member attributes with the strongest group effects, ascending."""
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
    """Return (M, T) shrunk mean residuals of each movie in T groups, after subtracting movie and member means.

    They are 0 for an attribute whose groups vary no more than expected by chance.
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
        variance = float((residual[known] ** 2).sum()) / max(int(known.sum()), 1)
        columns.append(total / (count + _strength(total, count, variance)))
    return np.concatenate([np.empty((movie_count, 0)), *columns], axis=1).astype(np.float32)


def _strength(total: NDArray[np.float64], count: NDArray[np.float64], variance: float) -> float:
    """Return the shrinkage of the means of (movie, group) cells as a number of ratings; infinite without group effects.

    It is the residual variance divided by the variance of the cells' true means, estimated by the method of moments
    (DerSimonian and Laird, Controlled Clinical Trials 1986): without group effects, the weighted sum of squared cell
    means is expected to be one residual variance per cell, and any excess is due to differences in the true means.
    """
    inside = count > 0
    cells = int(inside.sum())
    excess = float(np.sum(total[inside] ** 2 / count[inside])) - (cells + SURE * np.sqrt(2 * cells)) * variance
    return variance * float(count.sum()) / excess if excess > 0 else np.inf


def _mean_by(keys: NDArray[np.int64], values: NDArray[np.float64], size: int, prior: float) -> NDArray[np.float64]:
    """Return (size,) mean values by key, shrunk towards 0 by `prior` additional values of 0."""
    total = np.bincount(keys, weights=values, minlength=size)
    mean: NDArray[np.float64] = total / (np.bincount(keys, minlength=size) + prior)
    return mean
