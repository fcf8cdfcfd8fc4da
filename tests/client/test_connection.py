"""How the client connects: deadlines, retries, balancing and TLS, against servers whose responses are scripted."""

# ruff: noqa: N802 # the methods are those of the contract

import json
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from coldstart_client import CallFailed, Client, InvalidCall, Overloaded, Tls, Unreachable
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc

ROOT = Path(__file__).parents[2]
SERVICE = "coldstart.v1.EnjoymentService"


class Scripted(pb_grpc.EnjoymentServiceServicer):
    """Ends its calls with the given status codes, in their order, and answers the calls after them."""

    def __init__(self, *endings, seconds=0.0, pushback=None):
        self.endings = list(endings)
        self.seconds = seconds
        self.pushback = pushback
        self.calls = []
        self._lock = threading.Lock()

    def PredictEnjoyment(self, request, context):
        with self._lock:
            self.calls.append((time.monotonic(), dict(context.invocation_metadata()), context.time_remaining()))
            ending = self.endings.pop(0) if self.endings else None
        time.sleep(self.seconds)
        if ending is not None:
            if self.pushback is not None:
                context.set_trailing_metadata((("grpc-retry-pushback-ms", str(self.pushback)),))
            context.abort(ending, "as scripted")
        return pb.PredictEnjoymentResponse(
            predictions=[pb.Prediction(movie_id=movie_id) for movie_id in request.movie_ids]
        )


@contextmanager
def serving(*servicers, status=None, credentials=None):
    """The address of servers of these servicers, each with the health that `status` says for its place."""
    servers, addresses = [], []
    for number, servicer in enumerate(servicers):
        server = grpc.server(ThreadPoolExecutor(4))
        pb_grpc.add_EnjoymentServiceServicer_to_server(servicer, server)
        healthy = health.HealthServicer()
        healthy.set(SERVICE, (status or {}).get(number, health_pb2.HealthCheckResponse.SERVING))
        health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
        port = (
            server.add_secure_port("127.0.0.1:0", credentials)
            if credentials
            else server.add_insecure_port("127.0.0.1:0")
        )
        addresses.append(f"127.0.0.1:{port}")
        server.start()
        servers.append(server)
    try:
        yield "ipv4:" + ",".join(addresses)
    finally:
        for server in servers:
            server.stop(None).wait()


def test_a_wrong_request_is_not_tried_again():
    servicer = Scripted(grpc.StatusCode.INVALID_ARGUMENT)
    with serving(servicer) as address, Client(address) as client, pytest.raises(InvalidCall):
        client.predict(["a"])
    assert len(servicer.calls) == 1


def test_a_request_that_is_too_large_is_not_sent_at_all():
    servicer = Scripted()
    with serving(servicer) as address, Client(address) as client:
        began = time.monotonic()
        with pytest.raises(InvalidCall, match="larger than 4 MiB") as raised:
            client.predict(["a"], plays=["x" * 250] * 20_000)
        assert time.monotonic() - began < 0.5, "nor tried again"
    assert raised.value.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert not servicer.calls


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED"])
def test_what_may_pass_is_tried_again_within_the_call(code):
    servicer = Scripted(*[grpc.StatusCode[code]] * 3)
    with serving(servicer) as address, Client(address, timeout_seconds=30) as client:
        assert len(client.predict(["a"])) == 1
    assert len(servicer.calls) == 4


def test_four_tries_are_enough():
    servicer = Scripted(*[grpc.StatusCode.RESOURCE_EXHAUSTED] * 9)
    with (
        serving(servicer) as address,
        Client(address, timeout_seconds=30) as client,
        pytest.raises(Overloaded, match="as scripted") as raised,
    ):
        client.predict(["a"])
    assert len(servicer.calls) == 4
    assert raised.value.code == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_the_server_says_how_long_to_wait():
    servicer = Scripted(grpc.StatusCode.RESOURCE_EXHAUSTED, pushback=1500)
    with serving(servicer) as address, Client(address, timeout_seconds=30) as client:
        client.predict(["a"])
    (first, *_), (second, *_) = servicer.calls
    assert second - first >= 1.4, "longer than the client's own first wait"


def test_where_most_calls_fail_they_are_no_longer_tried_again():
    servicer = Scripted(*[grpc.StatusCode.UNAVAILABLE] * 1000)
    with serving(servicer) as address, Client(address, timeout_seconds=0.3) as client:
        for _ in range(60):
            with pytest.raises(Unreachable):
                client.predict(["a"])
        before = len(servicer.calls)
        for _ in range(20):
            with pytest.raises(Unreachable):
                client.predict(["a"])
    assert len(servicer.calls) - before <= 30, "about one try for each call"


