"""Simpler predictions to compare a model with: mean of all ratings, movie mean, group mean, and LightGBM alone.

They predict the same raters as the model, and learn only from other raters.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.attributes import group_count, groups
from features.pair_features import PRIOR_NUMBERS
from model.facts.evidence import MemberEvidence, MovieEvidence
from training.data.passes.member_partition import MemberPartition, movie_of_each
from training.data.passes.passes import Passes
from training.data.passes.side_by_side import side_by_side
from training.fit.fit_model import DEMEANED, Fit, half_of
from training.fit.out_of_fold_predictions import OutOfFoldPredictions
from training.fit.trees.fit_trees import bin_rows, fit_forests, predict_halves
from training.fit.trees.group_effects import strongest_attributes
from training.fit.trees.pair_rows import PairTable, Rows, chunks, concatenate, has_attributes, has_plays, in_chunks
from training.settings import TreeSettings

Array = NDArray[np.float64]

PRIOR_RATINGS = 30.0
"""Number of made-up ratings at the movie mean that are added to those of a group of members, to shrink its mean."""
CROSSED = 2
"""Number of attributes whose combinations form the groups of members, for example gender and age."""
MOST_ROWS = 100_000
"""Maximum number of ratings, drawn at random for each kind of evidence, to train and score LightGBM alone on."""
PRIOR_PLACE = 2
"""Position of the first input of the trees that comes from the factorization."""


def mean_baselines(table: PairTable, rows: Rows) -> tuple[Array, Array]:
    """Return two simple predictions of each of N ratings, (N,) each: the mean of all ratings, and the movie's mean.

    The movie's mean is shrunk towards the mean of all ratings. Both are computed without the ratings of the fold (fifth
    of the raters) that the rating's member is in.
    """
    fold = table.out_of_fold.fold[rows.view]
    means = np.array([fitted.prior.mean for fitted in table.out_of_fold.fitted])
    quality = np.stack([fitted.table["quality"].to_numpy() for fitted in table.out_of_fold.fitted])
    return means[fold], means[fold] + quality[fold, rows.movie]


class CellSums(NamedTuple):
    """Sums over the ratings of C pairs of a movie and a group of members."""

    total: Array
    """(folds, C) sum of each pair's ratings by fold of the members."""
    ratings: Array
    """(folds, C) number of these ratings."""


@dataclass(frozen=True)
class GroupMeans:
    """Mean ratings of each movie by groups of members alike in the crossed attributes, such as gender and age."""

    attributes: tuple[str, ...]
    """Names of the crossed attributes."""
    cell: NDArray[np.int64]
    """(N,) number of the group that each member is in."""
    keys: NDArray[np.int64]
    """(C,) `movie * groups + group` of each pair of movie and group that is predicted, ascending."""
    sums: CellSums
    """Sums over the ratings of each pair by members of other folds; folds are fifths of the raters."""

    def predict(self, table: PairTable, rows: Rows) -> Array:
        """Return the mean of each of N ratings' movie in the member's group, shrunk to the movie mean.

        Both means are computed from the ratings of members in other folds (fifths of the raters).
        """
        fold, movie_mean = table.out_of_fold.fold[rows.view], mean_baselines(table, rows)[1]
        place = np.searchsorted(self.keys, _keys(self.cell, rows.movie, table.views.member[rows.view]))
        total, ratings = self.sums.total[fold, place], self.sums.ratings[fold, place]
        return np.asarray((total + PRIOR_RATINGS * movie_mean) / (ratings + PRIOR_RATINGS))


def group_means(passes: Passes, fit: Fit) -> GroupMeans | None:
    """Return mean ratings by movie and group of members, to compare a model with; None if there are no attributes.

    Groups are the combinations of values of the two strongest member attributes.
    """
    folded, schema = fit.folded, fit.folded.data.schema
    learned = folded.learned(folded.folds, np.ones(len(folded.fold_of)))
    crossed = strongest_attributes(passes, learned, schema, CROSSED)
    if not crossed:
        return None
    cell = np.zeros(len(folded.fold_of), np.int64)
    for number in crossed:
        attribute = schema.member_attributes[number]
        cell = cell * (group_count(attribute) + 1) + groups(folded.data.attributes[:, number], attribute) + 1
    cell = np.unique(cell, return_inverse=True)[1]
    rows = [rows.rows for (_, movie), rows in fit.predictions.items() if movie is MovieEvidence.RATED]
    keys = np.unique(np.concatenate([_keys(cell, each.movie, fit.table.views.member[each.view]) for each in rows]))
    sums = passes.sum(
        partial(_cell_sums, keys, int(cell.max()) + 1, folded.folds),
        folded.partitions,
        [cell[part.raters] for part in folded.partitions],
        [folded.fold_of[part.raters] for part in folded.partitions],
    )
    others = CellSums(*(column.sum(axis=0) - column for column in sums))
    return GroupMeans(tuple(schema.member_attributes[number].name for number in crossed), cell, keys, others)


