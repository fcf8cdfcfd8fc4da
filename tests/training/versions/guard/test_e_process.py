"""The evidence that means are above zero seldom misleads, whenever it is looked at, and grows where they are."""

import numpy as np
import pytest

from training.versions.guard.e_process import e_values


def test_the_evidence_is_the_mean_wealth_of_several_stakes():
    assert e_values(np.empty(0), 1.0).shape == (0,)
    assert e_values(np.zeros(3), 2.0) == pytest.approx([1, 1, 1])
    stakes = np.geomspace(0.01, 0.95, 12) / 2
    expected = [np.mean(1 + stakes), np.mean((1 + stakes) * (1 - 2 * stakes))]
    assert e_values(np.array([1.0, -2.0]), 2.0) == pytest.approx(expected)


def test_evidence_is_never_negative_and_may_be_infinite():
    assert e_values(np.full(1000, -1.0), 1.0).min() >= 0
    assert e_values(np.full(10_000, 1.0), 1.0)[-1] == np.inf


def test_means_of_zero_seldom_give_much_evidence_at_any_time():
    chance = np.random.default_rng(0)
    misled = sum(e_values(chance.choice([-1.0, 1.0], 2000), 1.0).max() >= 20 for _ in range(500))
    assert misled <= 500 / 20


def test_means_that_wander_but_are_never_above_zero_seldom_give_much_evidence():
    chance = np.random.default_rng(1)
    means = -np.abs(np.sin(np.arange(2000) / 100))
    misled = sum(e_values(means + chance.uniform(-1, 1, 2000), 2.0).max() >= 20 for _ in range(500))
    assert misled <= 500 / 20


def test_a_mean_above_zero_is_noticed():
    chance = np.random.default_rng(2)
    assert all(e_values(0.1 + chance.uniform(-1, 1, 5000), 1.0).max() >= 100 for _ in range(50))
