"""CallSampler that arrive together are predicted in one pass, and each gets its own answer or its own error."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.facts.facts import MemberFacts
from model.prediction.model import Model
from service.errors import InvalidRequest
from service.models.loading import Served
from service.models.shadow import Shadow
from service.requests.decode import Decoder
from service.rpc.batching import MAX_CALLS, MAX_MOVIES
from service.rpc.servicer import EnjoymentServicer
from service.telemetry.metrics.service_metrics import Metrics


class Counting(Model):
    """A model that notes the size of each batch, and fails for the row 13."""

    def predict_together(self, requests, finished=lambda _: None):
        self.batches.append(len(requests))
        if any(13 in request.rows for request in requests):
            raise RuntimeError("unlucky")
        return super().predict_together(requests, finished)

    @property
    def batches(self) -> list[int]:
        return self.__dict__.setdefault("_batches", [])


class OneModel:
    """Live models of which one serves everybody."""

    def __init__(self, model: Model, metrics: Metrics) -> None:
        self._served = Served(model, Decoder(model), "current")
        self.shadow = Shadow(0.0, lambda: None, metrics)

    def served(self, _member) -> Served:
        return self._served


@pytest.fixture
def model(small) -> Counting:
    return Counting(**{name: getattr(small.model, name) for name in Model.__dataclass_fields__})


def request_for(model, rows: list[int]) -> pb.PredictEnjoymentRequest:
    return pb.PredictEnjoymentRequest(movie_ids=[model.catalogue.movie_ids[row] for row in rows])


def calls_at_once(model, *requests: pb.PredictEnjoymentRequest, cancelled: int | None = None) -> list:
    """Responses and errors of calls with these requests that are begun at once, one of them cancelled at once."""
    metrics = Metrics()

    async def call_all() -> list:
        with ThreadPoolExecutor(1) as background:
            servicer = EnjoymentServicer(OneModel(model, metrics), None, None, metrics, background, lambda: 0.0)
            calls = [asyncio.ensure_future(servicer.PredictEnjoyment(request, None)) for request in requests]
            await asyncio.sleep(0)
            if cancelled is not None:
                calls[cancelled].cancel()
            return await asyncio.gather(*calls, return_exceptions=True)

    responses = asyncio.run(call_all())
    answered = sum(isinstance(response, bytes) for response in responses)
    for stage in ("trees", "encode"):
        assert metrics.registry.get_sample_value("coldstart_stage_seconds_count", {"stage": stage}) == answered
    assert metrics.registry.get_sample_value("coldstart_answers_total", {"model": "current"}) == answered
    return [
        pb.PredictEnjoymentResponse.FromString(response) if isinstance(response, bytes) else response
        for response in responses
    ]


def test_calls_that_are_begun_at_once_are_predicted_at_once(model):
    responses = calls_at_once(model, *(request_for(model, rows) for rows in ([0], [1, 2], [3])))
    assert model.batches == [3]
    alone = model.predict(MemberFacts.nothing(model.schema), [1, 2])
    assert [len(response.predictions) for response in responses] == [1, 2, 1]
    assert [prediction.rating for prediction in responses[1].predictions] == alone.rating.tolist()


def test_a_call_that_fails_harms_no_other(model):
    responses = calls_at_once(model, *(request_for(model, rows) for rows in ([0], [13], [1])))
    assert [isinstance(response, RuntimeError) for response in responses] == [False, True, False]


def test_a_malformed_request_harms_no_other(model):
    good = request_for(model, [0])
    responses = calls_at_once(model, good, pb.PredictEnjoymentRequest(), good)
    assert [isinstance(response, InvalidRequest) for response in responses] == [False, True, False]
    assert model.batches == [2]


def test_only_unplayed_movies_of_the_catalogue_are_predicted_in_batches(model):
    known = request_for(model, [0])
    described = pb.PredictEnjoymentRequest(movie_ids=known.movie_ids, new_movies=[pb.Movie(movie_id="new")])
    unknown = pb.PredictEnjoymentRequest(movie_ids=[*known.movie_ids, "nowhere"])
    played = pb.PredictEnjoymentRequest(
        movie_ids=known.movie_ids, member=pb.Member(plays=[pb.Play(movie_id=known.movie_ids[0])])
    )
    many = request_for(model, [0] * 201)
    responses = calls_at_once(model, known, described, unknown, played, many)
    assert [len(response.predictions) for response in responses] == [1, 2, 2, 1, 201]
    assert model.batches == [1, 1], "the known movie; and the played one, by itself, as if it weren't played"


@pytest.mark.parametrize("calls", [MAX_CALLS + 1, 3 * MAX_CALLS])
def test_many_calls_are_predicted_in_batches_of_limited_size(model, calls):
    assert len(calls_at_once(model, *[request_for(model, [0])] * calls)) == calls
    assert sum(model.batches) == calls
    assert max(model.batches) <= MAX_CALLS


def test_many_movies_fill_a_batch_too(model):
    movies = [request_for(model, list(range(12)) * 16)] * 5
    calls_at_once(model, *movies)
    assert sum(model.batches) == 5
    assert max(model.batches) == MAX_MOVIES // (12 * 16)


def test_a_cancelled_call_is_not_predicted(model):
    calls_at_once(model, *[request_for(model, [0])] * 3, cancelled=1)
    assert model.batches == [2]
