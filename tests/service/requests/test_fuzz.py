"""Malformed requests of any kind end with an allowed status code and leave the server healthy."""

import json
from contextlib import suppress

import grpc
import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks import fuzz
from benchmarks.fuzz import ALLOWED, METHODS
from benchmarks.fuzzing import messages, requests

UNARY = [method for method in METHODS if not method.client_streaming]
bounded = settings(
    max_examples=50,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def code_of(channel, method, raw):
    call = channel.unary_unary(f"/{method.containing_service.full_name}/{method.name}").future(raw, timeout=60)
    return call.code().name


@pytest.mark.parametrize("method", UNARY, ids=lambda method: method.name)
@bounded
@given(data=st.data())
def test_any_message_is_answered_or_refused(world, method, data):
    message = data.draw(messages(method.input_type))
    assert code_of(world.server.channel, method, message.SerializeToString()) in ALLOWED


@pytest.mark.parametrize("method", UNARY, ids=lambda method: method.name)
@bounded
@given(data=st.data())
def test_any_bytes_are_answered_or_refused(world, method, data):
    assert code_of(world.server.channel, method, data.draw(requests(method))) in ALLOWED


@bounded
@given(raws=st.lists(st.binary(max_size=40), max_size=4))
def test_random_bytes_in_a_stream_is_answered_or_refused(world, raws):
    stream = world.server.channel.stream_stream("/coldstart.v1.EnjoymentService/StreamPredictEnjoyment")
    call = stream(iter(raws), timeout=60)
    with suppress(grpc.RpcError):
        list(call)
    assert call.code().name in ALLOWED


def declared(descriptor) -> set[str]:
    """The full names of the fields of a message and of those in it; maps count by their values."""
    parts = {field.message_type for field in descriptor.fields if field.message_type is not None}
    own = {field.full_name for field in descriptor.fields if not descriptor.GetOptions().map_entry}
    return own.union(*(declared(part) for part in parts))


def fields_set(message) -> set[str]:
    """The full names of the fields that a message and those in it set."""
    names = set()
    for field, value in message.ListFields():
        names.add(field.full_name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            parts = [part for part in value.values() if isinstance(part, Message)]
        else:
            parts = (value if field.is_repeated else [value]) if field.message_type is not None else []
        names = names.union(*map(fields_set, parts))
    return names


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_messages_set_every_field_of_the_contract(method):
    seen = set()

    @settings(bounded, max_examples=500)
    @given(message=messages(method.input_type))
    def collect(message):
        seen.update(fields_set(message))

    collect()
    assert seen == declared(method.input_type)


def test_hundreds_of_requests_at_a_time_leave_a_server_healthy(world, capsys):
    code = fuzz.main(["--address", world.server.address, "--requests", "500"])
    report = json.loads(capsys.readouterr().out)
    assert report["bad"] == []
    assert "internal_error" not in {line["event"] for line in world.server.log()}
    assert report["alive"]
    assert code == 0
    assert min(report["codes"].get(code, 0) for code in ("OK", "INVALID_ARGUMENT")) > 25, "both ends are reached"
    assert sum(report["codes"].values()) == 500
