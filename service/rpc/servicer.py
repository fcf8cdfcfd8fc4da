"""The methods of EnjoymentService: each decodes the request, predicts, encodes the response and updates metrics.

Each request is answered by a single model version. Responses with many predictions are returned as encoded bytes,
because these are faster to create than messages.
"""

# ruff: noqa: ARG002, N802 # names and arguments are given by the gRPC contract

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
from model.facts.stored_member import StoredMember
from model.prediction.interview import movies_to_ask
from model.prediction.model import Model
from model.prediction.next_fact import next_fact
from model.prediction.predictions import Explanation, NextFact, Predictions
from service.models.live_models import LiveModels
from service.models.loading import Served
from service.requests import encode
from service.requests.decode import PredictionQuery, RankingQuery, UnusedFacts
from service.requests.limits import ID_LENGTH
from service.requests.page_tokens import page_token
from service.rpc.batching import INLINE_MOVIES, Answer, PredictionBatcher, PredictionCall
from service.rpc.outcomes import Outcomes
from service.stores.member_source import MemberSource
from service.telemetry.call_sampling import record_answer, traced_call
from service.telemetry.metrics.service_metrics import Metrics

Context = grpc.aio.ServicerContext[Any, Any]
T = TypeVar("T")

INLINE_PLAYED = 2
"""Maximum number of played movies in a request that is answered on the event loop; other requests run in a thread.

A played movie is costly to predict, because the member's features are computed again without that play.
"""


@dataclass(frozen=True)
class Page:
    """A page of the movies in order of predicted rating, best first."""

    movie_ids: list[str]
    predictions: Predictions
    next_offset: int | None
    """Position in the ranking at which the next page starts; None if this is the last page."""


