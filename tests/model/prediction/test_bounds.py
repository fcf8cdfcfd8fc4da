"""No member makes the trees add more to a movie than its bound, and rankings that trust in it are the same."""

import numpy as np
import pytest

from features.pair_features import of_movies_alone
from model.facts.evidence import MemberEvidence
from model.facts.facts import MemberFacts, Play
from model.prediction import model as module
from model.prediction.predictions import ARRAYS
from model.prediction.trees import highest_corrections


@pytest.fixture(scope="module")
def members(small) -> list[MemberFacts]:
    """Made-up members of all kinds, known well and hardly."""
    model, random = small.model, np.random.default_rng(8)
    stored = [model.members.find(member_id) for member_id in small.truth["member_id"].unique(maintain_order=True)]
    known = [member for member in stored if member is not None][:20]
    made = [MemberFacts.nothing(model.schema), *known, *(member.without_plays() for member in known[:5])]
    for count in (1, 3, 10, 25):
        for _ in range(8):
            plays = [Play(int(movie), random.random()) for movie in random.permutation(len(model.catalogue))[:count]]
            made.append(made[random.integers(len(known))].without_plays().with_plays(plays, model.schema))
    return made


def test_no_correction_is_above_the_bound_of_its_movie(small, members):
    model = small.model
    assert model.trees.booster is not None
    features = model.view.ready.features
    alone = of_movies_alone(len(model.pairs.grouped), features.shape[1])
    assert [name.startswith("movie:") for name in model.feature_names] == alone.tolist()
    highest = highest_corrections(model.trees.booster, features, alone)
    everywhere = highest_corrections(model.trees.booster, features, np.zeros_like(alone))
    rows = np.arange(len(model.catalogue))
    for member in members:
        state = model.state_of(member)
        targets = model.view.of_rows(rows, state.taste.evidence, state.taste.bins)
        _, own = model._features(state.taste.factors, state.members, targets)
        assert (model.trees.booster.predict(own) <= highest + 1e-9).all()
        exact = highest_corrections(model.trees.booster, own, np.ones_like(alone))
        assert exact == pytest.approx(model.trees.booster.predict(own), abs=1e-9)
    assert (highest <= everywhere).all()
    assert (highest < everywhere).any()


@pytest.mark.parametrize("most", [1, 2, 5, 20])
def test_the_best_are_those_that_a_ranking_of_all_begins_with(small, members, most, monkeypatch):
    monkeypatch.setattr(module, "LIKELY", 0)  # the catalogue of the test is small
    model, left_out = small.model, 0
    for member in members:
        for allowed in (None, np.arange(len(model.catalogue)) % 3 > 0):
            rows, whole = model.rank(member, allowed)
            best, predictions = model.rank(member, allowed, most=most)
            assert best.tolist() == rows[:most].tolist()
            for name in ARRAYS:
                assert getattr(predictions, name).tobytes() == getattr(whole, name)[:most].tobytes(), name
            state = model.state_of(member)
            left_out += len(rows) - len(model._candidates(state, np.sort(rows).astype(np.int64), most))
    assert left_out > 0 or most > 5


def test_more_than_there_are_is_all(small):
    nobody = MemberFacts.nothing(small.model.schema)
    rows, _ = small.model.rank(nobody)
    assert small.model.rank(nobody, most=10_000)[0].tolist() == rows.tolist()
    assert small.model.prior.usable_evidence(nobody) is MemberEvidence.NOTHING
