"""The asyncio client, with the same methods as the blocking client."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, SupportsFloat, SupportsIndex

import grpc

from coldstart_client import requests
from coldstart_client.answers import Explanation, Prediction, Predictions, Ranking, Recorded, ServedModel, Suggestions
from coldstart_client.blocking import STREAM_TIMEOUT_SECONDS, TIMEOUT_SECONDS
from coldstart_client.connection import Tls, channel_options, metadata, sendable
from coldstart_client.errors import failed
from coldstart_client.requests import Ask, Attribute, Id, Moment, Movie, Plays, Ratings, Requests, Years
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc


class AsyncClient:
    """An asyncio client of the service, best used in an `async with` block. All calls raise CallFailed if they fail.

    It belongs to one event loop.
    """

    def __init__(
        self,
        address: str,
        *,
        tls: Tls | None = None,
        token: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """Open a channel. The arguments are the same as for `Client`."""
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
        """Cancel running calls and close the channel."""
        await self._channel.close()

    async def predict(
        self,
        movies: Iterable[Id] = (),
        *,
        member_id: Id | None = "",
        attributes: Mapping[str, Attribute] | None = None,
        plays: Plays | None = (),
        ratings: Ratings | None = (),
        new_movies: Iterable[Movie] | None = (),
    ) -> Predictions:
        """Predict a member's ratings of 1 to 1,000 movies: `movies` in their order, then the other `new_movies`.

        `new_movies` describes movies that the catalogue may lack, among them those that are also in `movies`.
        """
        request = requests.prediction(Ask(movies, member_id, attributes, plays, ratings, new_movies))
        return Predictions.of(await self._call(self._stub.PredictEnjoyment, request))

    async def rank(
        self,
        *,
        member_id: Id | None = "",
        attributes: Mapping[str, Attribute] | None = None,
        plays: Plays | None = (),
        ratings: Ratings | None = (),
        page_size: SupportsIndex = 20,
        page_token: str = "",
        genres: Iterable[str] | None = (),
        years: Years = (None, None),
    ) -> Ranking:
        """Rank the movies in the catalogue that the member hasn't played or rated, and return one page of them.

        If `genres` is given, only movies of any of these genres are ranked. `years` is the first and the last release
        year to include; None means no limit.
        """
        whom = requests.member(member_id, attributes, plays, ratings)
        request = requests.ranking(whom, page_size, page_token, genres, years)
        return Ranking.of(await self._call(self._stub.RankMovies, request))

    async def suggest(
        self,
        *,
        member_id: Id | None = "",
        attributes: Mapping[str, Attribute] | None = None,
        plays: Plays | None = (),
        ratings: Ratings | None = (),
        size: SupportsIndex = 10,
        movies: Iterable[Id] | None = (),
        genres: Iterable[str] | None = (),
        years: Years = (None, None),
    ) -> Suggestions:
        """Return the movies whose ratings by the member would narrow the intervals of the catalogue most, best first.

        Each movie is weighed by the chance that the member has seen it. `movies`, if given, are those to choose from;
        `genres` and `years` are as for `rank`.
        """
        whom = requests.member(member_id, attributes, plays, ratings)
        request = requests.suggestions(whom, size, movies, genres, years)
        return Suggestions.of(await self._call(self._stub.SuggestMoviesToRate, request))

    async def explain(
        self,
        movie: Id | Movie,
        *,
        member_id: Id | None = "",
        attributes: Mapping[str, Attribute] | None = None,
        plays: Plays | None = (),
        ratings: Ratings | None = (),
        suggest_next_fact: bool = False,
    ) -> Explanation:
        """Predict a member's rating of a movie, and return what each group of facts, such as plays, adds to it.

        With `suggest_next_fact`, which takes longer, also the fact to ask the member for next.
        """
        whom = requests.member(member_id, attributes, plays, ratings)
        request = requests.explanation(whom, movie, suggest_next_fact)
        return Explanation.of(await self._call(self._stub.ExplainEnjoyment, request))

    async def record_outcome(
        self,
        member_id: Id,
        movie_id: Id,
        *,
        rating: SupportsFloat | None = None,
        completion: SupportsFloat | None = None,
        happened_at: Moment | None = None,
        shown: tuple[Predictions, Prediction] | None = None,
        request_id: Id | None = "",
        rating_withdrawn: bool = False,
    ) -> Recorded:
        """Record a member's rating of a movie or its withdrawal, the share of the movie that was watched, or both.

        Args:
            member_id: Id of the member.
            movie_id: Id of the movie.
            rating: Rating on the model's rating scale.
            completion: Share of the movie that was watched, 0 to 1.
            happened_at: Time of the outcome, in UTC if it has no time zone; by default, the time of the call.
            shown: A response and the prediction in it that was shown to the member, if any.
            request_id: Idempotency key. Needed if another process or a later run may send the same outcome. By default,
                a new key is used, which protects only against duplicates by retries of this call.
            rating_withdrawn: Whether the member takes the rating of this movie back; not together with `rating`.
        """
        request = requests.outcome(
            request_id, member_id, movie_id, rating, completion, happened_at, shown, rating_withdrawn
        )
        return Recorded.of(request, await self._call(self._stub.RecordOutcome, request))

    async def model(self) -> ServedModel:
        """Return a description of the model that the service serves."""
        return ServedModel.of(await self._call(self._stub.GetModel, pb.GetModelRequest()))

    async def stream(
        self, asks: Iterable[Ask], *, timeout_seconds: float = STREAM_TIMEOUT_SECONDS
    ) -> AsyncIterator[Predictions]:
        """Yield the predictions for many members, in the order of `asks`, which is read lazily, over one stream.

        An error in `asks`, or a value that can't be sent, is raised after the responses to the requests before it.
        """
        messages = Requests(asks)
        call = self._stub.StreamPredictEnjoyment(messages, timeout=timeout_seconds, metadata=self._metadata)
        try:
            async for message in call:
                yield Predictions.of(message)
            messages.finish()
        except grpc.RpcError as error:
            raise failed(error) from None
        finally:
            call.cancel()

    async def _call(self, method: Callable[..., Any], request: Any) -> Any:
        try:
            return await method(sendable(request), timeout=self._timeout_seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise failed(error) from None
