"""Compares the client with the contract's descriptor, field by field, through a server that records and fills messages.

It needs nothing but the client and gRPC, so that it also runs as a program where only the client is installed.
"""

# ruff: noqa: ARG002, N802 # names and arguments are given by the gRPC contract

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count

import grpc
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from coldstart_client import Ask, AsyncClient, Client, Movie, Play, Rating
from coldstart_client.answers import as_plain
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc

SERVICE = pb.DESCRIPTOR.services_by_name["EnjoymentService"]
NOW = datetime(2026, 1, 2, 3, 4, 5, 6000, UTC)
UNREAD = {"movie_id", "prior_rating", "movie_evidence", "extrapolation", "title"}
"""Fields of the prediction that was shown which the service doesn't read."""


class Recorder(pb_grpc.EnjoymentServiceServicer):
    """Records all requests, and answers with responses of which every field is set."""

    def __init__(self) -> None:
        self.requests: list[Message] = []
        self.responses: list[Message] = []
        self.choice = 0

    def answer(self, request, kind):
        self.requests.append(request)
        self.responses.append(filled(kind, count(1), self.choice))
        return self.responses[-1]

    def PredictEnjoyment(self, request, context):
        return self.answer(request, pb.PredictEnjoymentResponse)

    def StreamPredictEnjoyment(self, request_iterator, context):
        for request in request_iterator:
            yield self.answer(request, pb.PredictEnjoymentResponse)

    def RankMovies(self, request, context):
        return self.answer(request, pb.RankMoviesResponse)

    def ExplainEnjoyment(self, request, context):
        return self.answer(request, pb.ExplainEnjoymentResponse)

    def SuggestMoviesToRate(self, request, context):
        return self.answer(request, pb.SuggestMoviesToRateResponse)

    def RecordOutcome(self, request, context):
        return self.answer(request, pb.RecordOutcomeResponse)

    def GetModel(self, request, context):
        return self.answer(request, pb.GetModelResponse)


def calls(client):
    """Every method of a client with every argument, as results or coroutines, and whether it is a stream."""
    member = {
        "member_id": "m",
        "attributes": {"text": "a", "number": 1.5, "flag": True},
        "plays": [Play("a", completion=0.5, played_at=NOW)],
        "ratings": [Rating("b", 4, rated_at=NOW)],
    }
    new = Movie("new", release_year=2026, genres=["Drama"], attributes={"length": 90.5})
    yield client.predict(["a"], **member, new_movies=[new])
    yield client.stream([Ask(["a"], **member, new_movies=[new])])
    yield client.rank(**member, page_size=3, page_token="next", genres=["Drama"], years=(1990, 2000))  # noqa: S106
    yield client.suggest(**member, size=3, movies=["a"], genres=["Drama"], years=(1990, 2000))
    yield client.explain("a", **member, suggest_next_fact=True)
    yield client.explain(new, **member)
    shown = predictions_shown()
    yield client.record_outcome(
        "m", "a", rating=4, completion=0.5, happened_at=NOW, shown=(shown, shown.predictions[0]), request_id="key"
    )
    yield client.record_outcome("m", "a", rating_withdrawn=True)
    yield client.model()


def predictions_shown():
    from coldstart_client import Predictions

    return Predictions.of(filled(pb.PredictEnjoymentResponse, count(1), 0))


def blocking(address: str) -> list[object]:
    with Client(address) as client:
        return [next(answer) if hasattr(answer, "__next__") else answer for answer in calls(client)]


async def asynchronous(address: str) -> list[object]:
    async with AsyncClient(address) as client:
        return [await (anext(answer) if hasattr(answer, "__anext__") else answer) for answer in calls(client)]


