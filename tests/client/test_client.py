"""The client's methods: plain values in, plain answers out, the same as the service's own."""

import asyncio
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coldstart_client import Ask, AsyncClient, Client, InvalidCall, Movie, Play, Rating, Refused
from coldstart_client.v1 import enjoyment_service_pb2 as pb

ROOT = Path(__file__).parents[2]
MEMBER = {"attributes": {"age": 34, "gender": "F", "has_children": True, "region": None}}


@pytest.fixture
def coldstart(world):
    with Client(world.server.address) as client:
        yield client


def request_of(movies):
    member = pb.Member(plays=[pb.Play(movie_id=movies[-1], completion=0.5), pb.Play(movie_id=movies[-2])])
    member.plays[0].played_at.seconds = 1_000_000_000
    member.attributes["age"].number = 34
    member.attributes["gender"].text = "F"
    member.attributes["has_children"].flag = True
    return pb.PredictEnjoymentRequest(member=member, movie_ids=movies[:3])


def plays_of(movies):
    return [Play(movies[-1], 0.5, datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)), movies[-2]]


def test_predictions_are_those_of_the_service_in_plain_values(world, coldstart):
    movies = world.movie_ids
    answer = coldstart.predict(movies[:3], **MEMBER, plays=plays_of(movies))
    raw = world.stub.PredictEnjoyment(request_of(movies))
    assert [prediction.movie_id for prediction in answer] == movies[:3]
    for prediction, message in zip(answer, raw.predictions, strict=True):
        for name in ("rating", "lower", "upper", "probability_enjoyed", "prior_rating", "extrapolation"):
            assert getattr(prediction, name) == getattr(message, name)
    assert answer.member_evidence == "attributes and plays"
    assert answer.model_version == world.versions[0]
    assert coldstart.predict(["nowhere"], member_id="nobody").unused.unknown_member
    assert next(iter(coldstart.predict(["nowhere"]))).movie_evidence == "unknown"


def test_ratings_are_sent_by_every_method(world, coldstart):
    rated = dict.fromkeys(world.movie_ids[:3], 5)
    answer = coldstart.predict(world.movie_ids[3:5], **MEMBER, ratings=rated)
    assert answer.member_evidence == "attributes and ratings"
    ratings = [Rating(movie_id, 5) for movie_id in rated]
    [streamed] = coldstart.stream([Ask(world.movie_ids[3:5], **MEMBER, ratings=ratings)])
    assert streamed == answer
    ranking = coldstart.rank(**MEMBER, ratings=rated, page_size=1000)
    assert not {*rated} & {prediction.movie_id for prediction in ranking}
    assert {*answer} <= {*ranking}
    explanation = coldstart.explain(world.movie_ids[3], **MEMBER, ratings=rated)
    assert explanation.prediction == next(iter(answer))
    assert {part.group: part.rating for part in explanation.parts}["taste_from_ratings"] > 0
    assert coldstart.predict(["nowhere"], ratings={"elsewhere": 3}).unused.ratings_of_unknown_movies == 1


def test_movies_to_ask_for_are_those_of_the_service(world, coldstart):
    movies = world.movie_ids
    answer = coldstart.suggest(**MEMBER, plays=movies[:3], ratings={movies[5]: 4}, movies=movies[:20], size=4)
    assert len(answer) == 4
    assert movies[5] not in {movie.movie_id for movie in answer}
    assert {movie.movie_id for movie in answer} <= set(movies[:20])
    assert answer.member_evidence == "attributes and ratings"
    request = pb.SuggestMoviesToRateRequest(size=4, movie_ids=movies[:20])
    raw = world.stub.SuggestMoviesToRate(request)
    bare = coldstart.suggest(movies=movies[:20], size=4)
    assert [(each.movie_id, each.title, each.probability_seen, each.expected_width) for each in bare] == [
        (each.movie_id, each.title, each.probability_seen, each.expected_width) for each in raw.movies
    ]
    assert bare.current_width == raw.current_width
    with pytest.raises(InvalidCall) as raised:
        coldstart.suggest(size=-1)
    assert [violation.path for violation in raised.value.violations] == ["size"]


def test_outcomes_are_recorded_once_with_the_prediction_that_was_shown(world, coldstart):
    answer = coldstart.predict(world.movie_ids[:2], **MEMBER)
    shown = list(answer)[1]
    recorded = coldstart.record_outcome(
        "somebody", shown.movie_id, rating=4, completion=0.5, happened_at=datetime(2024, 1, 1, tzinfo=UTC),
        shown=(answer, shown), request_id="from the client",
    )  # fmt: skip
    assert (recorded.request_id, recorded.duplicate) == ("from the client", False)
    assert coldstart.record_outcome("somebody", shown.movie_id, rating=5, request_id="from the client").duplicate
    first, second = (coldstart.record_outcome("somebody", shown.movie_id, completion=0) for _ in range(2))
    assert first.request_id != second.request_id
    assert not second.duplicate
    assert world.server.metric("coldstart_outcome_ratings_total", model="current", member_evidence="attributes") >= 1


def test_a_ranking_is_read_page_by_page(world, coldstart):
    whole = coldstart.rank(**MEMBER, page_size=1000)
    first = coldstart.rank(**MEMBER, page_size=7)
    second = coldstart.rank(**MEMBER, page_size=7, page_token=first.next_page_token)
    assert [*first, *second] == list(whole)[:14]
    assert not whole.next_page_token
    filtered = coldstart.rank(genres=["Drama"], years=(1990, None), page_size=1000)
    assert 0 < len(filtered) < len(whole)


