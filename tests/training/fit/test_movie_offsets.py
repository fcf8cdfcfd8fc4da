"""Movies' offsets recover the residuals of the prior, summed up by partition, and are zero where there are none."""

from dataclasses import dataclass

import numpy as np
import pytest

from model.facts.evidence import MemberEvidence, MovieEvidence
from model.prediction.calibration import PLAY_BINS, bins_of
from training.data.never_rater_views import SHORT
from training.fit.fit_model import Fit
from training.fit.movie_offsets import (
    HALF_VIEWS,
    KINDS,
    SHARE_SPREAD,
    STRENGTHS,
    FittedOffsets,
    ResidualSums,
    fit_offsets,
    residual_sums,
    shrinkage_by_plays,
)
from training.fit.trees.pair_rows import target_rows

MOVIES, ROWS, FOLDS = 50, 6000, 5
KIND = MemberEvidence.PLAYS
NOTHING = FittedOffsets(np.zeros(MOVIES), np.zeros((FOLDS, MOVIES)))


@dataclass(frozen=True)
class Residuals:
    """Residuals of ratings, each with its movie, fold and weight."""

    residual: np.ndarray
    movie: np.ndarray
    fold: np.ndarray
    weight: np.ndarray

    def take(self, chosen: np.ndarray) -> "Residuals":
        return Residuals(self.residual[chosen], self.movie[chosen], self.fold[chosen], self.weight[chosen])


def drawn(random: np.random.Generator, residual_of=None) -> Residuals:
    """Residuals around those of their movies, with noise."""
    movie, fold = random.integers(0, MOVIES, ROWS), random.integers(0, FOLDS, ROWS)
    planted = np.zeros(MOVIES) if residual_of is None else residual_of
    return Residuals(planted[movie] + 0.5 * random.normal(size=ROWS), movie, fold, np.ones(ROWS))


def sums_of(rows: Residuals, group=HALF_VIEWS, movies: int = MOVIES) -> ResidualSums:
    """The sums over these rows, which are of one kind of evidence."""
    shape = len(KINDS), HALF_VIEWS + 1, FOLDS, movies
    sums = ResidualSums(np.zeros(shape), np.zeros(shape), np.zeros(shape[:2]))
    kind = KINDS.index(KIND)
    group = np.broadcast_to(group, rows.movie.shape)
    np.add.at(sums.weights[kind], (group, rows.fold, rows.movie), rows.weight)
    np.add.at(sums.total[kind], (group, rows.fold, rows.movie), rows.weight * rows.residual)
    np.add.at(sums.squares[kind], group, rows.weight * rows.residual**2)
    return sums


def plain_offsets(rows: Residuals, movies: int) -> FittedOffsets:
    """The same offsets, with the error of each strength computed from all rows."""
    best, least = FittedOffsets(np.zeros(movies), np.zeros((FOLDS, movies))), np.sum(rows.weight * rows.residual**2)

    def offsets(chosen: np.ndarray, strength: float) -> np.ndarray:
        own = rows.take(chosen)
        count, total = np.zeros(movies), np.zeros(movies)
        for movie, residual, weight in zip(own.movie, own.residual, own.weight, strict=True):
            count[movie] += weight
            total[movie] += weight * residual
        return (total + strength * total.sum() / max(count.sum(), 1)) / (count + strength)

    for strength in STRENGTHS:
        of_folds = np.stack([offsets(rows.fold != fold, strength) for fold in range(FOLDS)])
        error = np.sum(rows.weight * (rows.residual - of_folds[rows.fold, rows.movie]) ** 2)
        if error < least:
            best, least = FittedOffsets(offsets(np.ones(len(rows.movie), bool), strength), of_folds), error
    return best


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(1)


def test_planted_offsets_are_recovered(random):
    planted = 0.5 * random.normal(size=MOVIES)
    offsets = fit_offsets(sums_of(drawn(random, planted)), KIND)
    assert offsets.movies == pytest.approx(planted, abs=0.2)
    assert offsets.out_of_fold.shape == (FOLDS, MOVIES)


def test_with_nothing_to_gain_they_are_next_to_nothing(random):
    assert np.abs(fit_offsets(sums_of(drawn(random)), KIND).movies).max() < 0.1


def test_what_all_movies_share_is_one_offset_for_all(random):
    rows = drawn(random, np.full(MOVIES, 0.3))
    offsets = fit_offsets(sums_of(rows, movies=MOVIES + 1), KIND)
    assert offsets.movies == pytest.approx(np.full(MOVIES + 1, 0.3), abs=0.08)


@pytest.mark.parametrize("spread", [0.0, 0.05, 0.5])
def test_they_are_those_of_a_plain_computation_row_by_row(random, spread):
    rows = drawn(random, spread * random.normal(size=MOVIES))
    rows = Residuals(rows.residual, rows.movie, rows.fold, random.uniform(0, 3, ROWS))
    offsets, expected = fit_offsets(sums_of(rows), KIND), plain_offsets(rows, MOVIES)
    assert offsets.movies == pytest.approx(expected.movies, abs=1e-9)
    assert offsets.out_of_fold == pytest.approx(expected.out_of_fold, abs=1e-9)


def test_the_offsets_of_a_fold_never_come_from_its_own_rows(random):
    rows = drawn(random, 0.5 * random.normal(size=MOVIES))
    changed = np.where(rows.fold == 2, rows.residual + 0.01 * random.normal(size=ROWS), rows.residual)
    before = fit_offsets(sums_of(rows), KIND).out_of_fold
    after = fit_offsets(sums_of(Residuals(changed, rows.movie, rows.fold, rows.weight)), KIND).out_of_fold
    assert after[2] == pytest.approx(before[2], abs=1e-12)
    assert after[1] != pytest.approx(before[1], abs=1e-12)


