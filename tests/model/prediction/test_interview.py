"""The movies to ask for: those that narrow the catalogue's intervals most, by the update that ratings then make."""

from dataclasses import replace

import numpy as np
import pytest

from model.facts.evidence import MemberEvidence, MovieEvidence
from model.facts.facts import MemberFacts, Play
from model.prediction.interview import movies_to_ask, probability_seen
from model.prediction.model import Model
from model.prediction.prior.play_probability import shares_of
from model.prediction.prior.rating_update import design_of


@pytest.fixture(scope="module")
def model(small) -> Model:
    return small.model


@pytest.fixture(scope="module")
def member(small) -> MemberFacts:
    """A member with attributes and at least ten plays, none of them rated."""
    ids = small.truth["member_id"].unique(maintain_order=True)
    members = [member for member in map(small.model.members.find, ids) if member is not None]
    return next(each for each in members if len(each.movies) >= 10 and np.isfinite(each.attributes).any())


def mask_of(model: Model, rows) -> np.ndarray:
    mask = np.zeros(len(model.catalogue), bool)
    mask[rows] = True
    return mask


def width_with(model: Model, member: MemberFacts, rows: list[int]) -> float:
    """The width of the catalogue's intervals if the member, whose ratings scatter as others' do, rated movies."""
    evidence = model.prior.usable_evidence(member.without_ratings())
    assert model.prior.usable_evidence(member) is evidence
    prior, view = model.prior, model.view
    design = design_of(prior.movies)
    variance = view.noise + view.variance
    precision = np.linalg.inv(prior.spread[evidence]) + (design[rows].T / variance[rows]) @ design[rows]
    after = np.sqrt(variance + np.einsum("ij,jk,ik->i", design, np.linalg.inv(precision), design))
    seen = probability_seen(model, member, model.state_of(member))
    reach = model.calibration.reach(evidence, len(member.movies), MovieEvidence.RATED)
    return 2 * reach * float(np.sqrt(np.average(after**2, weights=seen)))


def test_the_expected_widths_are_those_that_ratings_of_seen_movies_leave(model, member):
    interview = movies_to_ask(model, member, mask_of(model, member.movies), 8)
    assert interview.member_evidence is MemberEvidence.ATTRIBUTES_AND_PLAYS
    assert (interview.probability_seen == 1).all()
    rows = interview.rows.tolist()
    assert len(set(rows)) == 8
    assert interview.current_width == pytest.approx(width_with(model, member, []))
    widths = [width_with(model, member, rows[: count + 1]) for count in range(8)]
    assert interview.expected_width == pytest.approx(widths)
    assert (np.diff([interview.current_width, *interview.expected_width]) < 0).all()


def test_each_movie_is_the_best_after_those_before(model, member):
    interview = movies_to_ask(model, member, mask_of(model, member.movies), 3)
    before: list[int] = []
    for row, width in zip(interview.rows.tolist(), interview.expected_width.tolist(), strict=True):
        left = set(member.movies.tolist()) - set(before)
        widths = {other: width_with(model, member, [*before, other]) for other in left}
        assert width == pytest.approx(min(widths.values()))
        assert widths[row] == pytest.approx(width)
        before.append(row)


def test_a_movie_counts_by_the_chance_that_it_was_seen(model, member):
    interview = movies_to_ask(model, member, None, len(model.catalogue))
    order = interview.rows.tolist()
    assert sorted(order) == list(range(len(model.catalogue)))
    seen = interview.probability_seen == 1
    assert set(interview.rows[seen]) == set(member.movies)
    alone = movies_to_ask(model, member, mask_of(model, [order[np.flatnonzero(~seen)[0]]]), 1)
    drop = alone.current_width**2 - alone.expected_width[0] ** 2
    certain = alone.current_width**2 - width_with(model, member, alone.rows.tolist()) ** 2
    assert drop == pytest.approx(alone.probability_seen[0] * certain)


