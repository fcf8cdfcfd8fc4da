"""Intervals hold nine of ten ratings, on draws that no fit has seen, and are no wider than the truth asks for."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.schema import Scale
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.prediction.calibration import FAR, PLAY_BINS, Calibration
from training.evaluation.scores import mean_width
from training.fit.calibration.held_out import HeldOutRows, predict_intervals, share_nearer, thinned
from training.fit.calibration.intervals import calibrate, merged_bins, threshold
from training.fit.calibration.isotonic import Steps

PLAYS, RATED, UNKNOWN = MemberEvidence.PLAYS, MovieEvidence.RATED, MovieEvidence.UNKNOWN
STARS = Scale(1, 5, 4)
Draw = Callable[..., HeldOutRows]


def draw(
    seed: int, count: int, plays: int | None = None, unsure: float = 1.0, far: float = 1.0, centre: float = 3.6
) -> HeldOutRows:
    """Ratings in whole stars, top-heavy, with noise that falls with plays known and grows with the deviation.

    `unsure` scales the noise, `far` that of members beyond the 0.99 of extrapolation.
    """
    random = np.random.default_rng(seed)
    members = count // 20
    member = random.integers(0, members, count)
    play_counts = np.rint(np.exp(random.uniform(0, np.log(400), members))).astype(np.int64)
    shown = play_counts[member] if plays is None else np.full(count, plays)
    deviation = random.uniform(0.7, 1.3, count)
    rating = np.clip(random.normal(centre, 0.6, count), 1, 5)
    extrapolation = random.random(members)[member]
    noise = unsure * deviation * (0.6 + 0.9 / (1 + np.log1p(shown))) * np.where(extrapolation >= 0.99, far, 1)
    truth = np.clip(np.rint(rating + noise * random.normal(size=count)), 1, 5)
    return HeldOutRows(rating, truth, deviation, shown, extrapolation, member, member % 5, np.ones(count))


def calibrated(rows: HeldOutRows, scale: Scale = STARS, steps: Steps | None = None) -> Calibration:
    held = {(PLAYS, movie): rows for movie in MovieEvidence}
    scale_steps = Steps.among(rows.truth) if steps is None else steps
    return calibrate(held, {}, {PLAYS: np.arange(100.0)}, scale, scale_steps)


def read(calibration: Calibration, rows: HeldOutRows, movie: MovieEvidence = RATED, scale: Scale = STARS) -> np.ndarray:
    """(3, N) ends and probabilities."""
    kinds = np.full(len(rows.rating), int(movie))
    return np.stack(
        predict_intervals(calibration, PLAYS, rows.rating, rows.deviation, kinds, rows.plays, rows.extrapolation, scale)
    )


def held(intervals: np.ndarray, rows: HeldOutRows) -> np.ndarray:
    return (rows.truth >= intervals[0]) & (rows.truth <= intervals[1])


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return calibrated(draw(1, 80_000))


@pytest.mark.parametrize("plays", [1, 5, 20, 60, 200])
def test_fresh_ratings_fall_within_the_interval_nine_times_of_ten_however_many_plays_are_known(calibration, plays):
    rows = draw(100 + plays, 6000, plays)
    assert 0.88 < held(read(calibration, rows), rows).mean() < 0.92


def test_the_more_plays_are_known_the_narrower_are_intervals_of_the_same_predictions(calibration):
    rows = draw(2, 4000)
    steps = np.arange(1, 6.0)
    intervals = [read(calibration, replace(rows, plays=np.full(4000, plays))) for plays in PLAY_BINS]
    widths = [mean_width(lower, upper, steps) for lower, upper, _ in intervals]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > widths[-1] + 0.3


def test_where_ratings_pile_up_at_the_top_intervals_are_narrower_than_symmetric_ones():
    fitted, rows, steps = draw(1, 80_000, centre=4.2), draw(3, 6000, centre=4.2), np.arange(1, 6.0)
    reach = np.quantile(np.abs(fitted.truth - fitted.rating) / fitted.deviation, 0.9) * rows.deviation
    symmetric = mean_width(np.clip(rows.rating - reach, 1, 5), np.clip(rows.rating + reach, 1, 5), steps)
    lower, upper, _ = read(calibrated(fitted), rows)
    assert mean_width(lower, upper, steps) < 0.99 * symmetric
    assert 0.88 < held(np.stack([lower, upper]), rows).mean() < 0.92


def test_predictions_that_are_less_sure_have_wider_intervals(calibration):
    rows = draw(4, 4000, 50)
    sure, unsure = (read(calibration, replace(rows, deviation=np.full(4000, value))) for value in (0.75, 1.25))
    assert (unsure[1] - unsure[0]).mean() > (sure[1] - sure[0]).mean() + 0.2


def test_members_far_from_all_raters_get_intervals_that_hold_too():
    fitted = calibrated(draw(5, 200_000, far=2.0))
    rows = draw(6, 30_000, far=2.0)
    rows = rows.take(rows.extrapolation >= FAR[1])
    intervals = read(fitted, rows)
    near = read(fitted, replace(rows, extrapolation=np.full(len(rows.rating), 0.5)))
    assert len(rows.rating) > 200
    assert held(near, rows).mean() < 0.8
    assert held(intervals, rows).mean() > 0.86


def test_far_members_never_have_narrower_intervals():
    fitted = calibrated(draw(5, 100_000, far=0.2))
    rows = draw(6, 2000)
    near, far = (read(fitted, replace(rows, extrapolation=np.full(2000, value))) for value in (0.5, 1.0))
    assert (far[1] - far[0]).mean() >= (near[1] - near[0]).mean()


def test_ends_are_ratings_that_exist_unless_the_prediction_lies_beyond_them(calibration):
    rows = draw(7, 3000)
    lower, upper, _ = read(calibration, rows)
    assert (lower <= rows.rating).all()
    assert (rows.rating <= upper).all()
    assert (np.isin(lower, np.arange(1, 6)) | (lower == rows.rating)).all()
    assert (np.isin(upper, np.arange(1, 6)) | (upper == rows.rating)).all()


def test_ends_and_probabilities_rise_with_the_prediction(calibration):
    rating = np.linspace(1, 5, 900)
    intervals = calibration.reading(PLAYS, 40, 0.2)(rating, np.ones(900), np.full(900, RATED, np.int8), STARS)
    for numbers in intervals:
        assert (np.diff(numbers) >= -1e-12).all()


def test_a_continuous_scale_has_intervals_that_hold_and_are_hardly_wider_than_needed():
    random = np.random.default_rng(8)
    scale, count = Scale(0, 100, 75), 60_000

    def rows(size: int) -> HeldOutRows:
        base = draw(int(random.integers(1000)), size, 50)
        rating = np.clip(random.normal(60, 12, size), 5, 95)
        return replace(base, rating=rating, truth=np.clip(rating + 8 * random.normal(size=size), 0, 100))

    fitted, fresh = calibrated(rows(count), scale), rows(6000)
    intervals = read(fitted, fresh, scale=scale)
    assert 0.88 < held(intervals, fresh).mean() < 0.92
    assert (intervals[1] - intervals[0]).mean() < 1.12 * 2 * 1.645 * 8


def test_a_probability_is_as_often_right_as_it_says(calibration):
    rows = draw(9, 20_000, 50)
    probability = read(calibration, rows)[2]
    for low in (0.1, 0.3, 0.5, 0.7):
        inside = (probability >= low) & (probability < low + 0.2)
        assert np.mean(rows.truth[inside] >= 4) == pytest.approx(probability[inside].mean(), abs=0.04)


def test_the_reach_holds_nine_of_ten_too_and_shrinks_with_plays(calibration):
    reach = [calibration.reach(PLAYS, plays, RATED) for plays in PLAY_BINS]
    assert reach == sorted(reach, reverse=True)
    rows = draw(21, 6000, 50)
    inside = np.abs(rows.truth - rows.rating) <= calibration.reach(PLAYS, 50, RATED) * rows.deviation
    assert 0.88 < inside.mean() < 0.92


def test_each_kind_of_movie_has_its_own():
    both = {(PLAYS, movie): draw(11, 20_000, unsure=1.6 if movie is UNKNOWN else 0.7) for movie in MovieEvidence}
    fitted = calibrate(both, {}, {}, STARS, Steps.among(np.arange(1, 6.0)))
    fresh = {movie: draw(12, 5000, unsure=1.6 if movie is UNKNOWN else 0.7) for movie in (RATED, UNKNOWN)}
    for movie, rows in fresh.items():
        assert 0.88 < held(read(fitted, rows, movie), rows).mean() < 0.92


def test_bins_of_too_few_members_or_rows_are_merged_with_their_smaller_neighbour():
    rows = draw(13, 30_000)
    assert [numbers for numbers, _ in merged_bins(rows)] == [(0,), (1,), (2,), (3,), (4,)]
    few = rows.take((rows.plays >= 10) & ((rows.plays < 30) | (rows.plays >= 100) | (rows.member < 20)))
    groups = merged_bins(few)
    assert [numbers for numbers, _ in groups] == [(0, 1, 2, 3), (4,)]
    assert sum(len(part.rating) for _, part in groups) == len(few.rating)
    assert [numbers for numbers, _ in merged_bins(rows.take(rows.member < 30))] == [(0, 1, 2, 3, 4)]


def test_few_plays_of_heavy_raters_count_where_hardly_any_rater_plays_so_little():
    rows = draw(14, 40_000)
    heavy = rows.take(rows.plays >= 30)
    short = rows.take(rows.plays < 10)
    kinds = {(PLAYS, movie): heavy for movie in MovieEvidence}
    steps, fresh = Steps.among(rows.truth), draw(15, 6000, 1)
    without = calibrate(kinds, {}, {}, STARS, steps)
    with_short = calibrate(kinds, {PLAYS: short}, {}, STARS, steps)
    assert held(read(without, fresh), fresh).mean() < 0.87
    assert 0.88 < held(read(with_short, fresh), fresh).mean() < 0.92


def test_the_threshold_is_that_of_split_conformal_prediction():
    assert threshold(np.array([0.1, 0.3]), np.ones(2)) == 0
    assert threshold(np.arange(1.0, 20), np.ones(19)) == 2
    assert threshold(np.arange(1.0, 10), np.ones(9)) == 1
    assert threshold(np.empty(0), np.empty(0)) == 0


def test_a_row_of_weight_two_counts_like_two_rows():
    score = np.random.default_rng(16).random(500)
    weight = np.where(np.arange(500) < 250, 2.0, 1.0)
    twice = np.concatenate([score, score[:250]])
    assert threshold(score, weight) == pytest.approx(threshold(twice, np.ones(750)), abs=0.01)


def test_many_members_at_once_are_read_as_they_are_served(calibration):
    rows = draw(20, 300)
    intervals = read(calibration, rows)
    for place in range(300):
        row = slice(place, place + 1)
        reading = calibration.reading(PLAYS, int(rows.plays[place]), float(rows.extrapolation[place]))
        served = reading(rows.rating[row], rows.deviation[row], np.array([RATED], np.int8), STARS)
        assert [float(numbers[0]) for numbers in served] == intervals[:, place].tolist()


def test_two_ratings_alone_give_the_whole_scale():
    two = draw(1, 20).take(np.arange(20) < 2)
    lower, upper, _ = read(calibrated(two, steps=Steps.among(np.arange(1, 6.0))), draw(17, 40))
    assert (lower == 1).all()
    assert (upper == 5).all()


def test_extrapolation_is_the_share_of_raters_who_lie_nearer():
    distances = np.random.default_rng(18).gamma(3, size=3000)
    table = thinned(distances)
    assert len(table) == 1000
    fitted = calibrate(
        {(PLAYS, movie): draw(1, 500) for movie in MovieEvidence}, {}, {PLAYS: distances}, STARS,
        Steps.among(np.arange(1, 6.0)),
    )  # fmt: skip
    for distance in (0.0, 1.0, 3.0, 6.0, 1e9):
        extrapolation = fitted.extrapolation(distance, PLAYS)
        assert extrapolation == pytest.approx((distances < distance).mean(), abs=0.005)
        assert extrapolation == share_nearer(np.array([distance]), table)[0]
    assert fitted.extrapolation(-1.0, PLAYS) == 0
    assert fitted.extrapolation(1e9, PLAYS) == 1


def test_members_like_others_in_all_that_is_known_are_as_near_in_single_precision():
    table = thinned(np.repeat([0.0, 0.4], 50))
    fitted = calibrate({(PLAYS, movie): draw(1, 500) for movie in MovieEvidence}, {}, {PLAYS: table}, STARS,
                       Steps.among(np.arange(1, 6.0)))  # fmt: skip
    assert [fitted.extrapolation(distance, PLAYS) for distance in (0.0, 0.0007, 0.3, 0.4001, 0.5)] == [
        0,
        0,
        0.5,
        0.5,
        1,
    ]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.floats(1, 5), st.integers(1, 5), st.integers(0, 4)), min_size=1, max_size=200),
    st.integers(1, 500),
)
def test_whatever_it_is_fitted_to_numbers_stay_within_bounds(rows, plays):
    rating, truth, fold = (np.array(column) for column in zip(*rows, strict=True))
    count = len(rows)
    given_rows = HeldOutRows(
        rating.astype(float), truth.astype(float), np.ones(count), np.full(count, plays), np.full(count, 0.5),
        np.arange(count), fold, np.ones(count),
    )  # fmt: skip
    asked = draw(19, 60)
    lower, upper, probability = read(calibrated(given_rows, steps=Steps.among(np.arange(1, 6.0))), asked)
    assert ((lower >= 1) & (lower <= asked.rating) & (asked.rating <= upper) & (upper <= 5)).all()
    assert ((probability >= 0) & (probability <= 1)).all()
