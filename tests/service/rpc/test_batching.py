"""Calls that come in together are worked out together, and each gets its own answer or its own error."""

import asyncio

import pytest

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.facts.facts import MemberFacts
from model.prediction.model import Model
from service.errors import InvalidRequest
from service.models.loading import Served
from service.models.shadow import Shadow
from service.requests.decode import Decoder, PredictionQuery
from service.rpc.batching import MOST_CALLS, MOST_ROWS, Together, Told
from service.telemetry.metrics.service_metrics import Metrics


class Counting(Model):
    """A model that notes how many requests it is asked at once, and fails for the row 13."""

    def predict_together(self, requests, finished=lambda _: None):
        asked = self.__dict__.setdefault("asked", [])
        asked.append(len(requests))
        if any(13 in request.rows for request in requests):
            raise RuntimeError("unlucky")
        return super().predict_together(requests, finished)


@pytest.fixture
def model(small) -> Counting:
    return Counting(**{name: getattr(small.model, name) for name in Model.__dataclass_fields__})


def request_for(model, rows: list[int]) -> pb.PredictEnjoymentRequest:
    return pb.PredictEnjoymentRequest(movie_ids=[model.catalogue.movie_ids[row] for row in rows])


def together_of(metrics: Metrics) -> Together:
    return Together(metrics, Shadow(0.0, lambda: None, metrics), lambda: 0.0)


def answers(model, *requests: pb.PredictEnjoymentRequest) -> list:
    """What calls with those requests get that are all begun at once."""
    metrics = Metrics()

    async def ask() -> list:
        together, served = together_of(metrics), Served(model, Decoder(model), "current")
        calls = [together.answer(served, request, None) for request in requests]
        return await asyncio.gather(*calls, return_exceptions=True)

    found = asyncio.run(ask())
    told = sum(isinstance(one, Told) for one in found)
    for stage in ("trees", "encode"):
        assert metrics.registry.get_sample_value("coldstart_stage_seconds_count", {"stage": stage}) == told
    assert metrics.registry.get_sample_value("coldstart_answers_total", {"model": "current"}) == told
    return [pb.PredictEnjoymentResponse.FromString(one.response) if isinstance(one, Told) else one for one in found]


def test_calls_that_are_begun_at_once_are_worked_out_at_once(model):
    found = answers(model, *(request_for(model, rows) for rows in ([0], [1, 2], [3])))
    assert model.asked == [3]
    alone = model.predict(MemberFacts.nothing(model.schema), [1, 2])
    assert [len(one.predictions) for one in found] == [1, 2, 1]
    assert [one.rating for one in found[1].predictions] == alone.rating.tolist()


def test_one_that_fails_harms_no_other(model):
    found = answers(model, *(request_for(model, rows) for rows in ([0], [13], [1])))
    assert [isinstance(one, RuntimeError) for one in found] == [False, True, False]


def test_a_malformed_request_harms_no_other(model):
    good = request_for(model, [0])
    found = answers(model, good, pb.PredictEnjoymentRequest(), good)
    assert [isinstance(one, InvalidRequest) for one in found] == [False, True, False]
    assert model.asked == [2]


def test_what_is_not_all_of_the_catalogue_or_was_played_is_only_decoded(model):
    known = request_for(model, [0])
    described = pb.PredictEnjoymentRequest(movie_ids=known.movie_ids, new_movies=[pb.Movie(movie_id="new")])
    unknown = pb.PredictEnjoymentRequest(movie_ids=[*known.movie_ids, "nowhere"])
    played = pb.PredictEnjoymentRequest(
        movie_ids=known.movie_ids, member=pb.Member(plays=[pb.Play(movie_id=known.movie_ids[0])])
    )
    found = answers(model, known, described, unknown, played)
    assert [isinstance(one, PredictionQuery) for one in found] == [False, True, True, True]
    assert model.asked == [1]


@pytest.mark.parametrize("calls", [MOST_CALLS + 1, 3 * MOST_CALLS])
def test_a_crowd_is_served_in_turns_that_are_not_too_long(model, calls):
    found = answers(model, *[request_for(model, [0])] * calls)
    assert len(found) == calls
    assert sum(model.asked) == calls
    assert max(model.asked) <= MOST_CALLS


def test_many_movies_fill_a_turn_too(model):
    found = answers(model, *[request_for(model, list(range(12)) * (MOST_ROWS // 24))] * 5)
    assert len(found) == 5
    assert max(model.asked) == 2


def test_a_call_that_is_given_up_is_not_worked_out(model):
    async def ask() -> None:
        together, served = together_of(Metrics()), Served(model, Decoder(model), "current")
        request = request_for(model, [0])
        calls = [asyncio.ensure_future(together.answer(served, request, None)) for _ in range(3)]
        await asyncio.sleep(0)
        calls[1].cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    asyncio.run(ask())
    assert model.asked == [2]
