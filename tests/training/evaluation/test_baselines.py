"""Simpler predictions, summed over partitions, against plain computations over all ratings."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from features.attributes import group_count, groups
from model.facts.evidence import MemberEvidence, MovieEvidence
from training.evaluation.baselines import CROSSED, PRIOR_RATINGS, group_means, mean_baselines
from training.fit.fit_model import Fit
from training.fit.trees.pair_rows import Rows

RATED = MovieEvidence.RATED


def some_rows(fit: Fit) -> Rows:
    rows = fit.predictions[MemberEvidence.ATTRIBUTES, RATED].rows
    return rows.take(np.arange(0, len(rows), 7))


def others_ratings(fit: Fit, row: int, rows: Rows) -> pl.DataFrame:
    """The ratings of all members who aren't in the fold of a row's member."""
    member = fit.table.views.member[rows.view[row]]
    others = np.flatnonzero(fit.folded.fold_of != fit.folded.fold_of[member])
    return fit.table.data.ratings.filter(pl.col("member").is_in(others.tolist()))


def test_means_are_those_of_the_ratings_of_members_in_other_folds(small_fit):
    rows = some_rows(small_fit)
    mean, movie_mean = mean_baselines(small_fit.table, rows)
    for row in range(0, len(rows), 5):
        ratings = others_ratings(small_fit, row, rows)["rating"]
        own = others_ratings(small_fit, row, rows).filter(pl.col("movie") == rows.movie[row])["rating"]
        assert mean[row] == pytest.approx(ratings.mean())
        assert movie_mean[row] == pytest.approx((own.sum() + 5 * ratings.mean()) / (len(own) + 5))


def test_a_group_mean_is_that_of_ratings_of_like_members_in_other_folds(passes, small_fit):
    by_group, data = group_means(passes, small_fit), small_fit.table.data
    assert len(by_group.attributes) == CROSSED
    cells = []
    for attribute in data.schema.member_attributes:
        if attribute.name in by_group.attributes:
            place = data.schema.member_attributes.index(attribute)
            cells.append(groups(data.attributes[:, place], attribute))
            assert cells[-1].max() < group_count(attribute)
    cell = np.stack(cells, axis=1)
    rows = some_rows(small_fit)
    predicted, movie_mean = by_group.predict(small_fit.table, rows), mean_baselines(small_fit.table, rows)[1]
    alike_counts = []
    for row in range(0, len(rows), 5):
        member = small_fit.table.views.member[rows.view[row]]
        alike = np.flatnonzero((cell == cell[member]).all(axis=1))
        ratings = others_ratings(small_fit, row, rows).filter(pl.col("movie") == rows.movie[row])
        own = ratings.filter(pl.col("member").is_in(alike.tolist()))["rating"]
        alike_counts.append(len(own))
        assert predicted[row] == pytest.approx(
            (own.sum() + PRIOR_RATINGS * movie_mean[row]) / (len(own) + PRIOR_RATINGS)
        )
    assert max(alike_counts) > 1


def test_without_attributes_there_are_no_group_means(passes, small_fit):
    data = small_fit.folded.data
    bare = replace(
        data,
        schema=replace(data.schema, member_attributes=()),
        attributes=np.zeros((len(data.attributes), 0), np.float32),
    )
    assert group_means(passes, replace(small_fit, folded=replace(small_fit.folded, data=bare))) is None
