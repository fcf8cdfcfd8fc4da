"""Movies' offsets make good what the prior leaves over, and nothing where it leaves nothing."""

import numpy as np
import pytest

from training.offsets import fit_offsets

MOVIES, ROWS = 50, 6000


@pytest.fixture
def rows():
    random = np.random.default_rng(1)
    return random, random.integers(0, MOVIES, ROWS), random.integers(0, 5, ROWS)


def test_planted_offsets_are_found(rows):
    random, movie, fold = rows
    planted = 0.5 * random.normal(size=MOVIES)
    found = fit_offsets(planted[movie] + 0.5 * random.normal(size=ROWS), movie, fold, MOVIES, np.ones(ROWS))
    assert found.movies == pytest.approx(planted, abs=0.2)
    assert found.apart.shape == (5, MOVIES)


def test_with_nothing_to_gain_they_are_next_to_nothing(rows):
    random, movie, fold = rows
    found = fit_offsets(random.normal(size=ROWS), movie, fold, MOVIES, np.ones(ROWS))
    assert np.abs(found.movies).max() < 0.1


def test_what_all_movies_share_is_one_offset_for_all(rows):
    random, movie, fold = rows
    found = fit_offsets(0.3 + 0.2 * random.normal(size=ROWS), movie, fold, MOVIES + 1, np.ones(ROWS))
    assert found.movies == pytest.approx(np.full(MOVIES + 1, 0.3), abs=0.05)


def test_what_a_fold_is_told_never_comes_from_its_own_rows(rows):
    random, movie, fold = rows
    planted = 0.5 * random.normal(size=MOVIES)[movie] + 0.1 * random.normal(size=ROWS)
    before = fit_offsets(planted, movie, fold, MOVIES, np.ones(ROWS)).apart[2]
    changed = np.where(fold == 2, planted + 0.01 * random.normal(size=ROWS), planted)
    after = fit_offsets(changed, movie, fold, MOVIES, np.ones(ROWS))
    assert after.apart[2] == pytest.approx(before, abs=1e-12)
    assert after.apart[1] != pytest.approx(before, abs=1e-12)


def test_no_rows_of_a_movie_leave_it_finite():
    found = fit_offsets(np.array([0.5, -0.5]), np.array([0, 0]), np.array([0, 1]), 3, np.ones(2))
    assert np.isfinite(found.movies).all()
    assert np.isfinite(found.apart).all()


def test_rows_that_count_twice_are_worth_two(rows):
    random, movie, fold = rows
    residual = random.normal(size=MOVIES)[movie] + random.normal(size=ROWS)
    twice = np.flatnonzero(random.random(ROWS) < 0.5)
    weight = np.ones(ROWS)
    weight[twice] = 2
    repeated = np.concatenate([np.arange(ROWS), twice])
    found = fit_offsets(residual, movie, fold, MOVIES, weight)
    expected = fit_offsets(residual[repeated], movie[repeated], fold[repeated], MOVIES, np.ones(len(repeated)))
    assert found.movies == pytest.approx(expected.movies)
    assert found.apart == pytest.approx(expected.apart)
