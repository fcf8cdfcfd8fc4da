"""Every malformed field is refused by its exact path, without repeating what was sent."""

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2

from coldstart_client.v1 import enjoyment_service_pb2 as pb

CANARY = "s3cret-value"
LONG = CANARY * 30
"""360 characters."""
NAN, INFINITY = float("nan"), float("inf")
NUMBER, TEXT, FLAG, NONE = (
    pb.AttributeValue(number=1),
    pb.AttributeValue(text=CANARY),
    pb.AttributeValue(flag=True),
    pb.AttributeValue(),
)


def plays(*given):
    return {"plays": [pb.Play(movie_id="a"), *given]}


def ratings(*given):
    return {"ratings": [pb.Rating(movie_id="a", rating=1), *given]}


MEMBERS = {
    "a long member_id": ({"member_id": LONG}, "member.member_id"),
    "a play of no movie": (plays(pb.Play()), "member.plays[1].movie_id"),
    "a play of a long id": (plays(pb.Play(movie_id=LONG)), "member.plays[1].movie_id"),
    "a completion above 1": (plays(pb.Play(movie_id="a", completion=1.01)), "member.plays[1].completion"),
    "a completion below 0": (plays(pb.Play(movie_id="a", completion=-0.01)), "member.plays[1].completion"),
    "a completion that is no number": (plays(pb.Play(movie_id="a", completion=NAN)), "member.plays[1].completion"),
    "a time before the year 1": (
        plays(pb.Play(movie_id="a", played_at=Timestamp(seconds=-(10**12)))),
        "member.plays[1].played_at",
    ),
    "a time after the year 9999": (
        plays(pb.Play(movie_id="a", played_at=Timestamp(seconds=10**12))),
        "member.plays[1].played_at",
    ),
    "negative nanoseconds": (plays(pb.Play(movie_id="a", played_at=Timestamp(nanos=-1))), "member.plays[1].played_at"),
    "too many plays": ({"plays": [pb.Play(movie_id="a")] * 10_001}, "member.plays"),
    "a rating of no movie": (ratings(pb.Rating(rating=1)), "member.ratings[1].movie_id"),
    "a rating of a long id": (ratings(pb.Rating(movie_id=LONG, rating=1)), "member.ratings[1].movie_id"),
    "a rating above the scale": (ratings(pb.Rating(movie_id="a", rating=5.1)), "member.ratings[1].rating"),
    "a rating that is absent": (ratings(pb.Rating(movie_id="a")), "member.ratings[1].rating"),
    "a rating that is no number": (ratings(pb.Rating(movie_id="a", rating=NAN)), "member.ratings[1].rating"),
    "a rating given after the year 9999": (
        ratings(pb.Rating(movie_id="a", rating=1, rated_at=Timestamp(seconds=10**12))),
        "member.ratings[1].rated_at",
    ),
    "too many ratings": ({"ratings": [pb.Rating(movie_id="a", rating=1)] * 10_001}, "member.ratings"),
    "too many attributes": (
        {"attributes": {f"{CANARY}{number}": NUMBER for number in range(1001)}},
        "member.attributes",
    ),
    "an attribute without a value": ({"attributes": {"age": NONE}}, 'member.attributes["age"]'),
    "an unknown attribute without a value": ({"attributes": {CANARY: NONE}}, "member.attributes"),
    "an attribute without a name": ({"attributes": {"": NUMBER}}, "member.attributes"),
    "an attribute with a long name": ({"attributes": {LONG: NUMBER}}, "member.attributes"),
    "a number that is not one": ({"attributes": {"age": pb.AttributeValue(number=NAN)}}, 'member.attributes["age"]'),
    "a number too large for the model": (
        {"attributes": {"age": pb.AttributeValue(number=1e39)}},
        'member.attributes["age"]',
    ),
    "an infinite number": ({"attributes": {CANARY: pb.AttributeValue(number=INFINITY)}}, "member.attributes"),
    "a long text": ({"attributes": {"region": pb.AttributeValue(text=LONG * 3)}}, 'member.attributes["region"]'),
    "text for a numeric attribute": ({"attributes": {"age": TEXT}}, 'member.attributes["age"]'),
    "a flag for a numeric attribute": ({"attributes": {"age": FLAG}}, 'member.attributes["age"]'),
    "a number for a categorical attribute": ({"attributes": {"gender": NUMBER}}, 'member.attributes["gender"]'),
}
MOVIES = {
    "no id": ({}, "movie_id"),
    "a long id": ({"movie_id": LONG}, "movie_id"),
    "a year before film": ({"movie_id": "a", "release_year": 1799}, "release_year"),
    "a year far ahead": ({"movie_id": "a", "release_year": 2201}, "release_year"),
    "an empty genre": ({"movie_id": "a", "genres": ["Drama", ""]}, "genres[1]"),
    "a long genre": ({"movie_id": "a", "genres": [LONG]}, "genres[0]"),
    "too many genres": ({"movie_id": "a", "genres": [CANARY] * 101}, "genres"),
    "a wrong kind": ({"movie_id": "a", "attributes": {"country": NUMBER}}, 'attributes["country"]'),
    "no value": ({"movie_id": "a", "attributes": {"country": NONE}}, 'attributes["country"]'),
}
RANKINGS = {
    "a negative page_size": ({"page_size": -1}, "page_size"),
    "an empty genre": ({"genres": ["Drama", ""]}, "genres[1]"),
    "too many genres": ({"genres": [CANARY] * 101}, "genres"),
    "a first year before film": ({"min_release_year": 3}, "min_release_year"),
    "a last year far ahead": ({"max_release_year": 20000}, "max_release_year"),
    "years the wrong way round": ({"min_release_year": 2001, "max_release_year": 2000}, "max_release_year"),
}


