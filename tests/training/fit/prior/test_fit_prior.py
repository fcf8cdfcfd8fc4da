"""The prior is the same on any number of threads, and knows nothing of those who are left out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.training.conftest import new_folder
from tests.training.fit.conftest import bits_of
from training.data.dataset import Dataset, read_dataset
from training.data.passes.passes import Passes, passes_in_threads
from training.data.passes.play_table import play_table
from training.fit.folds import FoldedData, fold_data
from training.fit.prior.fit_prior import FittedPrior, fit_prior
from training.settings import PriorSettings, read_fit_settings

FOLDS, EVERYONE = 3, 3


@pytest.fixture(scope="module")
def data(small) -> Dataset:
    return read_dataset(small.data, 20)[1]


@pytest.fixture(scope="module")
def settings(light) -> PriorSettings:
    return read_fit_settings(Path(light[1])).prior


def folded(passes: Passes, data: Dataset, most_plays: int, rows: pl.DataFrame | None = None) -> FoldedData:
    """The data, perhaps with other plays, in partitions of this size."""
    table = play_table(data.play_table.collect() if rows is None else rows, len(data.member_ids), most_plays)
    return fold_data(passes, replace(data, play_table=table), FOLDS, 0, 10**9, new_folder(passes))


def fitted(
    passes: Passes, folded: FoldedData, settings: PriorSettings, fold: int = EVERYONE, weight: np.ndarray | None = None
) -> FittedPrior:
    weight = np.ones(len(folded.fold_of)) if weight is None else weight
    return fit_prior(passes, folded.data, folded.learned(fold, weight), np.random.default_rng(0), settings)


def test_on_many_partitions_one_thread_and_several_give_the_same_bits(data, settings):
    priors = []
    for threads in (1, 3):
        with passes_in_threads(threads) as passes:
            of_many = folded(passes, data, 100)
            assert len(of_many.partitions) > 20
            priors.append(bits_of(fitted(passes, of_many, settings, 0)))
    assert priors[0] == priors[1]


def test_ratings_of_those_who_are_left_out_change_no_bit_and_those_of_others_do(passes, data, settings):
    before = folded(passes, data, 300)
    rows = data.play_table.collect()
    in_fold = pl.Series(before.fold_of[rows["member"].to_numpy()] == 1)
    flipped = rows.with_columns(rating=pl.when(in_fold).then(6 - pl.col("rating")).otherwise("rating"))
    after = folded(passes, data, 300, flipped)
    assert (after.fold_of == before.fold_of).all()
    for fold, same in ((1, True), (0, False), (EVERYONE, False)):
        ours, theirs = (bits_of(fitted(passes, of, settings, fold)) for of in (before, after))
        assert (ours == theirs) is same, fold


def test_plays_of_those_who_are_left_out_change_neither_the_space_of_plays_nor_the_statistics(passes, data, settings):
    """Other plays draw other views, so that the rest of the prior changes as with another seed."""
    before = folded(passes, data, 300)
    rows = data.play_table.collect()
    in_fold = pl.Series(before.fold_of[rows["member"].to_numpy()] == 1)
    fewer = rows.filter(~in_fold | pl.col("rating").is_not_null() | (pl.col("movie") < 20))
    assert len(fewer) < len(rows)
    ours, theirs = (fitted(passes, of, settings, 1) for of in (before, folded(passes, data, 300, fewer)))
    assert theirs.table.equals(ours.table)
    assert theirs.prior.mean == ours.prior.mean
    assert theirs.prior.columns.columns.tobytes() == ours.prior.columns.columns.tobytes()
    assert theirs.prior.columns.embedding == pytest.approx(ours.prior.columns.embedding, abs=1e-4)


def test_members_who_never_rate_can_fill_partitions_of_their_own(passes, data, settings):
    single = folded(passes, data, 1)
    assert any(not len(part.raters) for part in single.partitions)
    prior = fitted(passes, single, settings).prior
    assert np.isfinite(prior.movies).all()
    assert all(np.isfinite(head.linear).all() for head in prior.heads.values())


def test_weights_change_the_regressions_but_not_what_is_a_fact(passes, data, settings):
    of_data = folded(passes, data, 300)
    weight = np.where(np.arange(len(data.member_ids)) % 2, 10.0, 0.1)
    plain, weighted = fitted(passes, of_data, settings), fitted(passes, of_data, settings, EVERYONE, weight)
    assert weighted.prior.columns.embedding.tobytes() == plain.prior.columns.embedding.tobytes()
    assert weighted.table.equals(plain.table)
    for evidence, head in plain.prior.heads.items():
        assert weighted.prior.heads[evidence].linear != pytest.approx(head.linear)