def test_no_rows_of_a_movie_leave_it_finite():
    rows = Residuals(np.array([0.5, -0.5]), np.array([0, 0]), np.array([0, 1]), np.ones(2))
    for sums in (sums_of(rows, movies=3), sums_of(rows.take(np.empty(0, int)), movies=3)):
        offsets = fit_offsets(sums, KIND)
        assert np.isfinite(offsets.movies).all()
        assert np.isfinite(offsets.out_of_fold).all()


def test_rows_that_count_twice_are_worth_two(random):
    rows = drawn(random, random.normal(size=MOVIES))
    twice = np.flatnonzero(random.random(ROWS) < 0.5)
    weight = np.ones(ROWS)
    weight[twice] = 2
    offsets = fit_offsets(sums_of(Residuals(rows.residual, rows.movie, rows.fold, weight)), KIND)
    expected = fit_offsets(sums_of(rows.take(np.concatenate([np.arange(ROWS), twice]))), KIND)
    assert offsets.movies == pytest.approx(expected.movies)
    assert offsets.out_of_fold == pytest.approx(expected.out_of_fold)


def short_rows(random, planted: np.ndarray, size: int = 20_000) -> tuple[Residuals, np.ndarray, FittedOffsets]:
    """Residuals of short views that follow offsets with plays as far as planted for each bin; and these offsets."""
    with_plays = 0.3 * random.normal(size=(FOLDS, MOVIES))
    bins, movie, fold = (random.integers(0, most, size) for most in (len(planted), MOVIES, FOLDS))
    residual = planted[bins] * with_plays[fold, movie] + random.normal(size=size)
    return Residuals(residual, movie, fold, np.ones(size)), bins, FittedOffsets(np.zeros(MOVIES), with_plays)


def test_offsets_with_plays_are_followed_as_far_as_held_out_ratings_say_at_each_number_of_plays(random):
    planted = np.array([0.1, 0.5, 0.8, 0.9])
    rows, bins, with_plays = short_rows(random, planted)
    shares = shrinkage_by_plays(sums_of(rows, bins), KIND, with_plays, NOTHING)
    assert shares[:4] == pytest.approx(planted, abs=0.12)
    assert shares[4:].tolist() == [1] * (len(PLAY_BINS) - 4), "bins without rows are as the next, and the last is 1"
    unheard = Residuals(5 * rows.residual, rows.movie, rows.fold, 0 * rows.weight)
    more = ResidualSums(*map(np.add, sums_of(rows, bins), sums_of(unheard, bins)))
    assert shrinkage_by_plays(more, KIND, with_plays, NOTHING) == pytest.approx(shares), "rows that count nothing"


def test_their_shares_are_those_of_a_plain_computation_row_by_row(random):
    rows, bins, with_plays = short_rows(random, np.array([0.1, 0.5, 0.8, 0.9, 1.0]))
    rows = Residuals(rows.residual, rows.movie, rows.fold, random.uniform(0, 3, len(bins)))
    without = FittedOffsets(np.zeros(MOVIES), 0.2 * random.normal(size=(FOLDS, MOVIES)))
    shares = shrinkage_by_plays(sums_of(rows, bins), KIND, with_plays, without)
    before = without.out_of_fold[rows.fold, rows.movie]
    left, step = rows.residual - before, with_plays.out_of_fold[rows.fold, rows.movie] - before
    pull, expected = np.average(left**2, weights=rows.weight) / SHARE_SPREAD**2, np.ones(len(PLAY_BINS))
    for number in reversed(range(len(PLAY_BINS) - 1)):
        own = bins == number
        gain = np.sum((rows.weight * step * left)[own]) + pull * expected[number + 1]
        expected[number] = np.clip(gain / (np.sum((rows.weight * step**2)[own]) + pull), 0, 1)
    assert shares == pytest.approx(expected)


def test_without_short_views_offsets_with_plays_count_fully():
    nobody = Residuals(np.empty(0), np.empty(0, int), np.empty(0, int), np.empty(0))
    shares = shrinkage_by_plays(sums_of(nobody), KIND, NOTHING, NOTHING)
    assert shares.tolist() == [1] * len(PLAY_BINS)


def test_sums_over_partitions_are_those_of_all_rows(passes, small_fit: Fit):
    """Each rating that a view hides counts, predicted by the prior without its member's fold."""
    table, views = small_fit.table, small_fit.table.views
    weight = np.random.default_rng(0).uniform(0, 2, len(table.data.member_ids))
    sums = residual_sums(passes, small_fit.folded, table.out_of_fold.fitted, weight)
    group_of = np.where(views.half == SHORT, bins_of(views.play_count), HALF_VIEWS)
    for number, evidence in enumerate(KINDS):
        expected = [np.zeros_like(of_evidence[number]) for of_evidence in sums]
        if evidence in table.out_of_fold.factors:
            known = np.isfinite(table.out_of_fold.factors[evidence]).all(axis=1)
            rows = target_rows(views, known, evidence)
            assert (rows.movie_evidence == MovieEvidence.RATED).all()
            residual = rows.rating - table.base(rows)
            group, fold = group_of[rows.view], table.out_of_fold.fold[rows.view]
            own = weight[views.member[rows.view]]
            np.add.at(expected[0], (group, fold, rows.movie), own)
            np.add.at(expected[1], (group, fold, rows.movie), own * residual)
            np.add.at(expected[2], group, own * residual**2)
            assert expected[0].sum() > 1000
        for of_evidence, direct in zip(sums, expected, strict=True):
            assert of_evidence[number] == pytest.approx(direct, abs=1e-6)
