"""Predictions of never-raters recover the planted truth of the sample."""

from collections import defaultdict
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from model.facts.evidence import MemberEvidence, MovieEvidence
from model.facts.facts import MemberFacts, Play

NUMBERS = ("rating", "lower", "upper", "probability_enjoyed", "prior_rating", "extrapolation")


@pytest.fixture(scope="module")
def judged(published) -> pl.DataFrame:
    """The truth with a prediction of each pair, by what the table of members holds, and with the movies' means."""
    model, ratings = published.model, published.tables.ratings
    columns = defaultdict(list)
    for (member_id,), rows in published.truth.group_by("member_id", maintain_order=True):
        facts = model.members.find(member_id) or MemberFacts.nothing(model.schema)
        predictions = model.predict(facts, [model.catalogue.row(movie_id) for movie_id in rows["movie_id"]])
        for name in NUMBERS:
            columns[name].append(getattr(predictions, name))
        columns["movie_evidence"].append(predictions.movie_evidence)
        columns["evidence"].append(np.full(len(rows), int(predictions.member_evidence)))
    mean = ratings["rating"].mean()
    means = ratings.group_by("movie_id").agg(movie_mean=(pl.col("rating").sum() + 5 * mean) / (pl.len() + 5))
    truth = published.truth.rename({"rating": "would_rate"})
    rows = truth.with_columns(**{name: pl.Series(np.concatenate(parts)) for name, parts in columns.items()})
    rows = rows.join(means, on="movie_id", how="left", maintain_order="left")
    return rows.with_columns(pl.col("movie_mean").fill_null(mean))


def correlation(rows: pl.DataFrame, column: str) -> float:
    return rows.select(pl.corr(column, "enjoyment")).item()


def error(rows: pl.DataFrame, column: str) -> float:
    return rows.select(((pl.col(column) - pl.col("enjoyment")) ** 2).mean().sqrt()).item()


def test_predictions_follow_the_truth_and_clearly_better_than_movie_means(judged):
    assert correlation(judged, "rating") >= 0.6
    assert correlation(judged, "rating") >= correlation(judged, "movie_mean") + 0.1
    assert error(judged, "rating") < 0.85 * error(judged, "movie_mean")


@pytest.mark.parametrize(
    ("evidence", "gain"),
    [
        (MemberEvidence.NOTHING, -0.02),
        (MemberEvidence.ATTRIBUTES, 0.07),
        (MemberEvidence.PLAYS, 0.13),
        (MemberEvidence.ATTRIBUTES_AND_PLAYS, 0.15),
    ],
)
def test_each_kind_of_evidence_is_worth_something(judged, evidence, gain):
    rows = judged.filter(pl.col("evidence") == int(evidence))
    assert len(rows) >= 400
    assert correlation(rows, "rating") >= correlation(rows, "movie_mean") + gain


def test_more_evidence_gives_better_predictions(judged):
    kinds = (MemberEvidence.NOTHING, MemberEvidence.ATTRIBUTES, MemberEvidence.ATTRIBUTES_AND_PLAYS)
    correlations = [correlation(judged.filter(pl.col("evidence") == int(kind)), "rating") for kind in kinds]
    assert correlations == sorted(correlations)


def test_movies_that_nobody_rated_are_predicted_from_their_description(judged):
    """Better than the mean of all ratings, which is all that movie means have to say of them."""
    rows = judged.filter(pl.col("movie_evidence") == int(MovieEvidence.DESCRIBED))
    assert len(rows) >= 300
    assert correlation(rows, "rating") > 0.3
    assert error(rows, "rating") < error(rows, "movie_mean")


def test_the_probability_rises_with_what_is_truly_felt(judged):
    assert correlation(judged, "probability_enjoyed") > 0.55


def test_intervals_hold_what_members_would_rate(judged):
    """Of movies that members chose to play, as raters chose those that the intervals are learned from."""
    rows = judged.filter("played")
    held = rows.select(pl.col("would_rate").is_between("lower", "upper").mean()).item()
    assert len(rows) > 1000
    assert 0.87 < held < 0.93


def test_every_number_is_within_its_bounds(judged):
    assert np.isfinite(judged.select(NUMBERS).to_numpy()).all()
    assert (
        judged.select(pl.col("lower", "upper", "rating", "prior_rating").is_between(1, 5).all()).row(0) == (True,) * 4
    )
    assert judged.select(((pl.col("lower") <= pl.col("rating")) & (pl.col("rating") <= pl.col("upper"))).all()).item()
    assert judged.select(pl.col("probability_enjoyed", "extrapolation").is_between(0, 1).all()).row(0) == (True, True)


PLAYS_KNOWN = (0, 1, 3, 10, 30, None)
"""None: all of them."""


@pytest.fixture(scope="module")
def by_plays(published) -> dict[int | None, dict[str, float]]:
    """Error and width of predictions of the same movies that never-raters chose, with so many of their plays known."""
    model, random = published.model, np.random.default_rng(5)
    errors_and_widths: dict[int | None, list[np.ndarray]] = defaultdict(list)
    for (member_id,), rows in published.truth.filter("played").group_by("member_id", maintain_order=True):
        facts = model.members.find(member_id)
        if facts is None or len(facts.movies) < 40:
            continue
        order = random.permutation(len(facts.movies))
        asked = [model.catalogue.row(movie_id) for movie_id in rows["movie_id"]]
        for known in PLAYS_KNOWN:
            some = np.sort(order[:known])
            shown = MemberFacts(facts.attributes, facts.movies[some], facts.completion[some], facts.age_days[some])
            predictions = model.predict(shown, asked)
            errors_and_widths[known].append(
                np.stack([predictions.rating - rows["enjoyment"].to_numpy(), predictions.upper - predictions.lower])
            )
    each = {known: np.concatenate(parts, axis=1) for known, parts in errors_and_widths.items()}
    assert each[0].shape[1] > 1000
    return {known: {"rmse": np.sqrt((parts[0] ** 2).mean()), "width": parts[1].mean()} for known, parts in each.items()}


