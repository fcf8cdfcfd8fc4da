"""Each fold is predicted by a prior that was fitted without it, with large data from the movies of the whole fit."""

from pathlib import Path

import numpy as np
import pytest

from model.facts.evidence import MemberEvidence
from tests.training.conftest import new_folder
from tests.training.fit.conftest import bits_of
from training.data.dataset import Dataset, read_dataset
from training.data.passes.passes import passes_in_threads
from training.data.passes.visible_facts import facts_of_views
from training.fit import cross_fit
from training.fit.cross_fit import OutOfFold, apply_prior, fit_priors
from training.fit.folds import fold_data
from training.fit.prior.fit_prior import FittedPrior
from training.settings import PriorSettings, read_fit_settings

FOLDS = 2
WITHOUT_RATINGS = {evidence for evidence in MemberEvidence if not evidence.has_ratings}


@pytest.fixture(scope="module")
def data(small) -> Dataset:
    return read_dataset(small.data, 20)[1]


@pytest.fixture(scope="module")
def settings(light) -> PriorSettings:
    return read_fit_settings(Path(light[1])).prior


def priors(data: Dataset, settings: PriorSettings, threads: int = 2) -> tuple[FittedPrior, OutOfFold]:
    with passes_in_threads(threads) as passes:
        folded = fold_data(passes, data, FOLDS, 0, 10**9, new_folder(passes))
        every = np.ones(len(data.member_ids))
        return fit_priors(passes, folded, 0, settings, lambda *_: None, every, new_folder(passes))


def test_each_view_has_the_outputs_of_the_prior_without_its_fold(small_fit, monkeypatch):
    """In chunks, which are smaller here, as if there were many views."""
    table = small_fit.table
    monkeypatch.setattr(cross_fit, "CHUNK", 7)
    again = small_fit.of_views(table.views, table.out_of_fold.fold).out_of_fold
    facts = facts_of_views(table.views, len(table.data.movie_ids), slice(0, len(table.views.member)))
    for number, fitted in enumerate(table.out_of_fold.fitted):
        own = np.flatnonzero(table.out_of_fold.fold == number)
        outputs = apply_prior(fitted.prior, table.data.schema, facts.take(own))
        for of_fold in (table.out_of_fold, again):
            assert of_fold.inputs[own] == pytest.approx(outputs.inputs)
            assert set(of_fold.factors) == set(outputs.factors) == WITHOUT_RATINGS
            for evidence, factors in outputs.factors.items():
                assert of_fold.factors[evidence][own] == pytest.approx(factors, abs=1e-5, nan_ok=True)
            for evidence, distance in outputs.distance.items():
                assert of_fold.distance[evidence][own] == pytest.approx(distance, abs=2e-3, nan_ok=True)


def test_outputs_are_unknown_for_views_without_the_evidence(small_fit):
    out_of_fold, views = small_fit.table.out_of_fold, small_fit.table.views
    plays, attributes = views.play_count > 0, np.isfinite(views.attributes).any(axis=1)
    for evidence, factors in out_of_fold.factors.items():
        shown = (plays | (not evidence.has_plays)) & (attributes | (not evidence.has_attributes))
        assert (np.isfinite(factors).all(axis=1) == shown).all()
        assert (np.isfinite(factors).any(axis=1) == shown).all()


def test_folds_of_large_data_begin_with_the_movies_of_all_and_threads_change_no_bit(data, settings, monkeypatch):
    _, cold = priors(data, settings)
    monkeypatch.setattr(cross_fit, "WARM_RATINGS", int(data.play_table.ratings.sum()))
    whole, warm = priors(data, settings)
    for number, fitted in enumerate(warm.fitted):
        assert fitted.prior.columns.embedding.tobytes() == whole.prior.columns.embedding.tobytes()
        assert cold.fitted[number].prior.columns.embedding.tobytes() != whole.prior.columns.embedding.tobytes()
        assert fitted.table.equals(cold.fitted[number].table), "the statistics are still those without the fold"
        assert fitted.prior.movies.tobytes() != cold.fitted[number].prior.movies.tobytes()
    assert bits_of(priors(data, settings, 1)) == bits_of((whole, warm))
