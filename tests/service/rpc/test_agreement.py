"""One truth: every RPC gives the same numbers for the same member and movie."""

import pytest

from coldstart_client.v1 import enjoyment_service_pb2 as pb


@pytest.fixture(scope="module", params=["by id", "inline", "nobody", "with ratings"])
def member(request, world):
    member_id = world.some_members(1)[0]
    rated = [pb.Rating(movie_id=movie_id, rating=2) for movie_id in world.movie_ids[:3]]
    return {
        "by id": pb.Member(member_id=member_id),
        "inline": world.facts(member_id),
        "nobody": pb.Member(),
        "with ratings": pb.Member(member_id=member_id, ratings=rated),
    }[request.param]


@pytest.fixture(scope="module")
def predicted(world, member):
    return {each.movie_id: each for each in world.predict(member, *world.movie_ids).predictions}


def test_a_stream_gives_the_same_predictions(world, member, predicted):
    request = pb.PredictEnjoymentRequest(member=member, movie_ids=world.movie_ids)
    [answer] = world.stub.StreamPredictEnjoyment(iter([request]))
    assert list(answer.predictions) == list(predicted.values())


def test_a_ranking_gives_the_same_predictions(world, member, predicted):
    answer = world.stub.RankMovies(pb.RankMoviesRequest(member=member, page_size=1000))
    assert len(answer.predictions) > 20
    assert all(each == predicted[each.movie_id] for each in answer.predictions)


def test_explanations_give_the_same_predictions(world, member, predicted):
    for movie_id in world.movie_ids[:15]:
        answer = world.stub.ExplainEnjoyment(pb.ExplainEnjoymentRequest(member=member, movie_id=movie_id))
        assert answer.prediction == predicted[movie_id]


def test_all_tell_the_same_evidence_and_version(world, member):
    movie_id = world.movie_ids[0]
    answers = [
        world.predict(member, movie_id),
        world.stub.RankMovies(pb.RankMoviesRequest(member=member)),
        world.stub.ExplainEnjoyment(pb.ExplainEnjoymentRequest(member=member, movie_id=movie_id)),
    ]
    assert len({answer.member_evidence for answer in answers}) == 1
    assert {answer.model_version for answer in answers} == {world.versions[0]}
