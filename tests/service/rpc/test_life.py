"""Begin and end of a server: signals, ports, exit codes, the probe."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from coldstart_client.v1 import enjoyment_service_pb2 as pb

NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
ROOT = Path(__file__).parents[3]


def run(*arguments, environment=None):
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | (environment or {}),
    )


EVENTS = ["model_loaded", "worker_serves", "serving", "stopping", "stopped"]


def events(server):
    return [line["event"] for line in server.log()]


def test_a_stopping_server_takes_calls_while_clients_turn_away_and_finishes_its_streams(world, start_server):
    server = start_server(world.models, "--drain-seconds", "1.2")
    request = pb.PredictEnjoymentRequest(movie_ids=["a"])
    go_on = threading.Event()

    def requests():
        yield request
        go_on.wait(20)
        for _ in range(50):
            yield request

    answers = server.stub.StreamPredictEnjoyment(requests())
    next(answers)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert health_pb2_grpc.HealthStub(server.channel).Check(health_pb2.HealthCheckRequest()).status == NOT_SERVING
    assert server.stub.PredictEnjoyment(request).predictions
    assert server.metric("coldstart_ready") == 0
    time.sleep(1.5)
    assert server.process.poll() is None, "it waits for the stream"
    go_on.set()
    assert len(list(answers)) == 50
    assert answers.code() == grpc.StatusCode.OK
    assert server.process.wait(5) == 0
    assert events(server) == EVENTS


def test_an_interrupt_cuts_the_calls_that_outlast_the_grace(world, start_server):
    server = start_server(world.models, "--grace-seconds", "0.5")
    held = threading.Event()
    answers = server.stub.StreamPredictEnjoyment(pb.PredictEnjoymentRequest() for _ in range(1) if held.wait(20))
    time.sleep(0.3)
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(5) == 0
    assert events(server) == EVENTS
    with pytest.raises(grpc.RpcError):
        next(answers)
    held.set()


def test_no_call_under_way_is_lost_by_a_stop(world, start_server):
    server = start_server(world.models, "--workers", "2", "--drain-seconds", "3")  # until a slow machine has begun all
    calls = [
        server.stub.RankMovies.future(pb.RankMoviesRequest(page_size=1000), wait_for_ready=True) for _ in range(20)
    ]
    calls[0].result()
    server.process.terminate()
    assert {call.code() for call in calls} == {grpc.StatusCode.OK}
    assert server.process.wait(15) == 0


def test_a_taken_port_is_explained(world):
    taken = str(world.server.told["port"])
    ended = run("service", "--models", str(world.models), "--port", taken, "--metrics-port", "0")
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        f"error: can't serve on 127.0.0.1:{taken}: is the port taken? Choose another --port"
    ]


def test_a_taken_metrics_port_is_explained(world):
    taken = str(world.server.told["metrics_port"])
    ended = run("service", "--models", str(world.models), "--port", "0", "--metrics-port", taken)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        f"error: can't serve metrics on 127.0.0.1:{taken}: is the port taken? Choose another --metrics-port"
    ]


def test_a_server_listens_on_this_machine_only_by_default(world):
    for port in (world.server.told["port"], world.server.told["metrics_port"]):
        with socket.socket() as other:
            other.bind(("127.0.0.2", port))


def test_the_probe_tells_a_serving_server_from_one_that_is_not(world, tmp_path, start_server):
    serving = run("service.probe", "--address", world.server.address)
    assert (serving.returncode, serving.stdout) == (0, "SERVING\n")
    empty = start_server(tmp_path)
    waiting = run("service.probe", environment={"COLDSTART_PORT": str(empty.told["port"])})
    assert (waiting.returncode, waiting.stdout) == (1, "NOT_SERVING\n")
    alive = run("service.probe", "--service", "", environment={"COLDSTART_PORT": str(empty.told["port"])})
    assert (alive.returncode, alive.stdout) == (0, "SERVING\n")
    empty.stop()
    gone = run("service.probe", "--address", empty.address, "--timeout-seconds", "1")
    assert (gone.returncode, gone.stdout) == (1, "UNAVAILABLE\n")
