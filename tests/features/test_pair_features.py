"""A pair has the same features when trees learn and when they serve."""

from dataclasses import replace

import numpy as np
import pytest

from features.movies import MOVIE
from features.pair_features import PRIOR_NUMBERS, pair_features, pair_names
from features.plays import VIEW
from model.facts.catalogue import Catalogue
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.facts.facts import MemberFacts, MovieFacts
from model.facts.member_table import MemberTable
from model.files.manifest import Manifest, Run
from model.prediction.calibration import PLAY_BINS
from model.prediction.model import Model
from model.prediction.movie_targets import Offsets
from model.prediction.pair_columns import PairColumns
from model.prediction.prior.prior import Description, prior_numbers
from model.prediction.trees import Trees
from training.fit.trees.pair_rows import Rows, target_rows

KINDS = (MemberEvidence.ATTRIBUTES, MemberEvidence.PLAYS, MemberEvidence.ATTRIBUTES_AND_PLAYS)
FIRST, LAST = 2, 2 + len(PRIOR_NUMBERS)
"""Where the prior's numbers stand among the features."""


def model_of_fold(fit, number: int) -> Model:
    """A model of the prior that one fold was kept out of, as if it were published."""
    data, apart = fit.table.data, fit.table.out_of_fold
    prior = apart.fitted[number].prior
    bins = len(PLAY_BINS)
    nothing = Description(prior.description.year, prior.description.centre, np.zeros(bins),
                          np.zeros((len(prior.description.centre), bins)))  # fmt: skip
    rated = apart.fitted[number].table["ratings"].to_numpy() > 0
    catalogue = Catalogue(
        data.movie_ids.to_list(), rated, data.release_year, data.genres, data.movie_attributes
    )  # fmt: skip
    empty = np.empty(0)
    return Model(
        "0" * 12, data.schema, Manifest(1, 0, "", {}, {}, {}, {}), Run("", 0.0),
        MemberTable(empty, empty, empty, empty, empty, empty), catalogue, prior,
        {kind: Offsets(np.zeros((bins, len(catalogue))), nothing) for kind in MemberEvidence},
        PairColumns(fit.table.movies[number], fit.table.grouped), Trees(None, {}), fit.core.calibration,
        fit.core.reference,
    )  # fmt: skip


def facts_of(fit, view: int, evidence: MemberEvidence) -> MemberFacts:
    views = fit.table.views
    plays = views.plays.filter(views.plays[VIEW] == view)
    facts = MemberFacts(
        views.attributes[view] if evidence.has_attributes else np.full_like(views.attributes[view], np.nan),
        plays[MOVIE].to_numpy(),
        plays["completion"].fill_null(np.nan).to_numpy().astype(np.float32),
        plays["age_days"].fill_null(np.nan).to_numpy().astype(np.float32),
    )
    return facts if evidence.has_plays else facts.without_plays()


def served_row(model: Model, facts: MemberFacts, movie, offset: float) -> np.ndarray:
    state = model.state_of(facts)
    targets = replace(model.view.of([movie], state.taste.evidence, state.taste.bins), offset=np.array([offset]))
    prior = prior_numbers(state.taste.factors, targets.factors, targets.offset, targets.deviation)
    return pair_features(state.members, targets.columns, prior)[0]


def some_rows(fit, evidence: MemberEvidence) -> Rows:
    factors = fit.table.out_of_fold.factors[evidence]
    rows = target_rows(fit.table.views, np.isfinite(factors[:, 0]), evidence)
    return rows.take(np.random.default_rng(3).permutation(len(rows))[:80])


@pytest.fixture(scope="module")
def fold_models(small_fit):
    return [model_of_fold(small_fit, number) for number in range(len(small_fit.table.out_of_fold.fitted))]


@pytest.mark.parametrize("evidence", KINDS)
def test_a_training_row_is_the_row_that_is_served(small_fit, fold_models, evidence):
    rows = some_rows(small_fit, evidence)
    offset = np.random.default_rng(4).normal(size=len(rows))
    trained = small_fit.table.all_features(rows, offset)
    seen = 0
    for place, row in enumerate(trained):
        view, movie = int(rows.view[place]), int(rows.movie[place])
        model = fold_models[small_fit.table.out_of_fold.fold[view]]
        if not model.catalogue.rated[movie]:  # the fold left it without ratings: its prior is told from other movies
            continue
        served = served_row(model, facts_of(small_fit, view, evidence), movie, offset[place])
        assert served == pytest.approx(row, rel=1e-4, abs=1e-5, nan_ok=True)
        seen += 1
    assert seen > 50


@pytest.mark.parametrize("evidence", KINDS)
def test_a_training_row_as_if_the_movie_were_unknown_is_the_row_that_is_served(small_fit, fold_models, evidence):
    rows = some_rows(small_fit, evidence).with_movie_evidence(MovieEvidence.UNKNOWN)
    offset = np.random.default_rng(4).normal(size=len(rows))
    for place, row in enumerate(small_fit.table.all_features(rows, offset)):
        view = int(rows.view[place])
        model = fold_models[small_fit.table.out_of_fold.fold[view]]
        served = served_row(model, facts_of(small_fit, view, evidence), None, offset[place])
        assert served == pytest.approx(row, rel=1e-4, abs=1e-5, nan_ok=True)


@pytest.mark.parametrize("evidence", KINDS)
def test_a_training_row_as_if_the_movie_were_only_described_is_served_alike(small_fit, fold_models, evidence):
    """But for the prior's own numbers: in training they come from a fit that didn't see the movie's ratings."""
    rows, data = some_rows(small_fit, evidence).with_movie_evidence(MovieEvidence.DESCRIBED), small_fit.table.data
    compared = 0
    for place, row in enumerate(small_fit.table.all_features(rows, np.zeros(len(rows)))):
        view, movie = int(rows.view[place]), int(rows.movie[place])
        described = MovieFacts(float(data.release_year[movie]), data.genres[movie], data.movie_attributes[movie])
        if not described.is_described:
            continue
        model = fold_models[small_fit.table.out_of_fold.fold[view]]
        served = served_row(model, facts_of(small_fit, view, evidence), described, 0.0)
        both = [np.delete(features, np.arange(FIRST, LAST)) for features in (served, row)]
        assert both[0] == pytest.approx(both[1], rel=1e-4, abs=1e-5, nan_ok=True)
        compared += 1
    assert compared > 50


def test_every_feature_has_a_name(small_fit, small):
    features = small_fit.table.all_features(some_rows(small_fit, KINDS[0]), np.zeros(80))
    assert features.shape[1] == len(small.model.feature_names) == len(set(small.model.feature_names))
    assert pair_names([], [], [])[FIRST:LAST] == [f"prior:{name}" for name in PRIOR_NUMBERS]
