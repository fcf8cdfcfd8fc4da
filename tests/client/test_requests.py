"""Values of Python and NumPy mean in calls what a person expects, or are refused in words before anything is sent."""

import asyncio
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import numpy as np
import polars as pl
import pytest

from coldstart_client import Ask, AsyncClient, Client, Play, Rating, requests
from coldstart_client.v1 import enjoyment_service_pb2 as pb

NAN = float("nan")
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


class NAType:
    """Behaves as the missing value of pandas, which can't be compared."""

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")

    def __eq__(self, other):
        return self

    __ne__ = __eq__
    __hash__ = None


class NaT(datetime):
    """Behaves as the missing time of pandas."""

    def __ne__(self, other):
        return True

    __hash__ = None


NOT_A_TIME = NaT(1, 1, 1)


@pytest.mark.parametrize(
    ("value", "kind", "sent"),
    [
        ("F", "text", "F"),
        (np.str_("F"), "text", "F"),
        (True, "flag", True),
        (np.bool_(False), "flag", False),
        (np.array(True), "flag", True),
        (34, "number", 34),
        (np.int64(34), "number", 34),
        (np.uint8(34), "number", 34),
        (np.float32(0.5), "number", 0.5),
        (np.float64(0.5), "number", 0.5),
        (np.longdouble(0.5), "number", 0.5),
        (np.array(34), "number", 34),
        (Decimal("0.5"), "number", 0.5),
        (Fraction(1, 2), "number", 0.5),
    ],
)
def test_an_attribute_is_sent_as_its_kind(value, kind, sent):
    message = requests.member("", {"age": value}, ()).attributes["age"]
    assert (message.WhichOneof("kind"), getattr(message, kind)) == (kind, sent)


MISSING = [None, NAN, np.float32("nan"), np.array(NAN), Decimal("NaN"), NAType(), NOT_A_TIME, np.datetime64("NaT")]


@pytest.mark.parametrize("missing", MISSING, ids=lambda missing: type(missing).__name__)
def test_missing_values_are_not_sent(missing):
    assert not requests.member("", {"age": missing}, ()).attributes
    assert requests.member(missing, None, None) == pb.Member()
    [play] = requests.member("", {}, [Play("a", missing, missing)]).plays
    assert play == pb.Play(movie_id="a")
    outcome = requests.outcome("key", "m", "a", missing, 0.5, missing, None)
    assert outcome == pb.RecordOutcomeRequest(request_id="key", member_id="m", movie_id="a", completion=0.5)
    assert requests.outcome(missing, "m", "a", 1, None, None, None).request_id
    ranking = requests.ranking(pb.Member(), 20, "", (), (missing, 2000))
    assert not ranking.HasField("min_release_year")


@pytest.mark.parametrize(
    "movies",
    [
        [1, 2],
        (1, "2"),
        iter([1, 2]),
        np.array([1, 2], np.int16),
        np.array(["1", "2"]),
        np.array([1, "2"], object),
        pl.Series([1, 2]),
        {1: None, 2: None}.keys(),
        [UUID(int=1), UUID(int=2)],
    ],
    ids=lambda movies: type(movies).__name__,
)
def test_ids_are_text_or_whole_numbers_in_anything_that_lists_them(movies):
    sent = list(requests.prediction(Ask(movies)).movie_ids)
    assert sent in (["1", "2"], [str(UUID(int=1)), str(UUID(int=2))])


@pytest.mark.parametrize(
    "ratings",
    [
        [Rating("7", 4), Rating("8", 2.5)],
        (Rating(7, np.float32(4)), Rating(np.int64(8), Decimal("2.5"))),
        {"7": 4, 8: 2.5},
        iter([Rating("7", 4), Rating("8", 2.5, None)]),
    ],
    ids=lambda ratings: type(ratings).__name__,
)
def test_ratings_are_a_mapping_or_a_list_of_ratings(ratings):
    sent = requests.member("", {}, (), ratings).ratings
    assert list(sent) == [pb.Rating(movie_id="7", rating=4), pb.Rating(movie_id="8", rating=2.5)]


def test_the_time_of_a_rating_is_sent_in_utc():
    [sent] = requests.member("", {}, (), [Rating("a", 4, NOON)]).ratings
    assert sent.rated_at.ToDatetime(UTC) == NOON


