"""The measures of privacy recover what is planted, and its sums change by no more than is claimed."""

import numpy as np
import pytest

from benchmarks.privacy.lab.accountant import Releases, delta_of, epsilon_of, mu_of
from benchmarks.privacy.lab.private_attack import attacked
from benchmarks.privacy.lab.private_model import fit_private, parts_of, shortest
from benchmarks.privacy.lab.worlds import made_up_world
from benchmarks.privacy.landmarks import reconstruct
from benchmarks.privacy.likelihood_ratio import (
    area_under_curve,
    directed_shift,
    log_likelihood_ratios,
    memberships,
    success,
    true_positive_rate,
)
from benchmarks.privacy.linkage import best_matches, members_table
from benchmarks.privacy.questions_of_targets import Asking, Targets
from features.plays import names, of_members
from model.facts.facts import MemberFacts
from model.prediction.prior.member_inputs import MovieColumns, join_plays
from tests.conftest import Published


def test_area_and_rates_are_those_of_small_examples():
    score, label = np.array([3.0, 2.0, 2.0, 1.0]), np.array([True, True, False, False])
    assert area_under_curve(score, label) == (1 + 1 + 0.5 + 1) / 4
    negatives, positives = np.arange(1000.0), np.array([500.0, 998.5, 999.5])
    score, label = np.append(negatives, positives), np.arange(1003) >= 1000
    assert true_positive_rate(score, label, 0.001) == pytest.approx(2 / 3)
    assert true_positive_rate(score, label, 0.5) == pytest.approx(1.0)


def test_each_target_is_in_half_of_the_models():
    member = memberships(6, 101, np.random.default_rng(0))
    assert (member.sum(axis=0) == 3).all()
    assert (member[::2] == ~member[1::2]).all()


@pytest.mark.parametrize(("shift", "low", "high"), [(0.0, 0.47, 0.53), (1.0, 0.7, 0.77), (4.0, 0.99, 1.0)])
def test_a_planted_difference_is_recovered_as_far_as_it_can_be(shift, low, high):
    """Each target has another mean and the same variance; the best possible AUC is Phi(shift / sqrt 2)."""
    random = np.random.default_rng(1)
    member = memberships(16, 800, random)
    statistic = random.normal(0, 5, 800) + random.normal(size=member.shape) + shift * member
    attack = success(log_likelihood_ratios(statistic, member), member, random, resamples=20).figures["auc"]
    assert low <= attack[1] <= attack[0] <= attack[2] <= high + 0.02


def test_small_shifts_of_many_predictions_add_up():
    random = np.random.default_rng(2)
    member = memberships(12, 200, random)
    target = np.repeat(np.arange(200), 30)
    expected = random.normal(0, 0.1, len(target))
    predictions = 3 + random.normal(size=(12, len(target))) * 0.3 + expected * member[:, target]
    shift = directed_shift(predictions, expected, target, 200)
    assert area_under_curve(log_likelihood_ratios(shift, member).ravel(), member.ravel()) > 0.8


def test_known_plays_single_out_who_is_published_and_nobody_else():
    random = np.random.default_rng(3)
    plays = random.random((300, 200)) < 0.2
    attributes = random.integers(0, 2, (300, 1)).astype(np.float32)
    everybody = members_table(plays, attributes, np.ones(300, bool), random)
    nobody = members_table(plays, attributes, np.zeros(300, bool), random)
    third = members_table(plays, attributes, np.arange(300) < 100, random)
    singled_out = everybody["singled_out_percent"]
    assert singled_out[1] == 0
    assert singled_out[10] == 100
    assert sorted(singled_out.values()) == list(singled_out.values())
    assert set(nobody["singled_out_percent"].values()) == {0.0}
    assert third["singled_out_percent"][10] == pytest.approx(100 / 3, abs=0.1)
    assert third["wrong_person_percent"][10] < 1
    assert everybody["alone_by_attributes_percent"] == 0


def test_the_shortest_row_that_holds_the_most_known_plays_is_guessed():
    table = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 1]], bool)
    assert best_matches(table, np.array([0, 1, 2])).tolist() == [0, 0, 1]
    assert best_matches(table, np.array([3])).tolist() == [2]


def test_plays_are_reconstructed_from_what_a_regression_sees_of_them():
    random = np.random.default_rng(4)
    columns = MovieColumns(
        tuple(f"column {number}" for number in range(15)), 1990.0, random.normal(size=(120, 15)).astype(np.float32),
        random.normal(size=(120, 12)).astype(np.float32), np.ones(120, np.float32),
        random.normal(size=(120, 6)).astype(np.float32),
    )  # fmt: skip
    played = np.array([3, 40, 41, 99])
    unknown = np.full(4, np.nan, np.float32)
    features = of_members(unknown, unknown, np.array([4]), columns.columns[played].sum(axis=0, dtype=np.float64)[None])
    sums = [part[played].sum(axis=0, dtype=np.float64)[None] for part in (columns.taste, columns.embedding)]
    inputs = join_plays(features, *sums, np.array([4.0]), np.array([4]))[0]
    inputs[-4:] = np.nan
    assert len(inputs) == len(names(columns.names)) + 18
    assert reconstruct(columns, inputs).tolist() == played.tolist()