@contextmanager
def recording() -> Iterator[tuple[Recorder, str]]:
    """A recorder that serves, and its address."""
    recorder = Recorder()
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        pb_grpc.add_EnjoymentServiceServicer_to_server(recorder, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield recorder, f"127.0.0.1:{port}"
        server.stop(None).wait()


def filled(kind: type[Message], numbers: Iterator[int], choice: int) -> Message:
    """A message of which every field is set to a value of its own; `choice` is the member of each oneof that is set."""
    message = kind()
    if kind is Timestamp:
        message.seconds = 1_700_000_000 + next(numbers)
        return message
    for field in message.DESCRIPTOR.fields:
        oneof = field.containing_oneof
        if oneof is not None and len(oneof.fields) > 1 and oneof.fields[choice % len(oneof.fields)] is not field:
            continue
        place = getattr(message, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            key, value = f"key {next(numbers)}", field.message_type.fields_by_name["value"]
            place[key] = f"text {next(numbers)}" if value.type == value.TYPE_STRING else next(numbers) + 0.5
        elif field.message_type is not None:
            inner = filled(field.message_type._concrete_class, numbers, choice)
            place.append(inner) if field.is_repeated else place.CopyFrom(inner)
        else:
            value = scalar(field, numbers)
            place.append(value) if field.is_repeated else setattr(message, field.name, value)
    return message


def scalar(field, numbers):
    if field.type == field.TYPE_STRING:
        return f"text {next(numbers)}"
    if field.type == field.TYPE_BOOL:
        return True
    if field.type == field.TYPE_ENUM:
        return 1
    return next(numbers) + (0.5 if field.type == field.TYPE_DOUBLE else 0)


def set_fields(message: Message) -> set[str]:
    """The fields that are set in a message and in those inside, as `Message.field`."""
    names = set()
    for field, value in message.ListFields():
        names.add(f"{message.DESCRIPTOR.name}.{field.name}")
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        for inner in value.values() if is_map else value if field.is_repeated else [value]:
            if isinstance(inner, Message) and not isinstance(inner, Timestamp):
                names |= set_fields(inner)
    return names


def all_fields(descriptor) -> set[str]:
    """All fields of a message and of those inside, as `Message.field`."""
    names = set()
    for field in descriptor.fields:
        names.add(f"{descriptor.name}.{field.name}")
        inner = field.message_type
        if inner is not None and inner.GetOptions().map_entry:
            inner = inner.fields_by_name["value"].message_type
        if inner is not None and inner.full_name != "google.protobuf.Timestamp":
            names |= all_fields(inner)
    return names


def unsent(requests: list[Message]) -> set[str]:
    """The fields of requests that no call has set."""
    wanted = set().union(*(all_fields(method.input_type) for method in SERVICE.methods))
    wanted -= {f"Prediction.{name}" for name in UNREAD}
    return wanted - set().union(*map(set_fields, requests))


def values_in(plain: object) -> set[str]:
    """All values of an answer as text, keys of dictionaries among them."""
    if isinstance(plain, dict):
        return {str(name) for name in plain} | values_in(list(plain.values()))
    if isinstance(plain, (list, tuple)):
        return set().union(*map(values_in, plain)) if plain else set()
    return {str(plain)}


def leaves(message: Message) -> Iterator[tuple[str, str]]:
    """Every value of a message, as `Message.field` and text; of maps the keys and the values."""
    for field, value in message.ListFields():
        name = f"{message.DESCRIPTOR.name}.{field.name}"
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            yield from ((name, str(part)) for entry in value.items() for part in entry)
            continue
        for inner in value if field.is_repeated else [value]:
            if isinstance(inner, Timestamp):
                yield name, inner.ToDatetime(UTC).isoformat()
            elif isinstance(inner, Message):
                yield from leaves(inner)
            elif field.type != field.TYPE_ENUM:
                yield name, str(inner)


def unread(response: Message, answer: object) -> set[str]:
    """The fields of a response whose values the client's answer lacks."""
    values = values_in(as_plain(answer))
    return {name for name, value in leaves(response) if value not in values}


def missing() -> dict[str, set[str]]:
    """What each of the clients doesn't cover of the contract: fields of requests and of responses."""
    lacking = {}
    for name, call in (("blocking", blocking), ("asyncio", lambda address: asyncio.run(asynchronous(address)))):
        lacking[name] = set()
        with recording() as (recorder, address):
            for recorder.choice in (0, 1):
                recorder.responses.clear()
                for response, answer in zip(recorder.responses, call(address), strict=True):
                    lacking[name] |= unread(response, answer)
            lacking[name] |= unsent(recorder.requests)
            types = {request.DESCRIPTOR for request in recorder.requests}
        lacking[name] |= {method.name for method in SERVICE.methods if method.input_type not in types}
    return lacking


if __name__ == "__main__":
    print(missing())