@pytest.fixture
def paths(world, malformed, refused):
    """The paths that a call is refused for; fails if the error repeats what was sent."""

    def checked_paths(call):
        error = refused(call)
        assert CANARY not in error.details()
        assert not any(CANARY.encode() in value for _, value in error.trailing_metadata() if isinstance(value, bytes))
        return malformed(call)

    return checked_paths


@pytest.mark.parametrize("case", MEMBERS)
@pytest.mark.parametrize("method", ["PredictEnjoyment", "RankMovies", "ExplainEnjoyment", "SuggestMoviesToRate"])
def test_a_malformed_member_is_refused_by_every_method(world, paths, case, method):
    fields, path = MEMBERS[case]
    member = pb.Member(**fields)
    request = {
        "PredictEnjoyment": pb.PredictEnjoymentRequest(member=member, movie_ids=["a"]),
        "RankMovies": pb.RankMoviesRequest(member=member),
        "ExplainEnjoyment": pb.ExplainEnjoymentRequest(member=member, movie_id="a"),
        "SuggestMoviesToRate": pb.SuggestMoviesToRateRequest(member=member),
    }[method]
    assert paths(lambda: getattr(world.stub, method)(request)) == [path]


@pytest.mark.parametrize("case", MOVIES)
def test_a_malformed_description_is_refused(world, paths, case):
    fields, path = MOVIES[case]
    movie = pb.Movie(**fields)
    assert paths(lambda: world.predict(None, new=[pb.Movie(movie_id="b"), movie])) == [f"new_movies[1].{path}"]
    request = pb.ExplainEnjoymentRequest(new_movie=movie)
    assert paths(lambda: world.stub.ExplainEnjoyment(request)) == [f"new_movie.{path}"]


@pytest.mark.parametrize("case", RANKINGS)
def test_a_malformed_ranking_is_refused(world, paths, case):
    fields, path = RANKINGS[case]
    assert paths(lambda: world.stub.RankMovies(pb.RankMoviesRequest(**fields))) == [path]


def test_a_movie_id_must_have_1_to_256_characters(world, paths):
    assert paths(lambda: world.predict(None, "a", "")) == ["movie_ids[1]"]
    assert paths(lambda: world.predict(None, LONG, "a")) == ["movie_ids[0]"]
    assert world.predict(None, "ü" * 256).predictions


def test_there_must_be_1_to_1000_movies_in_all(world, paths):
    assert paths(lambda: world.predict(None)) == ["movie_ids"]
    assert paths(lambda: world.predict(None, *["a"] * 1001)) == ["movie_ids"]
    assert paths(lambda: world.predict(None, *["a"] * 1000, new=[pb.Movie(movie_id="b")])) == ["movie_ids"]
    assert len(world.predict(None, *["a"] * 999, new=[pb.Movie(movie_id="b")]).predictions) == 1000


def test_a_new_movie_is_described_once(world, paths):
    new = [pb.Movie(movie_id="a"), pb.Movie(movie_id="b"), pb.Movie(movie_id="a")]
    assert paths(lambda: world.predict(None, new=new)) == ["new_movies[2].movie_id"]


def test_an_explanation_needs_a_movie(world, paths):
    assert paths(lambda: world.stub.ExplainEnjoyment(pb.ExplainEnjoymentRequest())) == ["movie_id"]


def test_several_malformed_fields_are_reported_at_once_up_to_a_limit(world, paths):
    member = pb.Member(plays=[pb.Play(movie_id="a", completion=2), pb.Play()], attributes={"age": TEXT})
    assert sorted(paths(lambda: world.predict(member, ""))) == [
        'member.attributes["age"]',
        "member.plays[0].completion",
        "member.plays[1].movie_id",
        "movie_ids[0]",
    ]
    assert len(paths(lambda: world.predict(pb.Member(plays=[pb.Play()] * 10_000), "a"))) == 10


def test_the_largest_request_that_is_well_formed_is_answered(world):
    member = pb.Member(plays=[pb.Play(movie_id=f"{number:0256}", completion=1) for number in range(10_000)])
    member.attributes.get_or_create("age").number = 1
    for number in range(999):
        member.attributes[f"{number}"].text = "x" * 1000
    assert world.predict(member, *[f"{number:0256}" for number in range(500)]).unused.plays_of_unknown_movies == 10_000


def test_a_message_over_4_mib_is_refused(world, refused):
    error = refused(lambda: world.predict(pb.Member(member_id="x" * 5_000_000), "a"))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_bytes_that_are_no_message_are_invalid(world, refused):
    for method in ("PredictEnjoyment", "RankMovies", "ExplainEnjoyment"):
        call = world.server.channel.unary_unary(f"/coldstart.v1.EnjoymentService/{method}")
        for raw in (b"\xff\xff\xff", b"\x0a\x03\x0a\x01\xff"):
            assert refused(lambda call=call, raw=raw: call(raw)).code() == grpc.StatusCode.INVALID_ARGUMENT


def test_an_error_names_its_reason_for_machines(world, refused, details):
    error = refused(lambda: world.predict(None))
    [info] = details(error, error_details_pb2.ErrorInfo)
    assert (info.reason, info.domain) == ("INVALID_REQUEST", "coldstart")