def test_the_error_falls_with_every_further_play_known(by_plays):
    errors = [by_plays[known]["rmse"] for known in PLAYS_KNOWN]
    # What one play tells is learned from the few who are seen with so few, and may be next to nothing.
    assert errors[1] < 1.015 * errors[0], errors
    assert all(later < 1.005 * earlier for earlier, later in pairwise(errors[1:])), errors
    assert errors[-1] < 0.9 * errors[0]


RATINGS_KNOWN = (0, 1, 3, 10, 20)


@pytest.fixture(scope="module")
def by_ratings(published) -> dict[int, dict[str, float]]:
    """Error, width and coverage of predictions of the same movies as never-raters begin to rate others."""
    model = published.model
    parts: dict[int, list[np.ndarray]] = defaultdict(list)
    for (member_id,), rows in published.truth.group_by("member_id", maintain_order=True):
        facts = model.members.find(member_id) or MemberFacts.nothing(model.schema)
        felt, movies = rows["enjoyment"].to_numpy(), [model.catalogue.row(movie_id) for movie_id in rows["movie_id"]]
        given = rows["rating"].to_numpy()
        rated = [Play(movie, rating=rating) for movie, rating in zip(movies, given.tolist(), strict=True)]
        for known in RATINGS_KNOWN:
            predictions = model.predict(facts.with_plays(rated[:known], model.schema), movies[20:])
            held = (predictions.lower <= given[20:]) & (given[20:] <= predictions.upper)
            width = predictions.upper - predictions.lower
            parts[known].append(np.stack([predictions.rating - felt[20:], width, held, rows["played"][20:]]))
    each = {known: np.concatenate(columns, axis=1) for known, columns in parts.items()}
    assert each[0].shape[1] > 5000
    return {
        known: {
            "rmse": np.sqrt((columns[0] ** 2).mean()),
            "width": columns[1].mean(),
            "coverage": columns[2][columns[3] > 0].mean(),
        }
        for known, columns in each.items()
    }


def test_the_error_falls_with_every_further_rating_known(by_ratings):
    errors = [by_ratings[known]["rmse"] for known in RATINGS_KNOWN]
    assert errors == sorted(errors, reverse=True), errors
    assert errors[-1] < 0.85 * errors[0]


@pytest.fixture(scope="module")
def one_rating(published) -> pl.DataFrame:
    """Squared errors of predictions without ratings, and with each of five alone, by what was known before."""
    model, columns = published.model, defaultdict(list)
    for (member_id,), rows in published.truth.group_by("member_id", maintain_order=True):
        facts = model.members.find(member_id) or MemberFacts.nothing(model.schema)
        felt, movies = rows["enjoyment"].to_numpy(), [model.catalogue.row(movie_id) for movie_id in rows["movie_id"]]
        without = model.predict(facts, movies[20:])
        for movie, rating in zip(movies[:5], rows["rating"][:5].to_list(), strict=True):
            rated = facts.with_plays([Play(movie, rating=rating)], model.schema)
            columns["with_rating"].append((model.predict(rated, movies[20:]).rating - felt[20:]) ** 2)
            columns["without"].append((without.rating - felt[20:]) ** 2)
            columns["evidence"].append(np.full(len(felt) - 20, int(without.member_evidence)))
    return pl.DataFrame({name: np.concatenate(parts) for name, parts in columns.items()})


@pytest.mark.parametrize("evidence", [kind for kind in MemberEvidence if not kind.has_ratings])
def test_one_rating_is_never_worse_than_none_in_the_mean(one_rating, evidence):
    rows = one_rating.filter(pl.col("evidence") == int(evidence))
    assert len(rows) >= 1000
    assert rows["with_rating"].mean() < rows["without"].mean()


def test_intervals_narrow_with_further_ratings_and_hold_all_the_same(by_ratings):
    """Of movies that members chose to play, as above."""
    widths = [by_ratings[known]["width"] for known in RATINGS_KNOWN]
    assert all(later < 1.02 * earlier for earlier, later in pairwise(widths)), widths
    assert widths[-1] < 0.95 * widths[0]
    assert all(0.86 < by_ratings[known]["coverage"] < 0.94 for known in RATINGS_KNOWN), by_ratings


def test_intervals_are_narrower_where_more_is_known(by_plays, judged):
    widths = [by_plays[known]["width"] for known in PLAYS_KNOWN]
    assert widths[-1] < min(widths[:3])
    # Where few held-out members had so few plays, the quantile that must hold 90 % of them is itself uncertain.
    assert all(later < 1.05 * earlier for earlier, later in pairwise(widths)), widths
    kinds = (MemberEvidence.NOTHING, MemberEvidence.ATTRIBUTES, MemberEvidence.ATTRIBUTES_AND_PLAYS)
    of_kinds = [
        judged.filter(pl.col("evidence") == int(kind)).select((pl.col("upper") - pl.col("lower")).mean()).item()
        for kind in kinds
    ]
    assert of_kinds == sorted(of_kinds, reverse=True)
