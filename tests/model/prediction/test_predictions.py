"""What a published model promises of its predictions, rankings and explanations, whoever asks and however."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from features.values.attribute_value import encode_attribute
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.facts.facts import MemberFacts, MovieFacts, Play
from model.prediction.predictions import ARRAYS, GROUPS, Predictions


@pytest.fixture(scope="module")
def model(published):
    return published.model


@pytest.fixture(scope="module")
def members(published) -> dict[MemberEvidence, MemberFacts]:
    """One member of each kind of evidence; those with ratings rated every other movie that they played."""
    model, by_kind = published.model, {MemberEvidence.NOTHING: MemberFacts.nothing(published.model.schema)}
    for member_id in published.truth["member_id"].unique(maintain_order=True):
        facts = model.members.find(member_id)
        if facts is not None:
            by_kind.setdefault(model.prior.usable_evidence(facts), facts)
    for kind in (MemberEvidence.PLAYS, MemberEvidence.ATTRIBUTES_AND_PLAYS):
        by_kind[kind.with_ratings] = begins_to_rate(model, by_kind[kind])
    assert {model.prior.usable_evidence(facts) for facts in by_kind.values()} == set(MemberEvidence)
    return by_kind


def begins_to_rate(model, facts: MemberFacts) -> MemberFacts:
    rated = [Play(movie, rating=1.0 + place % 5) for place, movie in enumerate(facts.movies[::2].tolist())]
    return facts.with_plays(rated, model.schema)


@pytest.fixture(scope="module", params=list(MemberEvidence), ids=lambda kind: kind.name.lower())
def member(request, members) -> MemberFacts:
    return members[request.param]


@pytest.fixture(scope="module")
def described(model) -> MovieFacts:
    return MovieFacts.of(model.schema, 1999, ["Drama", "War"], {0: 1.0})


@pytest.fixture(scope="module")
def movies(model, described) -> list:
    """Rated, unrated, described and unknown movies."""
    unrated = np.flatnonzero(~model.catalogue.rated)[:3].tolist()
    only_year = MovieFacts.of(model.schema, 1935, None, {})
    return [*range(40), *unrated, described, None, only_year, MovieFacts.of(model.schema, None, ["Horror"], {})]


def same(given: Predictions, other: Predictions) -> bool:
    return all(getattr(given, name).tobytes() == getattr(other, name).tobytes() for name in ARRAYS)


def all_rows(model) -> list[int]:
    return list(range(len(model.catalogue)))


def test_every_number_is_finite_and_within_its_bounds(model, member, movies):
    predictions, scale = model.predict(member, movies), model.schema.scale
    for name in ARRAYS:
        assert len(getattr(predictions, name)) == len(movies)
        assert np.isfinite(getattr(predictions, name)).all()
    for name in ("rating", "lower", "upper", "prior_rating"):
        assert ((getattr(predictions, name) >= scale.low) & (getattr(predictions, name) <= scale.high)).all()
    assert (predictions.lower <= predictions.rating).all()
    assert (predictions.rating <= predictions.upper).all()
    for name in ("probability_enjoyed", "extrapolation"):
        assert ((getattr(predictions, name) >= 0) & (getattr(predictions, name) <= 1)).all()


def test_each_movie_says_what_is_known_of_it(model, members, described):
    unrated = int(np.flatnonzero(~model.catalogue.rated & model.catalogue.described)[0])
    rated = int(np.flatnonzero(model.catalogue.rated)[0])
    nothing_given = MovieFacts.of(model.schema, None, ["no such genre"], {})
    predictions = model.predict(members[MemberEvidence.PLAYS], [rated, unrated, described, None, nothing_given])
    kinds = [MovieEvidence.RATED, MovieEvidence.DESCRIBED, MovieEvidence.DESCRIBED, *[MovieEvidence.UNKNOWN] * 2]
    assert predictions.movie_evidence.tolist() == kinds
    assert predictions.rating[3] == predictions.rating[4]


def test_the_evidence_is_that_of_the_member(model, members):
    for kind, facts in members.items():
        assert model.predict(facts, [0]).member_evidence is kind


def test_asking_together_and_one_by_one_gives_the_same_bits(model, member, movies):
    together = model.predict(member, movies)
    apart = Predictions.join([model.predict(member, [movie]) for movie in movies], together.member_evidence)
    assert same(together, apart)


def test_the_order_of_movies_does_not_matter(model, member, movies):
    order = np.random.default_rng(2).permutation(len(movies))
    turned = model.predict(member, [movies[place] for place in order])
    assert same(turned, model.predict(member, movies).take(order))


def test_asking_from_many_threads_gives_the_same_bits(model, member, movies):
    expected = model.predict(member, movies)
    with ThreadPoolExecutor(4) as pool:
        assert all(
            same(expected, predictions) for predictions in pool.map(lambda _: model.predict(member, movies), range(12))
        )


def test_the_order_of_plays_does_not_matter(model):
    random = np.random.default_rng(3)
    plays = [Play(movie, random.random(), 1.6e9 + 1e7 * random.random()) for movie in random.permutation(250)[:30]]
    nothing = MemberFacts.nothing(model.schema)
    together = nothing.with_plays(plays, model.schema)
    bit_by_bit = nothing
    for place in random.permutation(len(plays)):
        bit_by_bit = bit_by_bit.with_plays([plays[place]], model.schema)
    assert same(model.predict(together, all_rows(model)), model.predict(bit_by_bit, all_rows(model)))


def test_the_order_of_attributes_does_not_matter(model, members):
    values = dict(enumerate(members[MemberEvidence.ATTRIBUTES].attributes.tolist()))
    nothing = MemberFacts.nothing(model.schema)
    ordered, reverse = (nothing.with_attributes(given) for given in (values, dict(reversed(values.items()))))
    assert same(model.predict(ordered, all_rows(model)), model.predict(reverse, all_rows(model)))


def test_a_played_movie_is_answered_as_if_it_had_not_been_played(model, members):
    for kind in filter(lambda kind: kind.has_plays, MemberEvidence):
        facts = members[kind]
        assert len(facts.movies) > 5
        asked = [*facts.movies[:5].tolist(), *range(5), None]
        predictions = model.predict(facts, asked)
        for place, movie in enumerate(asked):
            without = facts if movie is None else facts.without(movie)
            alone = predictions.take(np.array([place]))
            assert same(alone, model.predict(without, [movie]))


def test_a_rated_movie_is_answered_as_if_it_had_been_neither_played_nor_rated(model, members):
    facts = members[MemberEvidence.RATINGS]
    for movie in facts.ratings.movies[:5].tolist():
        without = facts.without(movie)
        assert movie not in without.movies
        assert movie not in without.ratings.movies
        assert same(model.predict(facts, [movie]), model.predict(without, [movie]))


def test_the_order_of_ratings_does_not_matter(model):
    random = np.random.default_rng(4)
    plays = [Play(movie, rating=float(random.integers(1, 6))) for movie in random.permutation(250)[:30]]
    nothing = MemberFacts.nothing(model.schema)
    together, bit_by_bit = nothing.with_plays(plays, model.schema), nothing
    for place in random.permutation(len(plays)):
        bit_by_bit = bit_by_bit.with_plays([plays[place]], model.schema)
    assert same(model.predict(together, all_rows(model)), model.predict(bit_by_bit, all_rows(model)))


def test_the_only_rating_of_a_member_leaves_nothing_when_its_movie_is_asked_for(model):
    nothing = MemberFacts.nothing(model.schema)
    one_rating = nothing.with_plays([Play(7, rating=5.0)], model.schema)
    predictions = model.predict(one_rating, [7, 8])
    assert predictions.member_evidence is MemberEvidence.RATINGS
    assert same(predictions.take(np.array([0])), model.predict(nothing, [7]))
    assert not same(predictions.take(np.array([1])), model.predict(one_rating.without_ratings(), [8]))


def test_who_rates_high_is_predicted_higher_than_who_rates_low(model):
    nothing, rows = MemberFacts.nothing(model.schema), list(range(30))
    ratings = []
    for rating in (1.0, 3.0, 5.0):
        facts = nothing.with_plays([Play(row, rating=rating) for row in rows], model.schema)
        ratings.append(model.predict(facts, all_rows(model)[30:]).rating.mean())
    assert ratings[0] + 0.5 < ratings[1] < ratings[2] - 0.1


def test_the_only_play_of_a_member_leaves_nothing_when_it_is_asked_for(model):
    nothing = MemberFacts.nothing(model.schema)
    one_play = nothing.with_plays([Play(7)], model.schema)
    assert same(model.predict(one_play, [7]), model.predict(nothing, [7]))


def test_more_plays_of_the_same_kind_change_the_prediction(model, members):
    """Else all that is said of plays would be true of a model that looks at none."""
    ratings = [model.predict(facts, all_rows(model)).rating for facts in members.values()]
    assert all(np.abs(ratings[0] - other).max() > 0.2 for other in ratings[1:])


def test_rankings_leave_out_what_was_played_and_equal_predictions(model, member):
    rows, ranked = model.rank(member)
    assert sorted([*rows, *member.movies]) == all_rows(model)
    assert (np.diff(ranked.rating) <= 0).all()
    assert same(ranked, model.predict(member, rows.tolist()))


def test_equal_ratings_are_ranked_in_the_order_of_the_catalogue(model, members):
    rows, ranked = model.rank(members[MemberEvidence.NOTHING])
    equal = np.diff(ranked.rating) == 0
    assert (np.diff(rows)[equal] > 0).all()


def test_a_ranking_of_some_movies_is_part_of_the_ranking_of_all(model, member):
    allowed = np.arange(len(model.catalogue)) % 3 == 0
    some, predictions = model.rank(member, allowed)
    rows, everything = model.rank(member)
    kept = np.flatnonzero(allowed[rows])
    assert (rows[kept] == some).all()
    assert same(everything.take(kept), predictions)
    none, empty = model.rank(member, np.zeros(len(model.catalogue), bool))
    assert len(none) == len(empty.rating) == 0


def test_the_parts_of_an_explanation_sum_to_the_rating(model, member, movies):
    scale = model.schema.scale
    for movie in movies[::3]:
        explanation = model.explain(member, movie)
        assert [part.group for part in explanation.parts] == list(GROUPS)
        assert sum(part.rating for part in explanation.parts) == pytest.approx(explanation.rating_before_cut, abs=1e-9)
        cut = np.clip(explanation.rating_before_cut, scale.low, scale.high)
        assert explanation.predictions.rating[0] == pytest.approx(cut, abs=1e-6)
        assert same(explanation.predictions, model.predict(member, [movie]))


def test_what_is_not_known_adds_no_part_of_its_own(model, members):
    for kind, facts in members.items():
        parts = {part.group: part.rating for part in model.explain(facts, 3).parts}
        if not kind.has_plays:
            assert parts["taste_from_plays"] == 0
        if not kind.has_attributes:
            assert parts["taste_from_attributes"] == 0
            assert kind.has_plays or parts["generosity"] == model.prior.average_member[-1]
        assert (parts["taste_from_ratings"] != 0) == kind.has_ratings
        if kind is MemberEvidence.ATTRIBUTES_AND_PLAYS:
            assert parts["taste_from_plays"] != 0 != parts["taste_from_attributes"]


def test_an_unseen_category_counts_as_other_or_as_not_known(model, members):
    facts, schema = members[MemberEvidence.ATTRIBUTES], model.schema
    place, region = next(pair for pair in enumerate(schema.member_attributes) if pair[1].name == "region")
    assert region.has_other
    unseen = facts.with_attributes({place: encode_attribute(region, "the moon")})
    other = facts.with_attributes({place: float(len(region.categories))})
    assert same(model.predict(unseen, all_rows(model)), model.predict(other, all_rows(model)))
    place, gender = next(pair for pair in enumerate(schema.member_attributes) if pair[1].name == "has_children")
    assert not gender.has_other
    unseen = facts.with_attributes({place: encode_attribute(gender, "perhaps")})
    unknown = facts.with_attributes({place: float("nan")})
    assert same(model.predict(unseen, all_rows(model)), model.predict(unknown, all_rows(model)))


def test_a_member_unlike_all_raters_is_extrapolated(model, members):
    usual = members[MemberEvidence.ATTRIBUTES_AND_PLAYS]
    everything = np.arange(len(model.catalogue), dtype=np.int32)
    none = np.full(len(everything), np.nan, np.float32)
    strange = MemberFacts(usual.attributes, everything, none, none)
    extrapolations = [model.predict(facts, [None]).extrapolation[0] for facts in (usual, strange)]
    assert 0 <= extrapolations[0] < 0.9
    assert extrapolations[1] > 0.95
    assert model.predict(members[MemberEvidence.NOTHING], [0]).extrapolation[0] == 0


def test_numbers_out_of_all_bounds_still_give_ratings_of_the_scale(model, members):
    facts = members[MemberEvidence.ATTRIBUTES_AND_PLAYS]
    ages = [place for place, attribute in enumerate(model.schema.member_attributes) if attribute.kind == "numeric"]
    for value in (1e30, -1e30):
        predictions = model.predict(facts.with_attributes(dict.fromkeys(ages, value)), all_rows(model))
        assert np.isfinite(predictions.rating).all()
        assert ((predictions.rating >= 1) & (predictions.rating <= 5)).all()
    far = replace(facts, age_days=np.full(len(facts.movies), 1e9, np.float32))
    assert np.isfinite(model.predict(far, all_rows(model)).rating).all()
    strange = MovieFacts.of(model.schema, 1e9, None, {})
    assert np.isfinite(model.predict(facts, [strange]).rating).all()


def test_each_stage_is_reported_as_it_ends(model, members):
    stages: list[str] = []
    model.predict(members[MemberEvidence.PLAYS], [None], stages.append)
    assert stages == ["features", "prior", "trees", "interval"]
    stages.clear()
    model.rank(members[MemberEvidence.PLAYS], finished=stages.append)
    assert stages == ["features", "prior", "trees", "interval"]
