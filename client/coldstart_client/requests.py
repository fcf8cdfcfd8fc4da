"""Functions and types for building request messages from Python values."""

import calendar
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from coldstart_client.answers import Prediction, Predictions, evidence_name
from coldstart_client.connection import MESSAGE_BYTES
from coldstart_client.errors import InvalidCall
from coldstart_client.v1 import enjoyment_service_pb2 as pb

Attribute: TypeAlias = str | bool | float | None
"""Value of an attribute: a category, a flag or a number. None means unknown and is not sent."""


@dataclass(frozen=True)
class Play:
    """A movie that the member watched, at least in part."""

    movie_id: str
    completion: float | None = None
    """Share of the movie that was watched, 0 to 1; None if unknown."""
    played_at: datetime | None = None
    """Time of the play, in UTC if it has no time zone; None if unknown."""


Plays: TypeAlias = Iterable[str | Play]
"""Plays of a member. A movie id is enough if nothing else is known about a play."""


@dataclass(frozen=True)
class Ask:
    """A request for `Client.stream`; the fields are the arguments of `Client.predict`."""

    movies: Sequence[str]
    member_id: str = ""
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    plays: Plays = ()


def member(member_id: str, attributes: Mapping[str, Attribute] | None, plays: Plays) -> pb.Member:
    """Build a message from a member's id, attributes and plays."""
    message = pb.Member(member_id=member_id)
    for name, value in (attributes or {}).items():
        if value is not None:
            message.attributes[name].CopyFrom(_attribute(value))
    for play in plays:
        _add_play(message, Play(play) if isinstance(play, str) else play)
    return message


def prediction(ask: Ask) -> pb.PredictEnjoymentRequest:
    """Build a request for PredictEnjoyment or StreamPredictEnjoyment."""
    return pb.PredictEnjoymentRequest(
        member=member(ask.member_id, ask.attributes, ask.plays), movie_ids=_ids(ask.movies)
    )


def ranking(
    whom: pb.Member,
    page_size: int,
    page_token: str,
    genres: Sequence[str],
    years: tuple[int | None, int | None],
) -> pb.RankMoviesRequest:
    """Build a request for RankMovies. `years` is the first and the last release year, None for no limit."""
    limits: dict[str, Any] = {
        name: year
        for name, year in zip(("min_release_year", "max_release_year"), years, strict=True)
        if year is not None
    }
    return pb.RankMoviesRequest(member=whom, page_size=page_size, page_token=page_token, genres=_ids(genres), **limits)


def outcome(
    request_id: str,
    member_id: str,
    movie_id: str,
    rating: float | None,
    completion: float | None,
    happened_at: datetime | None,
    shown: tuple[Predictions, Prediction] | None,
) -> pb.RecordOutcomeRequest:
    """Build a request for RecordOutcome. `shown` is a response and one of its predictions."""
    request = pb.RecordOutcomeRequest(
        request_id=request_id or str(uuid.uuid4()), member_id=member_id, movie_id=movie_id,
        rating=rating, completion=completion,
    )  # fmt: skip
    if happened_at is not None:
        _set_time(request.happened_at, happened_at)
    if shown is not None:
        answer, predicted = shown
        request.shown.prediction.rating, request.shown.prediction.lower = predicted.rating, predicted.lower
        request.shown.prediction.upper = predicted.upper
        request.shown.prediction.probability_enjoyed = predicted.probability_enjoyed
        evidence: Any = pb.MemberEvidence.Value(evidence_name(answer.member_evidence))
        request.shown.member_evidence = evidence
        request.shown.model_version = answer.model_version
    return request


def sendable(request: Message) -> Message:
    """Return the request. Raises InvalidCall if it is too large for the service, since gRPC would retry the call."""
    if request.ByteSize() > MESSAGE_BYTES:
        message = f"the request is larger than {MESSAGE_BYTES // 1024**2} MiB: ask for less at once"
        raise InvalidCall(grpc.StatusCode.RESOURCE_EXHAUSTED, message)
    return request


def _ids(given: Sequence[str]) -> Sequence[str]:
    """Return the ids. Raises TypeError for a string, whose characters would otherwise be treated as ids."""
    if isinstance(given, str):
        raise TypeError("give a list of texts, not one text")
    return given


def _attribute(value: str | bool | float) -> pb.AttributeValue:
    if isinstance(value, str):
        return pb.AttributeValue(text=value)
    if isinstance(value, bool):
        return pb.AttributeValue(flag=value)
    return pb.AttributeValue(number=value)


def _add_play(message: pb.Member, play: Play) -> None:
    added = message.plays.add(movie_id=play.movie_id)
    if play.completion is not None:
        added.completion = play.completion
    if play.played_at is not None:
        _set_time(added.played_at, play.played_at)


def _set_time(field: Timestamp, moment: datetime) -> None:
    field.seconds = calendar.timegm(moment.utctimetuple())
    field.nanos = moment.microsecond * 1000
