"""The prior is the same on any number of threads, and partitions change nothing but the rounding."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from training.data.dataset import Dataset, read_dataset
from training.data.never_rater_views import Views, make_views
from training.data.passes.member_partition import MemberPartition, member_partitions
from training.data.passes.passes import Passes
from training.data.passes.visible_facts import facts_of_views
from training.fit.cross_fit import PriorOutputs, apply_prior
from training.fit.prior.fit_prior import fit_prior
from training.settings import PriorSettings, read_fit_settings


@pytest.fixture(scope="module")
def data(small) -> Dataset:
    return read_dataset(small.data, 20)[1]


@pytest.fixture(scope="module")
def views(data) -> Views:
    return make_views(data, np.random.default_rng(1))


@pytest.fixture(scope="module")
def settings(light) -> PriorSettings:
    return read_fit_settings(Path(light[1])).prior


def outputs(data: Dataset, views: Views, settings: PriorSettings, most_plays: int, threads: int = 1) -> PriorOutputs:
    """The outputs for all views of a prior that is fitted to partitions of this size."""
    partitions = member_partitions(data, views, None, most_plays)
    with ThreadPoolExecutor(threads) as executor:
        prior = fit_prior(Passes(executor), partitions, data, np.random.default_rng(0), settings).prior
    return apply_prior(prior, data.schema, facts_of_views(views, len(data.movie_ids), slice(0, len(views.member))))


def test_on_many_partitions_one_thread_and_several_give_the_same_bits(data, views, settings):
    assert len(member_partitions(data, views, None, 100)) > 20
    single, several = (outputs(data, views, settings, 100, threads) for threads in (1, 3))
    assert several.inputs.tobytes() == single.inputs.tobytes()
    for evidence, factors in single.factors.items():
        assert several.factors[evidence].tobytes() == factors.tobytes()


def test_partitions_change_nothing_but_the_rounding(data, views, settings):
    single, many = (outputs(data, views, settings, most_plays) for most_plays in (10**9, 100))
    for evidence, factors in single.factors.items():
        assert np.abs(many.factors[evidence]) == pytest.approx(np.abs(factors), abs=0.02, nan_ok=True)


def test_partitions_hold_all_members_and_only_those_that_are_kept(data, views):
    partitions = member_partitions(data, views, np.arange(len(data.member_ids)).astype(float), 100)
    assert np.concatenate([part.members for part in partitions]).tolist() == list(range(len(data.member_ids)))
    assert any(not len(part.raters) for part in member_partitions(data, views, None, 1)), "some have no rater"
    assert sum(part.ratings.nnz for part in partitions) == len(data.ratings)
    assert sum(part.plays.nnz for part in partitions) == len(data.plays)
    assert sum(part.facts.play_count.sum() for part in partitions) == len(views.plays)
    kept = np.random.default_rng(0).random(len(data.member_ids)) < 0.5
    for part in partitions:
        less: MemberPartition = part.keeping(kept)
        assert less.raters.tolist() == [rater for rater in part.raters if kept[rater]]
        assert less.weight.tolist() == less.raters.tolist()
        assert less.facts.play_count.tolist() == part.facts.play_count[kept[part.raters].repeat(3)].tolist()


def test_members_who_never_rate_can_fill_partitions_of_their_own(data, views, settings):
    assert np.isfinite(outputs(data, views, settings, 1).inputs).all()