def test_what_is_rated_already_is_neither_asked_for_nor_counted_twice(model, member):
    asked = movies_to_ask(model, member, None, 4)
    ratings = [Play(int(row), rating=3.0) for row in asked.rows]
    later = movies_to_ask(model, member.with_plays(ratings, model.schema), None, len(model.catalogue))
    assert later.member_evidence is MemberEvidence.ATTRIBUTES_AND_RATINGS
    assert not set(asked.rows) & set(later.rows)
    assert later.current_width < asked.current_width


def test_members_without_plays_are_asked_for_popular_movies_that_tell_much(model):
    interview = movies_to_ask(model, MemberFacts.nothing(model.schema), None, 5)
    assert interview.member_evidence is MemberEvidence.NOTHING
    share = shares_of(model.prior.columns.squared_weight)
    assert interview.probability_seen.tolist() == share[interview.rows].tolist()
    assert share[interview.rows].mean() > 1.5 * share.mean()


def test_limits(model, member):
    none = movies_to_ask(model, member, mask_of(model, []), 5)
    assert len(none.rows) == len(none.expected_width) == 0
    assert none.current_width > 0
    unable = replace(model, prior=replace(model.prior, rating_weights={}))
    assert len(movies_to_ask(unable, member, None, 5).rows) == 0
    stages: list[str] = []
    movies_to_ask(model, member, None, 5, stages.append)
    assert stages == ["features", "interval"]


def test_ratings_of_the_movies_asked_for_narrow_intervals_more_than_those_of_others(published):
    """Of the predictions themselves, for members who have seen what they are asked for."""
    model, random = published.model, np.random.default_rng(3)
    narrower = {"asked": [], "at random": []}
    share = shares_of(model.prior.columns.squared_weight)
    for member_id in published.truth["member_id"].unique(maintain_order=True).head(150):
        member = model.members.find(member_id)
        if member is None or len(member.movies) < 12:
            continue
        chosen = {
            "asked": movies_to_ask(model, member, mask_of(model, member.movies), 4).rows,
            "at random": random.permutation(member.movies)[:4],
        }
        others = np.setdiff1d(np.arange(len(model.catalogue)), member.movies)
        for way, rows in chosen.items():
            expected = zip(rows.tolist(), model.predict(member, rows.tolist()).rating.tolist(), strict=True)
            rated = member.with_plays([Play(row, rating=rating) for row, rating in expected], model.schema)
            predictions = model.predict(rated, others.tolist())
            narrower[way].append(np.average(predictions.upper - predictions.lower, weights=share[others]))
    assert len(narrower["asked"]) > 50
    assert np.mean(narrower["asked"]) < np.mean(narrower["at random"])


def test_the_chance_to_have_seen_a_movie_is_true_of_plays_that_are_hidden(published):
    """Half of each never-rater's plays are shown: of movies with a chance, that share is among the others."""
    model, random = published.model, np.random.default_rng(4)
    chance, popularity, truth = [], [], []
    share = shares_of(model.prior.columns.squared_weight)
    for member_id in published.truth["member_id"].unique(maintain_order=True).head(300):
        member = model.members.find(member_id)
        if member is None or len(member.movies) < 8:
            continue
        shown = random.random(len(member.movies)) < 0.5
        known = MemberFacts(
            member.attributes, member.movies[shown], member.completion[shown], member.age_days[shown]
        )  # fmt: skip
        if not len(known.movies):
            continue
        hidden = mask_of(model, member.movies[~shown])
        interview = movies_to_ask(model, known, ~mask_of(model, known.movies), 60)
        chance.append(interview.probability_seen)
        popularity.append(share[interview.rows])
        truth.append(hidden[interview.rows])
    chance, popularity, truth = (np.concatenate(parts) for parts in (chance, popularity, truth))
    # the play space was fitted to the hidden plays too, and so makes them likelier than it knows
    assert chance.mean() == pytest.approx(truth.mean(), rel=0.25)
    bins = np.array_split(np.argsort(chance, kind="stable"), 5)
    expected, true = ([values[rows].mean() for rows in bins] for values in (chance, truth))
    assert np.abs(np.subtract(expected, true)).max() < 0.1
    assert true == sorted(true)
    errors = [np.mean((values - truth) ** 2) for values in (chance, popularity)]
    assert errors[0] < errors[1], "plays say more than popularity"