def _keys(cell: NDArray[np.int64], movie: NDArray[np.int64], member: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(movie * (cell.max() + 1) + cell[member])


def _cell_sums(
    keys: NDArray[np.int64],
    groups_: int,
    folds: int,
    partition: MemberPartition,
    cell: NDArray[np.int64],
    fold_of: NDArray[np.int64],
) -> CellSums:
    """Return the sums over a partition; `cell` and `fold_of` (U,) are those of its raters."""
    ratings = partition.ratings()
    rater = ratings.indices
    key = movie_of_each(ratings) * groups_ + cell[rater]
    place = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
    known = keys[place] == key
    at, values = fold_of[rater[known]] * len(keys) + place[known], ratings.data[known].astype(np.float64)
    columns = (np.bincount(at, weights, folds * len(keys)) for weights in (values, None))
    return CellSums(*(column.reshape(folds, len(keys)).astype(np.float64) for column in columns))


def lightgbm_alone_mse(fit: Fit, seed: int) -> dict[MemberEvidence, float]:
    """Return the mean squared error of a LightGBM model without the factorization, by what is known of the members.

    The ratings are those of rated movies that the fit predicts for raters it wasn't fitted on. A LightGBM model is
    trained on each half of the members and predicts the other half, but only MOST_ROWS ratings of each kind at most.
    The result is the error of the fit on all ratings, plus the mean difference of the two models' squared errors on
    these ratings, which varies little since the errors are similar.
    """
    random = np.random.default_rng([seed, 7])
    sampled = {
        member: fit.predictions[member, MovieEvidence.RATED].sample(MOST_ROWS, random)
        for member in DEMEANED
        if (member, MovieEvidence.RATED) in fit.predictions
    }
    if not sampled:
        return {}
    rows = concatenate([predictions.rows for predictions in sampled.values()])
    features, mean, side = _features(fit, rows), fit.core.prior.mean, half_of(fit.table, rows)
    data = bin_rows(features, rows.rating - mean)
    forests = fit_forests(data, seed, TreeSettings(), [np.flatnonzero(side != half) for half in (0, 1)])
    predictions = side_by_side(lambda part: predict_halves(forests, features[part], side[part]), chunks(len(rows)))
    rating = mean + np.concatenate(predictions)
    scale, errors = fit.table.data.schema.scale, {}
    squares = [(np.clip(values, scale.low, scale.high) - rows.rating) ** 2 for values in (rating, _ratings(sampled))]
    for member in sampled:
        every, own = fit.predictions[member, MovieEvidence.RATED], rows.evidence == member
        ours = np.mean((np.clip(every.rating, scale.low, scale.high) - every.rows.rating) ** 2)
        errors[member] = float(ours + np.mean(squares[0][own] - squares[1][own]))
    return errors


def _ratings(sampled: Mapping[MemberEvidence, OutOfFoldPredictions]) -> Array:
    return np.concatenate([predictions.rating for predictions in sampled.values()])


def _features(fit: Fit, rows: Rows) -> NDArray[np.float32]:
    """Return the (N, F) inputs of LightGBM alone: those of the trees, but for the factorization's, and more.

    Attributes and features of plays are added.
    """
    own_width = fit.table.out_of_fold.inputs.shape[1] - fit.core.prior.columns.embedding.shape[1]
    inputs = fit.table.out_of_fold.inputs[:, :own_width].astype(np.float32)
    prior = np.arange(PRIOR_PLACE, PRIOR_PLACE + len(PRIOR_NUMBERS))

    def features_of(part: slice) -> NDArray[np.float32]:
        of_part = rows.take(part)
        pairs = fit.table.features(of_part, np.zeros(len(of_part)))
        plays, attributes = (has(of_part.evidence)[:, None] for has in (has_plays, has_attributes))
        columns = [
            np.delete(pairs, prior, axis=1),
            np.where(plays, inputs[of_part.view], np.float32(np.nan)),
            np.where(attributes, fit.table.views.attributes[of_part.view], np.float32(np.nan)),
        ]
        return np.concatenate(columns, axis=1)

    return in_chunks(len(rows), features_of)
