"""ExplainEnjoyment: the parts of a prediction."""

import pytest

from coldstart_client.v1 import enjoyment_service_pb2 as pb


def explain(world, **fields):
    return world.stub.ExplainEnjoyment(pb.ExplainEnjoymentRequest(**fields))


def test_the_parts_sum_to_the_rating_before_it_is_cut_to_the_scale(world):
    scale = world.stub.GetModel(pb.GetModelRequest()).scale
    seen = set()
    new = pb.Movie(movie_id="new", release_year=1999, genres=["Drama"])
    for member_id in ("nobody", *world.some_members(2)):
        movie_ids = [*world.movie_ids[:8], *world.unrated[:2], *world.played(member_id)[:1], "nowhere"]
        for movie in [*({"movie_id": movie_id} for movie_id in movie_ids), {"new_movie": new}]:
            answer = explain(world, member=pb.Member(member_id=member_id), **movie)
            seen.add((answer.member_evidence, answer.prediction.movie_evidence))
            assert sum(part.rating for part in answer.parts) == pytest.approx(answer.rating_before_cut, abs=1e-6)
            cut = min(max(answer.rating_before_cut, scale.low), scale.high)
            assert answer.prediction.rating == pytest.approx(cut, abs=1e-6)
    assert len(seen) == 4 * 3, "every kind of evidence of members and of movies"


def test_the_evidence_is_that_of_a_prediction_whatever_of_it_is_taken_out(world):
    """Also where the movie asked for is all that the member played, and where it is described."""
    for movie_id in (world.movie_ids[0], world.unrated[0], "new"):
        for member in (
            pb.Member(plays=[pb.Play(movie_id=movie_id)]),
            pb.Member(plays=[pb.Play(movie_id=movie_id)], attributes={"age": pb.AttributeValue(number=30)}),
        ):
            movie = pb.Movie(movie_id=movie_id, release_year=1999)
            explained = explain(world, member=member, new_movie=movie)
            predicted = world.predict(member, new=[movie])
            assert explained.member_evidence == predicted.member_evidence
            assert explained.prediction == predicted.predictions[0]


def test_every_part_has_a_name_of_its_own_and_a_sentence(world):
    parts = explain(world, movie_id=world.movie_ids[0]).parts
    assert len({part.group for part in parts}) == len(parts) > 1
    assert all(part.description.endswith(".") for part in parts)


def test_what_is_not_known_of_a_member_adds_nothing(world):
    movie_id = world.movie_ids[0]
    parts = {part.group: part.rating for part in explain(world, movie_id=movie_id).parts}
    assert parts["taste_from_plays"] == 0


def test_a_described_movie_is_explained_as_it_is_predicted(world):
    movie = pb.Movie(movie_id="new", release_year=1999, genres=["Drama", "Slapstick"])
    answer = explain(world, new_movie=movie)
    assert answer.prediction == world.predict(None, new=[movie]).predictions[0]
    assert answer.unused.unknown_genres == 1


def test_an_unknown_movie_is_explained_too(world):
    answer = explain(world, movie_id="nowhere")
    assert answer.prediction.movie_evidence == pb.MOVIE_EVIDENCE_UNKNOWN
    assert answer.prediction == world.predict(None, "nowhere").predictions[0]


def test_the_fact_to_ask_next_is_named_where_that_is_wanted(world):
    """It is one that isn't known yet, and expected to narrow the interval that the prediction has."""
    attributes = {each.name for each in world.stub.GetModel(pb.GetModelRequest()).member_attributes}
    suggested = set()
    for member_id in ("nobody", *world.some_members(2)):
        facts = world.facts(member_id)
        for movie_id in [*world.movie_ids[:8], world.unrated[0], "nowhere"]:
            answer = explain(world, member=facts, movie_id=movie_id, suggest_next_fact=True)
            assert not explain(world, member=facts, movie_id=movie_id).HasField("next_fact")
            if not answer.HasField("next_fact"):
                continue
            fact, prediction = answer.next_fact, answer.prediction
            assert fact.current_width == pytest.approx(prediction.upper - prediction.lower)
            assert 0 < fact.expected_width < fact.current_width
            assert fact.plays or fact.attribute in attributes - set(facts.attributes)
            suggested.add(fact.attribute or "plays")
    assert suggested