class StageTimer:
    """Measures how long each stage of one answer takes, such as decoding, for the metrics and the call's trace.

    It must be created in the task of the call, and may be used in a thread.
    """

    def __init__(self, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._metrics = metrics
        self._clock = clock
        self._traced = traced_call()
        self._began = clock()

    def finished(self, stage: str) -> None:
        """Record the duration of a stage that ends now, and start timing the next stage."""
        now = self._clock()
        self._metrics.answers.time_stage(stage, now - self._began)
        if self._traced is not None:
            self._traced.add_stage(stage, self._began, now)
        self._began = now

    def restart(self) -> None:
        """Restart the timer, so that the time since the last stage, such as waiting for a thread, is not counted."""
        self._began = self._clock()


class EnjoymentServicer(pb_grpc.EnjoymentServiceServicer):
    """The methods of the gRPC service, for calls that admission control has let in.

    Errors raised here are converted to gRPC statuses by the call pipeline.
    """

    def __init__(
        self,
        live: LiveModels,
        members: MemberSource | None,
        outcomes: Outcomes,
        metrics: Metrics,
        background: Executor,
        clock: Callable[[], float],
    ) -> None:
        """Set up the servicer.

        Args:
            live: The models being served.
            members: Store of member records; None to use only the model's own member table.
            outcomes: Records outcomes.
            metrics: Metrics of this worker.
            background: Runs work that would block the event loop for milliseconds.
            clock: Returns seconds from an arbitrary origin.
        """
        self._live = live
        self._members = members
        self._outcomes = outcomes
        self._metrics = metrics
        self._background = background
        self._clock = clock
        self._batcher = PredictionBatcher(metrics, clock)

    async def PredictEnjoyment(self, request: pb.PredictEnjoymentRequest, context: Context) -> bytes:
        """Predict the enjoyment of each movie, in the order of the request: movie_ids, then the other new_movies."""
        record = await self._record(request.member) if self._members else None
        served = self._live.served(request.member)
        call = PredictionCall(served, request, record)
        await self._batcher.process(call)
        query = call.query
        predictions, response = call.answer or await self._predict_alone(served.model, query)
        self._count(served, query.member, query.unused, predictions)
        self._live.shadow.sample(request, record, served, predictions)
        return response

    async def StreamPredictEnjoyment(
        self, request_iterator: AsyncIterator[pb.PredictEnjoymentRequest], context: Context
    ) -> AsyncIterator[bytes]:
        """Answer the requests of a stream one by one. Each request is read after the previous response was written."""
        async for request in request_iterator:
            yield await self.PredictEnjoyment(request, context)

    async def RankMovies(self, request: pb.RankMoviesRequest, context: Context) -> bytes:
        """Return one page of the movies that the member hasn't played, in order of predicted rating, best first."""
        record = await self._record(request.member) if self._members else None
        served = self._live.served(request.member)
        timer = StageTimer(self._metrics, self._clock)
        query = served.decode.ranking(request, record)
        timer.finished("decode")
        page = await self._rank(served.model, query, timer)
        version, offset = served.model.version, page.next_offset
        token = "" if offset is None else page_token(request, version, offset)
        response = encode.ranking_response(page.movie_ids, page.predictions, query.unused, served.model, token)
        timer.finished("encode")
        self._count(served, query.member, query.unused, page.predictions, ranked=True)
        return response

    async def ExplainEnjoyment(
        self, request: pb.ExplainEnjoymentRequest, context: Context
    ) -> pb.ExplainEnjoymentResponse:
        """Return a prediction and what adds up to it, and, on request, which fact to ask the member for next."""
        record = await self._record(request.member) if self._members else None
        served = self._live.served(request.member)
        timer = StageTimer(self._metrics, self._clock)
        query = served.decode.explanation(request, record)
        timer.finished("decode")
        explanation, suggestion = await self._explain(served.model, query, request.suggest_next_fact, timer)
        response = encode.explanation_response(query.movie_ids, explanation, suggestion, query.unused, served.model)
        timer.finished("encode")
        self._count(served, query.member, query.unused, explanation.predictions)
        return response

    async def SuggestMoviesToRate(
        self, request: pb.SuggestMoviesToRateRequest, context: Context
    ) -> pb.SuggestMoviesToRateResponse:
        """Return the movies whose ratings by the member would narrow the intervals of the catalogue most."""
        record = await self._record(request.member) if self._members else None
        served = self._live.served(request.member)
        timer = StageTimer(self._metrics, self._clock)
        query = served.decode.suggestion(request, record)
        timer.finished("decode")
        interview = await self._in_background(
            timer, lambda: movies_to_ask(served.model, query.member, query.allowed, query.size, timer.finished)
        )
        response = encode.suggestion_response(interview, query.unused, served.model)
        timer.finished("encode")
        self._count_facts(served, query.member, query.unused)
        record_answer(served.model.version, interview.member_evidence)
        return response

    async def RecordOutcome(self, request: pb.RecordOutcomeRequest, context: Context) -> pb.RecordOutcomeResponse:
        """Record what a member thought of a movie: a rating, its withdrawal or a completion.

        Respond once it is on disk, and report whether it was already recorded before, and whether it counts already.
        """
        return await self._outcomes.record(request)

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:
        """Return the version, data, scale, attributes, genres and scores of the current model."""
        return encode.model_response(self._live.served().model)

    async def _record(self, member: pb.Member) -> StoredMember | None:
        """Look the member up in the external store. Returns None if there is no store or no valid id."""
        if self._members is None or not 0 < len(member.member_id) <= ID_LENGTH:
            return None
        timer = StageTimer(self._metrics, self._clock)
        record = await self._members.find(member.member_id)
        timer.finished("lookup")
        return record

    async def _predict_alone(self, model: Model, query: PredictionQuery) -> Answer:
        """Answer a call of PredictEnjoyment that can't be part of a batch."""
        timer = StageTimer(self._metrics, self._clock)
        if len(query.movies) > INLINE_MOVIES or query.played_count > INLINE_PLAYED:
            predictions = await self._in_background(
                timer, lambda: model.predict(query.member, query.movies, timer.finished)
            )
        else:
            predictions = model.predict(query.member, query.movies, timer.finished)
        [response] = encode.prediction_responses([query.movie_ids], [predictions], [query.unused], model)
        timer.finished("encode")
        return Answer(predictions, response)

    async def _rank(self, model: Model, query: RankingQuery, timer: StageTimer) -> Page:
        """Rank the movies for a member and return the requested page."""
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
        """Return the explanation of a prediction and the next fact to ask the member for.

        Returns None instead of the fact if `suggest` is False.
        """
        member, movie = query.member, query.movies[0]
        explanation = await self._in_background(timer, lambda: model.explain(member, movie))
        if not suggest:
            return explanation, None
        return explanation, await self._in_background(timer, lambda: next_fact(model, member, movie))

    async def _in_background(self, timer: StageTimer, work: Callable[[], T]) -> T:
        """Run work in a background thread. Queued work is dropped if its call is cancelled or its deadline passes."""

        def run() -> T:
            timer.restart()  # waiting for a thread is not part of a stage
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
        """Count one answer for the metrics.

        Drift detection of predictions excludes rankings, because the model chose their movies.
        """
        self._metrics.answers.count_predictions(predictions, served.model.schema.scale)
        self._count_facts(served, member, unused, None if ranked else predictions)
        record_answer(served.model.version, predictions.member_evidence)

    def _count_facts(
        self, served: Served, member: MemberFacts, unused: UnusedFacts, predictions: Predictions | None = None
    ) -> None:
        """Count what one request says of the member, and the predictions that drift detection includes."""
        self._metrics.answers.count_unused(unused)
        self._metrics.drift.count(served.model, member, unused.unseen_positions, predictions)
        self._metrics.models.answered_by(served.label)
