"""The methods of EnjoymentService: decode, predict, encode."""

# ruff: noqa: ARG002, N802 # the methods are those of the contract

from collections.abc import AsyncIterator
from typing import Any

import grpc

from protos.coldstart.v1 import enjoyment_service_pb2 as pb
from protos.coldstart.v1 import enjoyment_service_pb2_grpc as pb_grpc
from service import encode
from service.answering import Answering
from service.paging import page_token

Context = grpc.aio.ServicerContext[Any, Any]


class EnjoymentServicer(pb_grpc.EnjoymentServiceServicer):
    """Answers calls that the edge has let through; what goes wrong is raised and told there."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    async def PredictEnjoyment(
        self, request: pb.PredictEnjoymentRequest, context: Context
    ) -> pb.PredictEnjoymentResponse:
        """One prediction for each movie, in the order asked."""
        with self._answering.begin(request) as answer:
            asked = answer.decode.prediction(request)
            predicted = await answer.predict(asked)
            return encode.prediction_response(asked.movie_ids, predicted, asked.unused, answer.model.version)

    async def StreamPredictEnjoyment(
        self, request_iterator: AsyncIterator[pb.PredictEnjoymentRequest], context: Context
    ) -> AsyncIterator[pb.PredictEnjoymentResponse]:
        """Each request's predictions; the next request is read when they have been taken."""
        async for request in request_iterator:
            yield await self.PredictEnjoyment(request, context)

    async def RankMovies(self, request: pb.RankMoviesRequest, context: Context) -> pb.RankMoviesResponse:
        """One page of the member's ranking."""
        with self._answering.begin(request) as answer:
            asked = answer.decode.ranking(request)
            page = await answer.rank(asked)
            version, rest = answer.model.version, page.next_offset
            token = "" if rest is None else page_token(request, version, rest)
            return encode.ranking_response(page.movie_ids, page.predictions, asked.unused, version, token)

    async def ExplainEnjoyment(
        self, request: pb.ExplainEnjoymentRequest, context: Context
    ) -> pb.ExplainEnjoymentResponse:
        """One prediction and its parts."""
        with self._answering.begin(request) as answer:
            asked = answer.decode.explanation(request)
            explained, suggested = await answer.explain(asked, request.suggest_next_fact)
            return encode.explanation_response(
                asked.movie_ids, explained, suggested, asked.unused, answer.model.version
            )

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:
        """What is known of the model that serves."""
        return encode.model_response(self._answering.model())
