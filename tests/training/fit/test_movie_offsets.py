"""Movies' offsets recover the residuals of the prior, and are zero where there are none."""

import numpy as np
import pytest

from training.fit.movie_offsets import fit_offsets, shrinkage_by_plays

MOVIES, ROWS = 50, 6000


@pytest.fixture
def rows():
    random = np.random.default_rng(1)
    return random, random.integers(0, MOVIES, ROWS), random.integers(0, 5, ROWS)


def test_planted_offsets_are_recovered(rows):
    random, movie, fold = rows
    planted = 0.5 * random.normal(size=MOVIES)
    offsets = fit_offsets(planted[movie] + 0.5 * random.normal(size=ROWS), movie, fold, MOVIES, np.ones(ROWS))
    assert offsets.movies == pytest.approx(planted, abs=0.2)
    assert offsets.out_of_fold.shape == (5, MOVIES)


def test_with_nothing_to_gain_they_are_next_to_nothing(rows):
    random, movie, fold = rows
    offsets = fit_offsets(random.normal(size=ROWS), movie, fold, MOVIES, np.ones(ROWS))
    assert np.abs(offsets.movies).max() < 0.1


def test_what_all_movies_share_is_one_offset_for_all(rows):
    random, movie, fold = rows
    offsets = fit_offsets(0.3 + 0.2 * random.normal(size=ROWS), movie, fold, MOVIES + 1, np.ones(ROWS))
    assert offsets.movies == pytest.approx(np.full(MOVIES + 1, 0.3), abs=0.05)


def test_the_offsets_of_a_fold_never_come_from_its_own_rows(rows):
    random, movie, fold = rows
    planted = 0.5 * random.normal(size=MOVIES)[movie] + 0.1 * random.normal(size=ROWS)
    before = fit_offsets(planted, movie, fold, MOVIES, np.ones(ROWS)).out_of_fold[2]
    changed = np.where(fold == 2, planted + 0.01 * random.normal(size=ROWS), planted)
    after = fit_offsets(changed, movie, fold, MOVIES, np.ones(ROWS))
    assert after.out_of_fold[2] == pytest.approx(before, abs=1e-12)
    assert after.out_of_fold[1] != pytest.approx(before, abs=1e-12)


def test_no_rows_of_a_movie_leave_it_finite():
    offsets = fit_offsets(np.array([0.5, -0.5]), np.array([0, 0]), np.array([0, 1]), 3, np.ones(2))
    assert np.isfinite(offsets.movies).all()
    assert np.isfinite(offsets.out_of_fold).all()


def test_rows_that_count_twice_are_worth_two(rows):
    random, movie, fold = rows
    residual = random.normal(size=MOVIES)[movie] + random.normal(size=ROWS)
    twice = np.flatnonzero(random.random(ROWS) < 0.5)
    weight = np.ones(ROWS)
    weight[twice] = 2
    repeated = np.concatenate([np.arange(ROWS), twice])
    offsets = fit_offsets(residual, movie, fold, MOVIES, weight)
    expected = fit_offsets(residual[repeated], movie[repeated], fold[repeated], MOVIES, np.ones(len(repeated)))
    assert offsets.movies == pytest.approx(expected.movies)
    assert offsets.out_of_fold == pytest.approx(expected.out_of_fold)


def test_offsets_with_plays_are_followed_as_far_as_held_out_ratings_say_at_each_number_of_plays():
    random, size = np.random.default_rng(6), 20_000
    bins, step = random.integers(0, 4, size), 0.3 * random.normal(size=size)
    planted = np.array([0.1, 0.5, 0.8, 1.0])
    residual = planted[bins] * step + random.normal(size=size)
    weight = np.ones(size)
    assert shrinkage_by_plays(residual, step, bins, 4, weight) == pytest.approx(planted, abs=0.1)
    doubled = np.concatenate([residual, 5 * residual[bins == 0]]), np.concatenate([step, step[bins == 0]])
    unheard = shrinkage_by_plays(
        *doubled, np.concatenate([bins, bins[bins == 0]]), 4, np.append(weight, 0 * bins[bins == 0])
    )
    assert unheard == pytest.approx(shrinkage_by_plays(residual, step, bins, 4, weight)), "rows that count nothing"


def test_a_number_of_plays_that_few_have_is_taken_as_the_next():
    bins = np.array([1] * 4000)
    step = np.random.default_rng(7).normal(size=4000)
    assert shrinkage_by_plays(0.4 * step, step, bins, 3, np.ones(4000)) == pytest.approx([0.4, 0.4, 1], abs=0.01)
    nobody = np.empty(0)
    assert shrinkage_by_plays(nobody, nobody, np.empty(0, int), 3, nobody).tolist() == [1, 1, 1]