@pytest.mark.parametrize(
    ("ratings", "said"),
    [
        (["a"], r"ratings\[0\] must be a Rating"),
        ("a", "ratings must be a list"),
        ({"a": "good"}, r"ratings\[0\].rating must be a number"),
        ({"a": None}, r"ratings\[0\].rating is missing"),
        ([Rating("a", 4), Rating(None, 4)], r"ratings\[1\].movie_id is missing"),
        ([Rating("a", 4, "noon")], r"ratings\[0\].rated_at must be a datetime"),
    ],
)
def test_what_cannot_be_a_rating_is_refused_before_anything_is_sent(ratings, said):
    with pytest.raises((TypeError, ValueError), match=said):
        requests.member("", {}, (), ratings)


def test_whole_numbers_are_ids_everywhere():
    number = np.int64(7)
    message = requests.member(number, {}, [number, Play(number)])
    assert message == pb.Member(member_id="7", plays=[pb.Play(movie_id="7")] * 2)
    assert requests.explanation(message, number).movie_id == "7"
    outcome = requests.outcome(0, number, number, 4, None, None, None)
    assert (outcome.request_id, outcome.member_id, outcome.movie_id) == ("0", "7", "7")


def test_plays_may_be_a_mapping_from_ids_to_completions():
    plays = requests.member("", {}, {"a": 0.9, 7: np.float64(0.5), "c": None, "d": NAN}).plays
    assert [play.movie_id for play in plays] == ["a", "7", "c", "d"]
    assert [play.completion if play.HasField("completion") else None for play in plays] == [0.9, 0.5, None, None]


@pytest.mark.parametrize(
    "moment",
    [
        NOON,
        NOON.replace(tzinfo=None),
        NOON.astimezone(timezone(timedelta(hours=9))),
        np.datetime64("2024-03-01T12"),
        np.datetime64("2024-03-01T12:00:00", "ns"),
        np.array("2024-03-01T12", "datetime64[ns]"),
    ],
    ids=repr,
)
def test_times_are_in_utc(moment):
    [play] = requests.member("", {}, [Play("a", played_at=moment)]).plays
    assert play.played_at.ToDatetime(UTC) == NOON
    assert requests.outcome("", "m", "a", 1, None, moment, None).happened_at == play.played_at


@pytest.mark.parametrize("day", [date(2024, 3, 1), np.datetime64("2024-03-01")])
def test_a_date_is_its_first_moment(day):
    assert requests.outcome("", "m", "a", 1, None, day, None).happened_at.seconds == NOON.timestamp() - 12 * 3600


def member(**facts):
    return requests.member(**{"member_id": "", "attributes": {}, "plays": ()} | facts)


def movies(given):
    return requests.prediction(Ask(given))


def ranking(**changed):
    return requests.ranking(
        **{"whom": pb.Member(), "page_size": 20, "page_token": "", "genres": (), "years": (None, None)} | changed
    )


def outcome(**changed):
    given = {"request_id": "", "member_id": "m", "movie_id": "a", "rating": 1, "completion": None}
    return requests.outcome(**given | {"happened_at": None, "shown": None} | changed)


