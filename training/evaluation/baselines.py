"""Simpler predictions to compare a model with: mean of all ratings, movie mean, group mean, and LightGBM alone.

They predict the same raters as the model, and learn only from other raters.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.attributes import group_count, groups
from features.columns import RATING
from features.movies import MEMBER, MOVIE
from features.pair_features import PRIOR_NUMBERS
from model.facts.evidence import MemberEvidence, MovieEvidence
from training.fit.fit_model import DEMEANED, Fit, half_of
from training.fit.out_of_fold_predictions import OutOfFoldPredictions
from training.fit.trees.fit_trees import bin_rows, fit_trees, predict_halves
from training.fit.trees.group_effects import strongest_attributes
from training.fit.trees.pair_rows import PairTable, Rows, chunks, concatenate, filled, has_attributes, has_plays
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


@dataclass(frozen=True)
class GroupMeans:
    """Mean ratings of each movie by groups of members alike in the crossed attributes, such as gender and age."""

    attributes: tuple[str, ...]
    """Names of the crossed attributes."""
    cell: NDArray[np.int64]
    """(M,) index of the group that each member is in."""
    keys: NDArray[np.int64]
    """(C,) `movie * groups + group` of each pair of movie and group with ratings, ascending."""
    total: Array
    """(folds, C) sum of each pair's ratings by members of other folds; folds are fifths of the raters."""
    count: Array
    """(folds, C) number of each pair's ratings by members of other folds."""

    def predict(self, table: PairTable, rows: Rows) -> Array:
        """Return the mean of each of N ratings' movie in the member's group, shrunk to the movie mean.

        Both means are computed from the ratings of members in other folds (fifths of the raters).
        """
        fold, movie_mean = table.out_of_fold.fold[rows.view], mean_baselines(table, rows)[1]
        key = rows.movie * (self.cell.max(initial=0) + 1) + self.cell[table.views.member[rows.view]]
        place = np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)
        seen = self.keys[place] == key
        total, count = self.total[fold, place] * seen, self.count[fold, place] * seen
        return np.asarray((total + PRIOR_RATINGS * movie_mean) / (count + PRIOR_RATINGS))


def group_means(table: PairTable) -> GroupMeans | None:
    """Return mean ratings by movie and group of members, to compare a model with; None if there are no attributes.

    Groups are the combinations of values of the two strongest member attributes.
    """
    data = table.data
    crossed = strongest_attributes(data, CROSSED)
    if not crossed:
        return None
    cell = np.zeros(len(data.member_ids), np.int64)
    for number in crossed:
        attribute = data.schema.member_attributes[number]
        cell = cell * (group_count(attribute) + 1) + groups(data.attributes[:, number], attribute) + 1
    cell = np.unique(cell, return_inverse=True)[1]
    members, ratings = data.ratings[MEMBER].to_numpy(), data.ratings[RATING].to_numpy()
    keys, place = np.unique(
        data.ratings[MOVIE].to_numpy().astype(np.int64) * (cell.max(initial=0) + 1) + cell[members], return_inverse=True
    )
    fold_of = np.zeros(len(data.member_ids), np.int64)
    fold_of[table.views.member] = table.out_of_fold.fold
    folds, fold = len(table.out_of_fold.fitted), fold_of[members]
    total, count = np.zeros((folds, len(keys))), np.zeros((folds, len(keys)))
    np.add.at(total, (fold, place), ratings)
    np.add.at(count, (fold, place), 1)
    names = tuple(data.schema.member_attributes[number].name for number in crossed)
    return GroupMeans(names, cell, keys, total.sum(axis=0) - total, count.sum(axis=0) - count)


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
    forests = [fit_trees(data, seed, TreeSettings(), np.flatnonzero(side != half)) for half in (0, 1)]
    predictions = [predict_halves(forests, features[part], side[part]) for part in chunks(len(rows))]
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

    def parts() -> Iterator[tuple[slice, NDArray[np.float32]]]:
        for part, pairs in fit.table.features(rows, np.zeros(len(rows))):
            plays, attributes = (has(rows.evidence[part])[:, None] for has in (has_plays, has_attributes))
            columns = [
                np.delete(pairs, prior, axis=1),
                np.where(plays, inputs[rows.view[part]], np.float32(np.nan)),
                np.where(attributes, fit.table.views.attributes[rows.view[part]], np.float32(np.nan)),
            ]
            yield part, np.concatenate(columns, axis=1)

    return filled(len(rows), parts())
