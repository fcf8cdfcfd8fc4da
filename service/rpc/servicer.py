"""The methods of EnjoymentService: decode, predict, encode, count.

A call is answered by one model version from start to end. Responses with many predictions are returned as encoded
bytes, which are faster to write than messages.
"""

# ruff: noqa: ARG002, N802 # the methods are those of the contract

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
import numpy as np

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc
from model.facts.facts import MemberFacts
from model.facts.member_record import MemberRecord
from model.prediction.model import Model, Rows
from model.prediction.next_fact import next_fact
from model.prediction.predictions import Explanation, NextFact, Predictions
from service.models.live_models import LiveModels
from service.models.loading import Served
from service.requests import encode
from service.requests.decode import PredictionQuery, RankingQuery
from service.requests.facts_decoder import UnusedFacts
from service.requests.limits import ID_LENGTH
from service.requests.page_tokens import page_token
from service.rpc.batching import PredictionBatcher
from service.rpc.outcomes import Outcomes
from service.stores.member_source import MemberSource
from service.telemetry.call_sampling import record_answer
from service.telemetry.metrics.service_metrics import Metrics

Context = grpc.aio.ServicerContext[Any, Any]
T = TypeVar("T")

INLINE_MOVIES = 200
INLINE_PLAYED = 2
"""Requests with more movies, or with more movies that the member has played, take milliseconds and so run in a thread,
since all other calls would wait. A played movie costs as much as many others: the member's facts are computed anew
without it.
"""


@dataclass(frozen=True)
class Page:
    """A page of a ranking, best movie first."""

    movie_ids: list[str]
    predictions: Predictions
    next_offset: int | None
    """Position in the whole ranking at which the next page begins; None on the last page."""


