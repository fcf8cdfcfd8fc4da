"""The blocking client: a method for each call of the service."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self, SupportsFloat, SupportsIndex

import grpc

from coldstart_client import requests
from coldstart_client.answers import Explanation, Prediction, Predictions, Ranking, Recorded, ServedModel, Suggestions
from coldstart_client.connection import Tls, channel_options, metadata, sendable
from coldstart_client.errors import failed
from coldstart_client.requests import Ask, Attribute, Id, Moment, Movie, Plays, Ratings, Requests, Years
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc

TIMEOUT_SECONDS = 5.0
STREAM_TIMEOUT_SECONDS = 3600.0


class Client:
    """A blocking client of the service for use from any thread, best in a `with` block.

    All calls raise CallFailed if they fail.
    """

    def __init__(
        self,
        address: str,
        *,
        tls: Tls | None = None,
        token: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """Open a channel, which connects at the first call.

        Args:
            address: `host:port` or any other gRPC target, such as `dns:///host:port`. Calls are balanced over all
                addresses that it resolves to.
            tls: TLS settings; None for an unencrypted connection.
            token: Bearer token to send with each call; None for no token.
            timeout_seconds: Deadline of each call, including its retries. `stream` has its own.
        """
        options = channel_options(tls)
        self._channel = (
            grpc.insecure_channel(address, options)
            if tls is None
            else grpc.secure_channel(address, tls.credentials(), options)
        )
        self._stub = pb_grpc.EnjoymentServiceStub(self._channel)  # type: ignore[no-untyped-call] # generated
        self._metadata = metadata(token)
        self._timeout_seconds = timeout_seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Cancel running calls and close the channel."""
        self._channel.close()

    def predict(
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
        return Predictions.of(self._call(self._stub.PredictEnjoyment, request))

    def rank(
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
        return Ranking.of(self._call(self._stub.RankMovies, request))

    def suggest(
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
        return Suggestions.of(self._call(self._stub.SuggestMoviesToRate, request))

    def explain(
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
        return Explanation.of(self._call(self._stub.ExplainEnjoyment, request))

    def record_outcome(
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
        return Recorded.of(request, self._call(self._stub.RecordOutcome, request))

    def model(self) -> ServedModel:
        """Return a description of the model that the service serves."""
        return ServedModel.of(self._call(self._stub.GetModel, pb.GetModelRequest()))

    def stream(self, asks: Iterable[Ask], *, timeout_seconds: float = STREAM_TIMEOUT_SECONDS) -> Iterator[Predictions]:
        """Yield the predictions for many members, in the order of `asks`, which is read lazily, over one stream.

        An error in `asks`, or a value that can't be sent, is raised after the responses to the requests before it.
        """
        messages = Requests(asks)
        call = self._stub.StreamPredictEnjoyment(messages, timeout=timeout_seconds, metadata=self._metadata)
        try:
            for message in call:
                yield Predictions.of(message)
            messages.finish()
        except grpc.RpcError as error:
            raise failed(error) from None
        finally:
            call.cancel()

    def _call(self, method: Callable[..., Any], request: Any) -> Any:
        try:
            return method(sendable(request), timeout=self._timeout_seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise failed(error) from None