def test_an_attacker_is_told_what_anybody_is_who_shows_the_same_facts(published: Published):
    """With half of a target's plays shown, and its attributes, the ratings of the other half are asked for."""
    targets = Targets.drawn(published.tables, 5, np.random.default_rng(6))
    answers = Asking(published.tables, targets, published.model).predictions("plays and attributes")
    assert np.isfinite(answers["rating"]).all()
    ids = published.tables.member_ids.gather(targets.members)
    known = published.model.members.find(ids[2])
    asked = np.flatnonzero((targets.target == 2) & (targets.half == 1))
    shown = targets.movie[(targets.target == 2) & (targets.half == 0)]
    kept = np.isin(known.movies, shown)
    unknown = np.full(int(kept.sum()), np.nan, np.float32)
    member = MemberFacts(known.attributes, known.movies[kept], unknown, unknown)
    expected = published.model.predict(member, targets.movie[asked].tolist())
    assert answers["rating"][asked] == pytest.approx(expected.rating)
    assert answers["extrapolation"][asked] == pytest.approx(expected.extrapolation)


@pytest.mark.parametrize(("epsilon", "mu"), [(8.0, 1.666), (4.0, 0.925), (2.0, 0.502), (1.0, 0.268)])
def test_noise_is_what_the_literature_says(epsilon, mu):
    """The values of mu at delta 1e-5 by the exact curve of the Gaussian mechanism."""
    assert mu_of(epsilon, 1e-5) == pytest.approx(mu, abs=0.001)
    assert epsilon_of(mu_of(epsilon, 1e-5), 1e-5) == pytest.approx(epsilon, abs=1e-5)
    assert delta_of(mu_of(epsilon, 1e-5), epsilon) == pytest.approx(1e-5, rel=1e-6)


def test_releases_share_the_budget_and_are_made_once():
    releases = Releases(2.0, {"first": 0.25, "second": 0.75}, np.random.default_rng(0))
    noisy = releases.release("first", np.zeros(20_000), 3.0)
    assert noisy.std() == pytest.approx(3.0 / (2.0 * 0.5), rel=0.03)
    assert 1 / releases.deviation("second", 1.0) ** 2 + 1.0**2 == pytest.approx(2.0**2)
    with pytest.raises(KeyError):
        releases.release("first", np.zeros(1), 3.0)
    with pytest.raises(ValueError, match="sum to 1"):
        Releases(2.0, {"first": 0.5}, np.random.default_rng(0))


class Recorded(Releases):
    """Adds no noise, and keeps what is released with its sensitivity."""

    def __init__(self, given: "Recorded | None" = None) -> None:
        self._given, self.kept = given, {}

    def deviation(self, _name, _sensitivity):
        return 0.0

    def release(self, name, sums, sensitivity):
        self.kept[name] = sums, sensitivity
        return sums if self._given is None else self._given.kept[name][0]


def test_no_member_changes_a_release_by_more_than_its_sensitivity():
    """With all earlier releases given, as an adaptive composition supposes; of many ratings, of few, and of some."""
    world = made_up_world(400, seed=5)
    first = Recorded()
    parts = parts_of(world, tested=False)
    fit_private(world, parts, first)
    lengths = np.diff(parts[0].all_rated.indptr)
    for member in (7, int(np.argmin(lengths)), int(np.argmax(lengths))):
        [part] = parts
        kept = np.arange(part.rated.shape[0]) != member
        matrices = (part.all_rated[kept], part.plays[kept], part.rated[kept])
        smaller = type(part)(part.attributes[kept], *matrices, part.bounds)
        without = Recorded(first)
        fit_private(world, [smaller], without)
        changes = {
            name: float(np.linalg.norm(sums - without.kept[name][0])) / sensitivity
            for name, (sums, sensitivity) in first.kept.items()
        }
        assert max(changes.values()) <= 1 + 1e-9, changes
    assert min(changes.values()) > 0, "the last one, who rates most, changes each release"


def test_an_interval_is_the_shortest_that_holds_enough():
    assert shortest(np.array([0.0, 5, 50, 45, 0])) == (3.0, 4.0)
    assert shortest(np.ones(5)) == (1.0, 5.0)


def test_noise_hides_who_a_model_was_fitted_to():
    world = made_up_world(300, seed=7)
    exact, noisy = (attacked(world, epsilon, 1e-5, shadows=6, seed=0) for epsilon in (float("inf"), 0.5))
    for part in ("movie means", "whole model"):
        assert exact[part]["auc"][0] > 0.8
        assert noisy[part]["auc"][0] < 0.6
