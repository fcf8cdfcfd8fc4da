"""The client for ordinary code, whose calls wait for their answers."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import grpc

from coldstart_client import requests
from coldstart_client.answers import Explanation, Prediction, Predictions, Ranking, Recorded, ServedModel
from coldstart_client.connection import Tls, channel_options, metadata
from coldstart_client.errors import failed
from coldstart_client.requests import Ask, Attribute, Plays
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc

TIMEOUT_SECONDS = 5.0
STREAM_TIMEOUT_SECONDS = 3600.0


class Client:
    """Calls a service; used in a `with` block, from any thread. Every method raises CallFailed."""

    def __init__(
        self,
        address: str,
        *,
        tls: Tls | None = None,
        token: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """The address is `host:port`, or any that gRPC knows, as `dns:///host:port`; calls go to all that it names.

        Without `tls` the connection isn't encrypted. Each call, with all its tries, may take `timeout_seconds`.
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
        """End all calls and the connection."""
        self._channel.close()

    def predict(
        self,
        movies: Sequence[str],
        *,
        member_id: str = "",
        attributes: Mapping[str, Attribute] | None = None,
        plays: Plays = (),
    ) -> Predictions:
        """One prediction for each movie, 1 to 1,000 of them, in the order asked."""
        request = requests.prediction(Ask(movies, member_id, attributes or {}, plays))
        return Predictions.of(self._call(self._stub.PredictEnjoyment, request))

    def rank(
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
        return Ranking.of(self._call(self._stub.RankMovies, request))

    def explain(
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
        return Explanation.of(self._call(self._stub.ExplainEnjoyment, request))

    def record_outcome(
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
        return Recorded(request.request_id, self._call(self._stub.RecordOutcome, request).duplicate)

    def model(self) -> ServedModel:
        """What is known of the model that serves."""
        return ServedModel.of(self._call(self._stub.GetModel, pb.GetModelRequest()))

    def stream(self, asks: Iterable[Ask], *, timeout_seconds: float = STREAM_TIMEOUT_SECONDS) -> Iterator[Predictions]:
        """The predictions of many requests, in their order; requests are read as fast as answers are taken."""
        call = self._stub.StreamPredictEnjoyment(
            map(requests.prediction, asks), timeout=timeout_seconds, metadata=self._metadata
        )
        try:
            for message in call:
                yield Predictions.of(message)
        except grpc.RpcError as error:
            raise failed(error) from None
        finally:
            call.cancel()

    def _call(self, method: Callable[..., Any], request: Any) -> Any:
        try:
            return method(requests.sendable(request), timeout=self._timeout_seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise failed(error) from None