class StageTimer:
    """Measures the stages of one answer, which follow one another."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._metrics = metrics
        self._clock = clock
        self._began = clock()

    def finished(self, stage: str) -> None:
        """Measure the stage that ends now; the next one begins."""
        now = self._clock()
        self._metrics.answers.time_stage(stage, now - self._began)
        self._began = now

    def restart(self) -> None:
        """Leave out the time since the last stage."""
        self._began = self._clock()


class EnjoymentServicer(pb_grpc.EnjoymentServiceServicer):
    """Answers calls that the call pipeline has admitted; it also handles every error raised here."""

    def __init__(
        self,
        live: LiveModels,
        members: MemberSource | None,
        outcomes: Outcomes,
        metrics: Metrics,
        background: Executor,
        clock: Callable[[], float],
    ) -> None:
        """`background` runs work that takes milliseconds; `clock` gives seconds from any origin."""
        self._live = live
        self._members = members
        self._outcomes = outcomes
        self._metrics = metrics
        self._background = background
        self._clock = clock
        self._batcher = PredictionBatcher(metrics, clock)

    async def PredictEnjoyment(self, request: pb.PredictEnjoymentRequest, context: Context) -> bytes:
        """One prediction for each movie, in the order of the request."""
        record = await self._record(request.member) if self._members else None
        served = self._live.served(request.member)
        began = self._clock()
        query = served.decode.prediction(request, record)
        self._metrics.answers.time_stage("decode", self._clock() - began)
        if query.catalogue_rows is not None and len(query.catalogue_rows) <= INLINE_MOVIES and not query.played_count:
            rows = Rows(query.member, query.catalogue_rows)
            predictions, response = await self._batcher.predict(served, query, rows)
        else:
            predictions, response = await self._predict_alone(served.model, query)
        self._count(served, query.member, query.unused, predictions)
        self._live.shadow.sample(request, record, served, predictions)
        return response

    async def StreamPredictEnjoyment(
        self, request_iterator: AsyncIterator[pb.PredictEnjoymentRequest], context: Context
    ) -> AsyncIterator[bytes]:
        """The predictions of each request; the next request is read when the caller has taken them."""
        async for request in request_iterator:
            yield await self.PredictEnjoyment(request, context)

    async def RankMovies(self, request: pb.RankMoviesRequest, context: Context) -> bytes:
        """One page of the member's ranking."""
        record = await self._record(request.member) if self._members else None
        served = self._live.served(request.member)
        timer = StageTimer(self._metrics, self._clock)
        query = served.decode.ranking(request, record)
        timer.finished("decode")
        page = await self._rank(served.model, query, timer)
        version, offset = served.model.version, page.next_offset
        token = "" if offset is None else page_token(request, version, offset)
        response = encode.ranking_response(page.movie_ids, page.predictions, query.unused, version, token)
        timer.finished("encode")
        self._count(served, query.member, query.unused, page.predictions, ranked=True)
        return response

    async def ExplainEnjoyment(
        self, request: pb.ExplainEnjoymentRequest, context: Context
    ) -> pb.ExplainEnjoymentResponse:
        """One prediction as a sum of parts."""
        record = await self._record(request.member) if self._members else None
        served = self._live.served(request.member)
        timer = StageTimer(self._metrics, self._clock)
        query = served.decode.explanation(request, record)
        timer.finished("decode")
        explanation, suggestion = await self._explain(served.model, query, request.suggest_next_fact, timer)
        response = encode.explanation_response(
            query.movie_ids, explanation, suggestion, query.unused, served.model.version
        )
        timer.finished("encode")
        self._count(served, query.member, query.unused, explanation.predictions)
        return response

    async def RecordOutcome(self, request: pb.RecordOutcomeRequest, context: Context) -> pb.RecordOutcomeResponse:
        """Whether the outcome was recorded before; answered once it is on disk."""
        return await self._outcomes.record(request)

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:
        """The description of the model that serves."""
        return encode.model_response(self._live.served().model)

    async def _record(self, member: pb.Member) -> MemberRecord | None:
        """The member's record in the store beside the model."""
        if self._members is None or not 0 < len(member.member_id) <= ID_LENGTH:
            return None
        return await self._members.find(member.member_id)

    async def _predict_alone(self, model: Model, query: PredictionQuery) -> tuple[Predictions, bytes]:
        """Predictions and the encoded response of a request that fits no batch."""
        timer = StageTimer(self._metrics, self._clock)
        if len(query.movies) > INLINE_MOVIES or query.played_count > INLINE_PLAYED:
            predictions = await self._in_background(
                timer, lambda: model.predict(query.member, query.movies, timer.finished)
            )
        else:
            predictions = model.predict(query.member, query.movies, timer.finished)
        [response] = encode.prediction_responses([query.movie_ids], [predictions], [query.unused], model.version)
        timer.finished("encode")
        return predictions, response

    async def _rank(self, model: Model, query: RankingQuery, timer: StageTimer) -> Page:
        """The page that a request asks for."""
        end = query.offset + query.page_size
        rows, predictions = await self._in_background(
            timer, lambda: model.rank(query.member, query.allowed, timer.finished, most=end + 1)
        )
        page = predictions.take(np.arange(query.offset, min(end, len(rows))))
        movie_ids = [model.catalogue.movie_ids[row] for row in rows[query.offset : end].tolist()]
        return Page(movie_ids, page, end if end < len(rows) else None)

    async def _explain(
        self, model: Model, query: PredictionQuery, suggest: bool, timer: StageTimer
    ) -> tuple[Explanation, NextFact | None]:
        """The explanation of the one movie, and the fact to ask for next where that is wanted."""
        member, movie = query.member, query.movies[0]
        explanation = await self._in_background(timer, lambda: model.explain(member, movie))
        if not suggest:
            return explanation, None
        return explanation, await self._in_background(timer, lambda: next_fact(model, member, movie))

    async def _in_background(self, timer: StageTimer, work: Callable[[], T]) -> T:
        """Run in a thread; work still queued is dropped when its call is cancelled or its deadline passes."""

        def run() -> T:
            timer.restart()  # waiting for a thread is no stage
            return work()

        result = await asyncio.get_running_loop().run_in_executor(self._background, run)
        timer.restart()
        return result

    def _count(
        self,
        served: Served,
        member: MemberFacts,
        unused: UnusedFacts,
        predictions: Predictions,
        ranked: bool = False,
    ) -> None:
        """Count one answer. Predictions of movies that the model itself has chosen are left out of drift detection."""
        model, metrics = served.model, self._metrics
        metrics.answers.count_unused(unused)
        metrics.answers.count_predictions(predictions, model.schema.scale)
        metrics.drift.count(model, member, unused.unseen_positions, None if ranked else predictions)
        metrics.models.answered_by(served.label)
        record_answer(model.version, predictions.member_evidence)