FRAME = pl.DataFrame({"movie_id": ["a"]})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: movies("movie-001"), "movies must be a list, not str"),
        (lambda: movies(7), "movies must be a list, not int"),
        (lambda: movies(np.array("movie-001")), "movies must be a list, not str"),
        (lambda: movies({"a": 1}), "movies must be a list, not dict"),
        (lambda: movies(FRAME), "movies must be a list, not DataFrame"),
        (lambda: movies(["a", 7.0]), "movies[1] must be text or a whole number, not float"),
        (lambda: movies([True]), "movies[0] must be text or a whole number, not bool"),
        (lambda: movies([b"a"]), "movies[0] must be text or a whole number, not bytes"),
        (lambda: movies([None]), "movies[0] is missing"),
        (lambda: movies(np.array([["a"]])), "movies[0] must be text or a whole number, not ndarray"),
        (lambda: member(member_id=7.5), "member_id must be text or a whole number, not float"),
        (lambda: member(plays="movie-001"), "plays must be a list, not str"),
        (lambda: member(plays=Play("a")), "plays must be a list, not Play"),
        (lambda: member(plays=FRAME), "plays must be a list, not DataFrame"),
        (lambda: member(plays=[("a", 0.5)]), "plays[0].movie_id must be text or a whole number, not tuple"),
        (lambda: member(plays=[Play("a", "all")]), "plays[0].completion must be a number, not str"),
        (lambda: member(plays={"a": True}), "plays[0].completion must be a number, not bool"),
        (lambda: member(plays=[Play(None)]), "plays[0].movie_id is missing"),
        (lambda: member(plays=[Play("a", 1, "2024")]), "plays[0].played_at must be a datetime or date, not str"),
        (lambda: member(plays=[Play("a", 1, 17e8)]), "plays[0].played_at must be a datetime or date, not float"),
        (lambda: member(attributes=[("age", 3)]), "attributes must be a mapping from names to values, not list"),
        (lambda: member(attributes={3: 4}), "attributes must have text as names, not int"),
        (lambda: member(attributes={"age": [3]}), 'attributes["age"] must be text, a flag or a number, not list'),
        (lambda: member(attributes={"age": np.zeros(2)}), 'attributes["age"] must be text, a flag or a number, not'),
        (lambda: member(attributes={"at": NOON}), 'attributes["at"] must be text, a flag or a number, not datetime'),
        (
            lambda: member(attributes={"at": np.timedelta64(5, "ns")}),
            'attributes["at"] must be text, a flag or a number',
        ),
        (lambda: member(attributes={"age": 10**400}), 'attributes["age"] is too large a number'),
        (lambda: ranking(page_size=2.5), "page_size must be a whole number, not float"),
        (lambda: ranking(page_size=10**10), "page_size is too large a number"),
        (lambda: ranking(page_token=7), "page_token must be text, not int"),
        (lambda: ranking(genres="Drama"), "genres must be a list, not str"),
        (lambda: ranking(genres=["Drama", 7]), "genres[1] must be text, not int"),
        (lambda: ranking(years=1990), "years must be a list, not int"),
        (lambda: ranking(years=(1990,)), "years must be the first and the last year"),
        (lambda: ranking(years=("1990", None)), "years must be a whole number, not str"),
        (lambda: outcome(rating="4"), "rating must be a number, not str"),
        (lambda: outcome(completion=np.bool_(True)), "completion must be a number, not bool"),
        (lambda: outcome(member_id=None), "member_id is missing"),
        (lambda: outcome(happened_at=1), "happened_at must be a datetime or date, not int"),
        (lambda: outcome(shown="a"), "shown must be a response and one of its predictions"),
    ],
)
def test_what_can_not_be_meant_is_refused_with_the_name_of_the_argument(call, message):
    with pytest.raises((TypeError, ValueError)) as refused:
        call()
    assert str(refused.value).startswith(message)


def test_a_call_with_values_of_numpy_is_answered_like_one_with_plain_values(world):
    with Client(world.server.address) as client:
        plain = client.predict(
            world.movie_ids[:3], attributes={"age": 34, "has_children": True}, plays=[Play(world.movie_ids[5], 0.5)]
        )
        same = client.predict(
            np.array(world.movie_ids[:3]),
            member_id=NAN,
            attributes={"age": np.int32(34), "has_children": np.bool_(True), "region": NAN},
            plays={world.movie_ids[5]: np.float32(0.5)},
        )
    assert same == plain


def asks_that_fail():
    yield Ask(["movie-001"])
    yield Ask("movie-001")


def asks_that_end():
    yield Ask(["movie-001"])
    raise OSError("the list of members ends here")


@pytest.mark.parametrize(
    ("asks", "error"), [(asks_that_fail, "movies must be a list"), (asks_that_end, "the list of members ends here")]
)
def test_a_stream_raises_what_is_wrong_with_its_requests(world, asks, error):
    answers = []
    with Client(world.server.address) as client, pytest.raises((TypeError, OSError), match=error):
        answers.extend(client.stream(asks()))

    async def ask():
        async with AsyncClient(world.server.address) as client:
            async for answer in client.stream(asks()):
                answers.append(answer)  # noqa: PERF401 # kept when it raises

    with pytest.raises((TypeError, OSError), match=error):
        asyncio.run(ask())
    assert [len(answer) for answer in answers] == [1, 1]
