"""What the metrics port answers: /metrics, /healthz and /readyz, each what it says, and nothing else."""

import http.client
import os
import shutil
import signal
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

SERVICE = "coldstart.v1.EnjoymentService"


def request(server, path, method="GET"):
    """The status and the text of a response of the metrics port."""
    connection = http.client.HTTPConnection("127.0.0.1", server.told["metrics_port"], timeout=10)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not within time"
        time.sleep(0.05)


def health(server, service=SERVICE):
    status = health_pb2_grpc.HealthStub(server.channel).Check(health_pb2.HealthCheckRequest(service=service)).status
    return health_pb2.HealthCheckResponse.ServingStatus.Name(status)


@pytest.mark.parametrize(
    ("path", "status", "begins"),
    [
        ("/metrics", 200, "# HELP"),
        ("/metrics?", 200, "# HELP"),
        ("/healthz", 200, "OK\n"),
        ("/readyz", 200, "OK\n"),
        ("/readyz?verbose", 200, "OK\n"),
        ("/", 404, "Not Found\n"),
        ("/metrics/", 404, "Not Found\n"),
        ("/healthz/", 404, "Not Found\n"),
        ("/metricsz", 404, "Not Found\n"),
        ("/favicon.ico", 404, "Not Found\n"),
        ("/../metrics", 404, "Not Found\n"),
    ],
)
def test_each_path_answers_for_itself_and_others_do_not_exist(world, path, status, begins):
    answered = request(world.server, path)
    assert (answered[0], answered[1][: len(begins)]) == (status, begins)


def test_health_is_asked_for_and_nothing_else(world):
    for path in ("/healthz", "/readyz"):
        assert request(world.server, path, "HEAD") == (200, "")
        assert request(world.server, path, "POST") == (405, "Method Not Allowed\n")


def test_a_server_without_a_model_is_healthy_and_ready_only_once_it_has_one(world, start_server, tmp_path):
    store = tmp_path / "models"
    server = start_server(store)
    assert request(server, "/healthz") == (200, "OK\n")
    assert request(server, "/readyz") == (503, "Service Unavailable\n")
    assert (health(server), health(server, "")) == ("NOT_SERVING", "SERVING")
    shutil.copytree(world.models, tmp_path / "copy")
    (tmp_path / "copy").rename(store)
    wait_for(lambda: health(server) == "SERVING")
    assert request(server, "/readyz") == (200, "OK\n")


def test_a_server_is_ready_while_any_of_its_workers_serves(world, start_server):
    server = start_server(world.models, "--workers", "2", "--hang-seconds", "60")
    first, second = server.worker_pids().values()
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: server.metric("coldstart_workers", state="serving") == 1)
    assert request(server, "/readyz") == (200, "OK\n")
    os.kill(second, signal.SIGKILL)
    wait_for(lambda: server.metric("coldstart_workers", state="serving") == 0)
    assert request(server, "/healthz") == (200, "OK\n")
    wait_for(lambda: request(server, "/readyz") == (200, "OK\n"))


def test_a_server_that_is_told_to_stop_is_no_longer_ready(world, start_server):
    server = start_server(world.models, "--drain-seconds", "3")
    server.process.send_signal(signal.SIGTERM)
    wait_for(lambda: request(server, "/readyz")[0] == 503, 2)
    assert request(server, "/healthz") == (200, "OK\n")
    with grpc.insecure_channel(server.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        assert stub.Check(health_pb2.HealthCheckRequest(service=SERVICE)).status == 2, "as gRPC answers"
