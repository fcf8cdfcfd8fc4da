"""Members who have begun to rate: predicted out of fold better than before, by the very update that serves."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from features.attributes import Coder
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.facts.facts import MemberFacts, Play
from model.prediction.calibration import PLAY_BINS, bins_of
from model.prediction.prior.prior import rating_of
from model.prediction.prior.rating_update import FactorErrors, Movies, Rated, update_by_ratings
from training.data.never_rater_views import ShownRatings, show_ratings
from training.fit.out_of_fold_targets import OutOfFoldTargets
from training.fit.rating_updates import RatingUpdates, fit_rating_updates

RATED = MovieEvidence.RATED
KINDS = (MemberEvidence.RATINGS, MemberEvidence.ATTRIBUTES_AND_RATINGS)


@pytest.fixture(scope="module")
def shown(small_fit) -> ShownRatings:
    return show_ratings(small_fit.table.views, np.random.default_rng(1))


@pytest.fixture(scope="module")
def updates(small_fit, small_targets, shown) -> RatingUpdates:
    random = np.random.default_rng(2)
    return fit_rating_updates(small_targets, small_fit.table, shown, small_fit.predictions, random)


@pytest.fixture(scope="module")
def small_targets(small_fit, passes) -> OutOfFoldTargets:
    table = small_fit.table
    return OutOfFoldTargets(passes, small_fit.folded, table, table.out_of_fold.fitted[0], None)


@pytest.mark.parametrize("kind", KINDS)
def test_every_fit_has_predictions_with_ratings_that_are_better_than_those_without(small_fit, kind):
    with_ratings, without = small_fit.with_ratings[kind, RATED], small_fit.predictions[kind.without_ratings, RATED]
    place = {pair: row for row, pair in enumerate(zip(without.rows.view, without.rows.movie, strict=True))}
    same = [place[pair] for pair in zip(with_ratings.rows.view, with_ratings.rows.movie, strict=True)]
    truth = with_ratings.rows.rating
    assert (truth == without.rows.rating[same]).all()
    errors = [np.sqrt(np.mean((rating - truth) ** 2)) for rating in (with_ratings.rating, without.rating[same])]
    assert errors[0] < 0.97 * errors[1]
    assert (with_ratings.deviation < without.deviation[same]).all()
    assert (with_ratings.plays > 0).all()
    assert (with_ratings.rows.evidence == int(kind)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_more_ratings_count_more(small_fit, kind):
    predictions = small_fit.with_ratings[kind, RATED]
    bins = bins_of(predictions.plays)
    deviations = [predictions.deviation[bins == number].mean() for number in np.unique(bins)]
    assert len(deviations) >= 3
    assert deviations == sorted(deviations, reverse=True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_weights_of_the_update_are_served(small_fit, kind):
    weights = small_fit.core.prior.rating_weights[kind]
    assert weights.shape == (len(PLAY_BINS), 2)
    assert ((weights >= 0) & (weights <= 1)).all()
    assert (weights[:, 0] > 0.5).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_update_out_of_fold_is_the_one_that_serves(small_fit, small_targets, shown, updates, kind):
    """By the prior of the member's fold, and the offsets fitted without it."""
    table, before = small_fit.table, small_fit.predictions[kind.without_ratings, RATED]
    before = before.take(shown.counts[before.rows.view] > 0)
    after, schema, views = updates.apply(before), table.data.schema, table.views
    for place in range(0, len(before.rows), len(before.rows) // 25):
        view = int(before.rows.view[place])
        prior = table.out_of_fold.fitted[table.out_of_fold.fold[view]].prior
        plays = views.plays.filter(pl.col("view") == view)
        columns = (plays[name].cast(pl.Float32).fill_null(np.nan).to_numpy() for name in ("completion", "age_days"))
        facts = MemberFacts(views.attributes[view], plays["movie"].to_numpy(), *columns)
        own = slice(shown.starts[view], shown.starts[view + 1])
        ratings = zip(shown.movie[own].tolist(), shown.rating[own].tolist(), strict=True)
        facts = facts.with_plays([Play(movie, rating=rating) for movie, rating in ratings], schema)
        taste, _ = prior.taste_of([facts], kind.without_ratings, Coder(schema.member_attributes))
        rated = facts.ratings.movies
        rows = before.rows.take(np.full(len(rated), place))
        offsets = small_targets.movie_offsets(replace(rows, movie=rated.astype(np.int64)), table)
        factors = prior.movies[rated]
        residual = facts.ratings.values - prior.mean - rating_of(taste.factors, factors) - offsets
        weights = updates.weights[kind][bins_of(np.array([len(rated)]))]
        direction = table.movies[table.out_of_fold.fold[view]].direction
        movies = Movies(prior.movies, direction, prior.movie_noise, prior.movie_variance)
        own = Rated(Movies(*(column[rated] for column in movies)), residual)
        errors = FactorErrors.of(prior.spread[kind.without_ratings], prior.noise_spread)
        served = update_by_ratings(errors, own, np.array([len(rated)]), weights)
        asked = before.rows.movie[[place]]
        movie = Movies(*(column[asked] for column in movies))
        assert after.rating[place] - before.rating[place] == pytest.approx(served.rating(movie)[0], abs=1e-3)
        deviation = served.deviation(before.deviation[[place]], movie)
        assert after.deviation[place] == pytest.approx(deviation[0], abs=1e-6)
