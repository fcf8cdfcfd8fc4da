"""Group effects: shrunk mean residuals of each movie among members with the same attribute value."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.attributes import group_count, groups
from features.schema import Attribute, Schema
from training.data.never_rater_views import VIEWS
from training.data.passes.member_partition import MemberPartition, movie_of_each
from training.data.passes.movie_statistics import MovieStatistics
from training.data.passes.passes import Passes
from training.fit.prior.fit_prior import Learned

Array = NDArray[np.float64]

SURE = 2.0
"""Number of standard errors by which the variation between groups must exceed the variation expected by chance."""
MOST_ATTRIBUTES = 12
"""Maximum number of attributes with group effects; weaker attributes act only through the prior."""
PRIOR_RATINGS = 5.0
"""Number of made-up residuals of 0 by which the means of movies and members are shrunk."""


class GroupSums(NamedTuple):
    """Sums over residuals of ratings by movie (M) and group; attributes (A) have T groups together."""

    total: Array
    """(M, T) sums of residuals."""
    ratings: Array
    """(M, T) numbers of residuals."""
    squares: Array
    """(A,) sums of the squared residuals of members whose attribute is known."""


def grouped_attributes(passes: Passes, learned: Learned, schema: Schema) -> tuple[int, ...]:
    """Return the positions of the MOST_ATTRIBUTES member attributes with the strongest group effects, ascending."""
    count = len(schema.member_attributes)
    if count <= MOST_ATTRIBUTES:
        return tuple(range(count))
    return strongest_attributes(passes, learned, schema, MOST_ATTRIBUTES)


def strongest_attributes(passes: Passes, learned: Learned, schema: Schema, most: int) -> tuple[int, ...]:
    """Return the positions of the `most` member attributes with the strongest group effects, ascending."""
    residuals = group_residuals(passes, learned, schema, tuple(range(len(schema.member_attributes))))
    ratings = learned.statistics.ratings
    strength = [
        float(np.mean(ratings[:, None] * residuals[:, columns] ** 2)) for columns in _columns(schema.member_attributes)
    ]
    return tuple(sorted(np.argsort(strength)[::-1][:most].tolist()))


def group_residuals(passes: Passes, learned: Learned, schema: Schema, grouped: tuple[int, ...]) -> NDArray[np.float32]:
    """Return (M, T) shrunk mean residuals of each movie in T groups, after subtracting movie and member means.

    They are 0 for an attribute whose groups vary no more than expected by chance.
    """
    attributes = [schema.member_attributes[number] for number in grouped]
    sums = passes.sum(
        partial(_group_sums, learned.statistics, attributes, grouped),
        learned.partitions,
        [learned.kept[part.raters] for part in learned.partitions],
    )
    shrunk = np.zeros_like(sums.total)
    for columns, squares in zip(_columns(attributes), sums.squares, strict=True):
        total, count = sums.total[:, columns], sums.ratings[:, columns]
        variance = float(squares) / max(float(count.sum()), 1)
        shrunk[:, columns] = total / (count + _strength(total, count, variance))
    return shrunk.astype(np.float32)


def _group_sums(
    statistics: MovieStatistics,
    attributes: Sequence[Attribute],
    grouped: tuple[int, ...],
    partition: MemberPartition,
    kept: NDArray[np.bool_],
) -> GroupSums:
    """Return the sums over the raters of a partition who are in a (U,) mask."""
    chosen = np.flatnonzero(kept)
    ratings = partition.ratings()[chosen]
    values = partition.seen().facts.attributes[chosen * VIEWS]
    rater, movie = ratings.indices, movie_of_each(ratings)
    residual = ratings.data.astype(np.float64) - statistics.mean - statistics.shrunk(PRIOR_RATINGS)[movie]
    total = np.bincount(rater, residual, len(chosen))
    residual -= (total / (np.bincount(rater, minlength=len(chosen)) + PRIOR_RATINGS))[rater]
    totals, counts, squares = [np.zeros((partition.movies, 0))], [np.zeros((partition.movies, 0))], []
    for number, attribute in zip(grouped, attributes, strict=True):
        size = group_count(attribute)
        group = groups(values[:, number], attribute)[rater]
        known = group >= 0
        cell, of_known = movie[known] * size + group[known], residual[known]
        for sums, weights in ((totals, of_known), (counts, None)):
            in_cells = np.bincount(cell, weights, partition.movies * size).astype(np.float64)
            sums.append(in_cells.reshape(partition.movies, size))
        squares.append(float(of_known @ of_known))
    return GroupSums(np.concatenate(totals, axis=1), np.concatenate(counts, axis=1), np.array(squares))


def _columns(attributes: Sequence[Attribute]) -> list[slice]:
    """Return the columns of each attribute's groups."""
    ends = np.cumsum([0, *(group_count(attribute) for attribute in attributes)]).tolist()
    return [slice(start, end) for start, end in pairwise(ends)]


def _strength(total: Array, count: Array, variance: float) -> float:
    """Return the shrinkage of the means of (movie, group) cells as a number of ratings; infinite without group effects.

    It is the residual variance divided by the variance of the cells' true means, estimated by the method of moments
    (DerSimonian and Laird, Controlled Clinical Trials 1986): without group effects, the weighted sum of squared cell
    means is expected to be one residual variance per cell, and any excess is due to differences in the true means.
    """
    inside = count > 0
    cells = int(inside.sum())
    excess = float(np.sum(total[inside] ** 2 / count[inside])) - (cells + SURE * np.sqrt(2 * cells)) * variance
    return variance * float(count.sum()) / excess if excess > 0 else np.inf
