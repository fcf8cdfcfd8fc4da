"""The methods of EnjoymentService: decode, predict, encode.

Those that tell many predictions give the bytes of a message, which they can write faster than a message.
"""

# ruff: noqa: ARG002, N802 # the methods are those of the contract

from collections.abc import AsyncIterator
from typing import Any, Protocol

import grpc

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc
from model.facts.member_record import MemberRecord
from service.requests import encode
from service.requests.limits import ID_LENGTH
from service.requests.page_tokens import page_token
from service.rpc.answering import Answering
from service.rpc.outcomes import Outcomes

Context = grpc.aio.ServicerContext[Any, Any]


class MemberSource(Protocol):
    """Something beside the model that knows members."""

    async def find(self, member_id: str) -> MemberRecord | None:
        """What it knows of the member, None where it knows nothing or can't say."""

    async def close(self) -> None:
        """Let go of what it holds."""


class EnjoymentServicer(pb_grpc.EnjoymentServiceServicer):
    """Answers calls that the edge has let through; what goes wrong is raised and told there."""

    def __init__(self, answering: Answering, members: MemberSource | None, outcomes: Outcomes) -> None:
        self._answering = answering
        self._members = members
        self._outcomes = outcomes

    async def PredictEnjoyment(self, request: pb.PredictEnjoymentRequest, context: Context) -> bytes:
        """One prediction for each movie, in the order asked."""
        recorded = await self._recorded(request.member) if self._members else None
        return await self._answering.predict(request, recorded)

    async def StreamPredictEnjoyment(
        self, request_iterator: AsyncIterator[pb.PredictEnjoymentRequest], context: Context
    ) -> AsyncIterator[bytes]:
        """Each request's predictions; the next request is read when they have been taken."""
        async for request in request_iterator:
            yield await self.PredictEnjoyment(request, context)

    async def RankMovies(self, request: pb.RankMoviesRequest, context: Context) -> bytes:
        """One page of the member's ranking."""
        recorded = await self._recorded(request.member) if self._members else None
        with self._answering.begin(request) as answer:
            asked = answer.decode.ranking(request, recorded)
            page = await answer.rank(asked)
            version, rest = answer.model.version, page.next_offset
            token = "" if rest is None else page_token(request, version, rest)
            return encode.ranking_response(page.movie_ids, page.predictions, asked.unused, version, token)

    async def ExplainEnjoyment(
        self, request: pb.ExplainEnjoymentRequest, context: Context
    ) -> pb.ExplainEnjoymentResponse:
        """One prediction and its parts."""
        recorded = await self._recorded(request.member) if self._members else None
        with self._answering.begin(request) as answer:
            asked = answer.decode.explanation(request, recorded)
            explained, suggested = await answer.explain(asked, request.suggest_next_fact)
            return encode.explanation_response(
                asked.movie_ids, explained, suggested, asked.unused, answer.model.version
            )

    async def RecordOutcome(self, request: pb.RecordOutcomeRequest, context: Context) -> pb.RecordOutcomeResponse:
        """Nothing but whether it was known, once it is on disk."""
        return await self._outcomes.record(request)

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:
        """What is known of the model that serves."""
        return encode.model_response(self._answering.model())

    async def _recorded(self, member: pb.Member) -> MemberRecord | None:
        """What the store beside the model says of the member."""
        asked = self._members is not None and 0 < len(member.member_id) <= ID_LENGTH
        return await self._members.find(member.member_id) if self._members and asked else None
