"""Random requests and bytes are answered or refused with a fitting status, and the server keeps running."""

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.fuzz import ALLOWED, METHODS
from benchmarks.fuzzing import message_of, request_of

ROOT = Path(__file__).parents[3]
UNARY = [method for method in METHODS if not method.client_streaming]
bounded = settings(
    max_examples=150,
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
@given(chance=st.randoms(use_true_random=False))
def test_a_message_of_any_shape_is_answered_or_refused(world, method, chance):
    assert code_of(world.server.channel, method, message_of(method, chance).SerializeToString()) in ALLOWED


@pytest.mark.parametrize("method", UNARY, ids=lambda method: method.name)
@bounded
@given(chance=st.randoms(use_true_random=False))
def test_bytes_of_any_kind_are_answered_or_refused(world, method, chance):
    assert code_of(world.server.channel, method, request_of(method, chance)) in ALLOWED


@bounded
@given(raws=st.lists(st.binary(max_size=40), max_size=4))
def test_noise_in_a_stream_is_answered_or_refused(world, raws):
    stream = world.server.channel.stream_stream("/coldstart.v1.EnjoymentService/StreamPredictEnjoyment")
    call = stream(iter(raws), timeout=60)
    with suppress(grpc.RpcError):
        list(call)
    assert call.code().name in ALLOWED


def test_thousands_of_requests_leave_a_server_well(world):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fuzz", "--models", str(world.models), "--requests", "2000"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False, timeout=250,
    )  # fmt: skip
    report = json.loads(done.stdout)
    assert report["bad"] == []
    assert report["internal_errors_logged"] == 0
    assert report["alive"]
    assert done.returncode == 0
    assert min(report["codes"].get(code, 0) for code in ("OK", "INVALID_ARGUMENT")) > 100, "both ends are reached"
    assert sum(report["codes"].values()) == 2000
