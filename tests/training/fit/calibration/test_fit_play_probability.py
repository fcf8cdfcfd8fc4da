"""The chance to have played a movie: planted weights are learned, and few data change little."""

import numpy as np
import pytest

from model.prediction.prior.play_probability import POPULARITY, inputs_of, probability_of, shares_of
from training.fit.calibration.fit_play_probability import fit_play_probability, logistic_regression

PLANTED = np.array([-1.5, 0.9, 0.3, 0.05, 4.0, 0.3, 0.2, 1.0, -0.1])


def drawn(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    inputs = inputs_of(random.beta(1, 8, count).clip(0.001), random.beta(1, 6, count), random.integers(1, 100, count))
    return inputs, random.random(count) < probability_of(inputs, PLANTED)


def test_a_planted_chance_is_learned():
    random = np.random.default_rng(1)
    inputs, played = drawn(random, 100_000)
    learned = logistic_regression(inputs, played, np.ones(len(inputs)))
    truth = probability_of(inputs, PLANTED)
    assert np.abs(probability_of(inputs, learned) - truth).mean() < 0.01
    assert np.abs(probability_of(inputs, POPULARITY) - truth).mean() > 0.05


def test_rows_that_are_drawn_more_often_and_count_less_change_nothing():
    random = np.random.default_rng(2)
    inputs, played = drawn(random, 40_000)
    kept = random.random(len(inputs)) < np.where(inputs[:, 1] > -2, 1.0, 0.4)
    weight = np.where(inputs[:, 1] > -2, 1.0, 2.5)[kept]
    some, all_ = logistic_regression(inputs[kept], played[kept], weight), logistic_regression(
        inputs, played, np.ones(len(inputs))
    )  # fmt: skip
    assert np.abs(probability_of(inputs, some) - probability_of(inputs, all_)).mean() < 0.02


def test_without_data_the_chance_is_the_share_of_members():
    assert logistic_regression(np.empty((0, 9)), np.empty(0, bool), np.empty(0)).tolist() == POPULARITY.tolist()
    share = np.array([0.001, 0.3, 0.99])
    assert probability_of(inputs_of(share, np.zeros(3), 7), POPULARITY) == pytest.approx(share)


def test_shares_are_counted_from_the_weights_of_movies():
    plays, members = np.array([0, 4, 9]), 9
    weight = np.log((members + 1) / (plays + 1)) + 1
    assert shares_of(weight**2) == pytest.approx([0.1, 0.5, 0.999])


def test_a_fit_learns_from_the_plays_that_views_hide(small_fit):
    weights = small_fit.core.prior.play_weights
    assert weights.shape == POPULARITY.shape
    assert np.isfinite(weights).all()
    assert np.abs(weights - POPULARITY).max() > 0.1
    table = small_fit.table
    again = fit_play_probability(table.views, table.out_of_fold, table.movies, np.random.default_rng([0, 15]))
    assert again.tobytes() == weights.tobytes()


@pytest.mark.parametrize(("least", "most"), [(1, 2), (3, 9), (10, 99)])
def test_the_chance_is_right_on_average_for_few_known_plays_and_for_many(small_fit, least, most):
    """As if raters had played no more than is known, one known play would leave hardly a movie that they have seen."""
    table, prior = small_fit.table, small_fit.core.prior
    views, movies = table.views, small_fit.core.pairs.movies
    share = shares_of(prior.columns.squared_weight)
    played = np.zeros((len(table.data.member_ids), len(share)), bool)
    owner, shown = views.plays["view"].to_numpy(), views.plays["movie"].to_numpy()
    played[views.member[owner], shown] = True
    expected, seen = [], []
    for view in np.flatnonzero((views.play_count >= least) & (views.play_count <= most))[:300]:
        hidden = np.setdiff1d(np.arange(len(share)), shown[owner == view])
        embedding = table.out_of_fold.inputs[view, -movies.direction.shape[1] :]
        inputs = inputs_of(share[hidden], movies.direction[hidden] @ embedding, int(views.play_count[view]))
        expected.append(probability_of(inputs, prior.play_weights).mean())
        seen.append(played[views.member[view], hidden].mean())
    assert len(seen) > 50
    assert np.mean(expected) == pytest.approx(np.mean(seen), rel=0.3)
