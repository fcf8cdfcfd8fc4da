"""The client for asyncio: the same methods as the blocking one."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import grpc

from coldstart_client import requests
from coldstart_client.answers import Explanation, Prediction, Predictions, Ranking, Recorded, ServedModel
from coldstart_client.blocking import STREAM_TIMEOUT_SECONDS, TIMEOUT_SECONDS
from coldstart_client.connection import Tls, channel_options, metadata
from coldstart_client.errors import failed
from coldstart_client.requests import Ask, Attribute, Plays
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc


class AsyncClient:
    """Calls a service; used in an `async with` block, from one event loop. Every method raises CallFailed."""

    def __init__(
        self,
        address: str,
        *,
        tls: Tls | None = None,
        token: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """As for the blocking client."""
        options = channel_options(tls)
        self._channel = (
            grpc.aio.insecure_channel(address, options)
            if tls is None
            else grpc.aio.secure_channel(address, tls.credentials(), options)
        )
        self._stub = pb_grpc.EnjoymentServiceStub(self._channel)  # type: ignore[no-untyped-call] # generated
        self._metadata = metadata(token)
        self._timeout_seconds = timeout_seconds

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End all calls and the connection."""
        await self._channel.close()

    async def predict(
        self,
        movies: Sequence[str],
        *,
        member_id: str = "",
        attributes: Mapping[str, Attribute] | None = None,
        plays: Plays = (),
    ) -> Predictions:
        """One prediction for each movie, 1 to 1,000 of them, in the order asked."""
        request = requests.prediction(Ask(movies, member_id, attributes or {}, plays))
        return Predictions.of(await self._call(self._stub.PredictEnjoyment, request))

    async def rank(
        self,
        *,
        member_id: str = "",
        attributes: Mapping[str, Attribute] | None = None,
        plays: Plays = (),
        page_size: int = 20,
        page_token: str = "",
        genres: Sequence[str] = (),
        years: tuple[int | None, int | None] = (None, None),
    ) -> Ranking:
        """The best movies of the catalogue that the member hasn't played, with any of the genres, of these years."""
        whom = requests.member(member_id, attributes, plays)
        request = requests.ranking(whom, page_size, page_token, genres, years)
        return Ranking.of(await self._call(self._stub.RankMovies, request))

    async def explain(
        self,
        movie: str,
        *,
        member_id: str = "",
        attributes: Mapping[str, Attribute] | None = None,
        plays: Plays = (),
    ) -> Explanation:
        """One prediction, and what each group of facts adds to it."""
        whom = requests.member(member_id, attributes, plays)
        request = pb.ExplainEnjoymentRequest(member=whom, movie_id=movie)
        return Explanation.of(await self._call(self._stub.ExplainEnjoyment, request))

    async def record_outcome(
        self,
        member_id: str,
        movie_id: str,
        *,
        rating: float | None = None,
        completion: float | None = None,
        happened_at: datetime | None = None,
        shown: tuple[Predictions, Prediction] | None = None,
        request_id: str = "",
    ) -> Recorded:
        """Record what a member thought of a movie in the end: a rating, the share that was watched, or both.

        `shown` is the answer and the prediction of it that was acted on. Give a `request_id` of your own where the
        outcome may be sent once more by another program or after a restart; without one, only this call's own tries
        are known to be the same.
        """
        request = requests.outcome(request_id, member_id, movie_id, rating, completion, happened_at, shown)
        return Recorded(request.request_id, (await self._call(self._stub.RecordOutcome, request)).duplicate)

    async def model(self) -> ServedModel:
        """What is known of the model that serves."""
        return ServedModel.of(await self._call(self._stub.GetModel, pb.GetModelRequest()))

    async def stream(
        self, asks: Iterable[Ask], *, timeout_seconds: float = STREAM_TIMEOUT_SECONDS
    ) -> AsyncIterator[Predictions]:
        """The predictions of many requests, in their order; requests are read as fast as answers are taken."""
        call = self._stub.StreamPredictEnjoyment(
            map(requests.prediction, asks), timeout=timeout_seconds, metadata=self._metadata
        )
        try:
            async for message in call:
                yield Predictions.of(message)
        except grpc.RpcError as error:
            raise failed(error) from None
        finally:
            call.cancel()

    async def _call(self, method: Callable[..., Any], request: Any) -> Any:
        try:
            return await method(requests.sendable(request), timeout=self._timeout_seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise failed(error) from None