def test_an_explanation_sums_to_its_prediction(world, coldstart):
    explanation = coldstart.explain(world.movie_ids[0], **MEMBER)
    assert sum(part.rating for part in explanation.parts) == pytest.approx(explanation.rating_before_cut)
    assert all(part.description for part in explanation.parts)


def test_the_model_is_described(world, coldstart):
    model = coldstart.model()
    assert model.model_version == world.versions[0]
    assert model.data["movies"] == len(world.movie_ids)
    assert {attribute.kind for attribute in model.member_attributes} == {"numeric", "categorical"}
    assert "nothing" in model.scores
    assert model.trained_at.tzinfo is UTC


def test_a_stream_answers_many_requests_in_their_order(world, coldstart):
    asks = [Ask(world.movie_ids[number : number + 2], **MEMBER) for number in range(20)]
    answers = list(coldstart.stream(asks))
    assert [[prediction.movie_id for prediction in answer] for answer in answers] == [list(ask.movies) for ask in asks]
    assert answers[3] == coldstart.predict(asks[3].movies, **MEMBER)
    with pytest.raises(InvalidCall):
        list(coldstart.stream([Ask([])]))


def test_the_asyncio_client_returns_the_same(world, coldstart):
    async def ask():
        async with AsyncClient(world.server.address) as client:
            movies = world.movie_ids[:3]
            answers = [
                await client.predict(movies, **MEMBER),
                await client.rank(**MEMBER),
                await client.suggest(**MEMBER),
                await client.explain(movies[0], **MEMBER),
                await client.model(),
            ]
            streamed = [answer async for answer in client.stream([Ask(movies, **MEMBER)])]
            with pytest.raises(InvalidCall):
                await client.predict([])
            return answers, streamed

    answers, streamed = asyncio.run(ask())
    movies = world.movie_ids[:3]
    assert answers == [
        coldstart.predict(movies, **MEMBER),
        coldstart.rank(**MEMBER),
        coldstart.suggest(**MEMBER),
        coldstart.explain(movies[0], **MEMBER),
        coldstart.model(),
    ]
    assert streamed == answers[:1]


def test_a_wrong_request_names_the_fields(world, coldstart):
    with pytest.raises(InvalidCall) as raised:
        coldstart.predict(["a"], plays=[Play("b", 7)], attributes={"age": "old"})
    assert {violation.path for violation in raised.value.violations} == {
        "member.plays[0].completion",
        'member.attributes["age"]',
    }
    assert raised.value.reason == "INVALID_REQUEST"
    with pytest.raises(TypeError):
        coldstart.predict("movie-001")


def test_a_token_goes_with_each_call(guarded):
    with Client(guarded.address, token=guarded.tokens["predictions"]) as client:
        assert len(client.predict(["a"])) == 1
        assert len(list(client.stream([Ask(["a"])]))) == 1
        with pytest.raises(Refused) as raised:
            client.model()
        assert raised.value.reason == "METHOD_NOT_ALLOWED"
    with Client(guarded.address) as client, pytest.raises(Refused):
        client.predict(["a"])


def test_the_client_starts_without_the_libraries_of_the_model():
    heavy = {"numpy", "polars", "lightgbm", "scipy", "prometheus_client", "model", "features"}
    code = f"import sys, coldstart_client, coldstart_client.__main__; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_movies_are_described_where_the_catalogue_lacks_them(world, coldstart):
    row = world.tables.movies.filter(world.tables.movies["movie_id"] == world.movie_ids[0]).row(0, named=True)
    new = Movie("new", release_year=row["release_year"], genres=row["genres"], attributes={"runtime_minutes": 90})
    described = coldstart.predict(["nowhere"], **MEMBER, new_movies=[new])
    assert [(movie.movie_id, movie.movie_evidence) for movie in described] == [
        ("nowhere", "unknown"), ("new", "described"),
    ]  # fmt: skip
    assert coldstart.explain(new, **MEMBER).prediction == described.predictions[1]
    [streamed] = coldstart.stream([Ask(**MEMBER, new_movies=[new])])
    assert streamed.predictions == described.predictions[1:]
    with pytest.raises(TypeError, match=r"new_movies\[0\] must be a Movie, not str"):
        coldstart.predict(new_movies=["new"])
    with pytest.raises(TypeError, match=r'new_movies\[0\]\.attributes\["a"\] must be text'):
        coldstart.predict(new_movies=[Movie("new", attributes={"a": [1]})])


def test_titles_and_the_next_fact_are_those_of_the_service(world, coldstart):
    titles = dict(world.tables.movies.select("movie_id", "title").iter_rows())
    assert all(movie.title == titles[movie.movie_id] for movie in coldstart.rank(page_size=5))
    assert next(iter(coldstart.predict(["nowhere"]))).title == ""
    raw = world.stub.ExplainEnjoyment(pb.ExplainEnjoymentRequest(movie_id=world.movie_ids[0], suggest_next_fact=True))
    fact = coldstart.explain(world.movie_ids[0], suggest_next_fact=True).next_fact
    assert fact.expected_width == raw.next_fact.expected_width < fact.current_width
    assert (fact.attribute or fact.plays) == getattr(raw.next_fact, raw.next_fact.WhichOneof("fact"))
    assert coldstart.explain(world.movie_ids[0]).next_fact is None