def test_every_call_has_a_deadline():
    servicer = Scripted(seconds=1.0)
    with serving(servicer) as address, Client(address, timeout_seconds=0.2) as client:
        with pytest.raises(Unreachable) as raised:
            client.predict(["a"])
        assert raised.value.code == grpc.StatusCode.DEADLINE_EXCEEDED
        with Client(address) as patient:
            patient.predict(["a"])
    assert 3 < servicer.calls[-1][2] < 5.1


def test_calls_go_round_all_servers_that_say_they_serve():
    servicers = [Scripted(), Scripted(), Scripted()]
    stopping = {1: health_pb2.HealthCheckResponse.NOT_SERVING}
    with serving(*servicers, status=stopping) as address, Client(address) as client:
        until = time.monotonic() + 20
        while not all(servicer.calls for servicer in (servicers[0], servicers[2])):
            client.predict(["a"])
            assert time.monotonic() < until
    assert not servicers[1].calls


def workers_of(server):
    """Process ids of a server's workers."""
    pid = server.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_the_death_of_a_worker_costs_no_call(world, start_server):
    server = start_server(world.models, "--workers", "2")
    over, errors, answers = threading.Event(), [], [0] * 2

    def call(number):
        with Client(server.address, timeout_seconds=60) as client:
            while not over.is_set():
                try:
                    answers[number] += len(client.predict(world.movie_ids[:3]))
                    time.sleep(0.05)
                except CallFailed as error:
                    errors.append(error)

    callers = [threading.Thread(target=call, args=(number,)) for number in range(2)]
    for caller in callers:
        caller.start()
    until = time.monotonic() + 60

    def wait_for_answers():
        before = answers[:]
        while not all(now > then for now, then in zip(answers, before, strict=True)):
            assert time.monotonic() < until
            time.sleep(0.05)

    wait_for_answers()
    killed = workers_of(server)[0]
    os.kill(killed, signal.SIGKILL)
    while killed in workers_of(server) or server.metric("coldstart_workers", state="serving") < 2:
        assert time.monotonic() < until
        time.sleep(0.1)
    wait_for_answers()
    over.set()
    for caller in callers:
        caller.join()
    assert not errors


def test_an_address_without_a_server_fails_soon():
    began = time.monotonic()
    with Client("127.0.0.1:1") as client, pytest.raises(Unreachable):
        client.predict(["a"])
    assert time.monotonic() - began < 5.5


def test_a_fault_of_the_service_is_just_a_failed_call():
    with (
        serving(Scripted(grpc.StatusCode.INTERNAL)) as address,
        Client(address) as client,
        pytest.raises(CallFailed) as raised,
    ):
        client.predict(["a"])
    assert type(raised.value) is CallFailed


def test_connections_can_be_encrypted_with_certificates_on_both_sides(certificates):
    read = {file.name: file.read_bytes() for file in certificates.iterdir()}
    credentials = grpc.ssl_server_credentials([(read["server.key"], read["server.pem"])], read["ca.pem"], True)
    servicer = Scripted()
    with serving(servicer, credentials=credentials) as target:
        address = target.removeprefix("ipv4:")
        own = {"cert": certificates / "client.pem", "key": certificates / "client.key"}
        with Client(address, tls=Tls(ca=certificates / "ca.pem", **own), token="t") as client:  # noqa: S106
            assert len(client.predict(["a"])) == 1
        with Client(
            address, tls=Tls(ca=certificates / "ca.pem", server_name="coldstart.test", **own), timeout_seconds=20
        ) as client:
            assert len(client.predict(["a"])) == 1
        for tls in (None, Tls(ca=certificates / "ca.pem"), Tls(**own)):
            with Client(address, tls=tls, timeout_seconds=1) as client, pytest.raises(Unreachable):
                client.predict(["a"])
    assert servicer.calls[0][1]["authorization"] == "Bearer t"
    with pytest.raises(ValueError, match="together"):
        Tls(cert=certificates / "client.pem")


def test_the_service_config_is_one_that_grpc_takes():
    config = json.loads((ROOT / "client" / "coldstart_client" / "service_config.json").read_text())
    [method] = config["methodConfig"]
    assert method["name"] == [{"service": SERVICE}]
    assert method["retryPolicy"]["maxAttempts"] <= 5, "more are cut to five"
    assert config["healthCheckConfig"] == {"serviceName": SERVICE}
