"""Worker processes: several that serve as one, and what becomes of the service when one of them dies."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks.drills.kill import counters
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc
from service.processes.worker_process import START_SECONDS, Worker, delay_seconds

ROOT = Path(__file__).parents[3]
TWO = ("--workers", "2")


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not within time"
        time.sleep(0.05)


def service(models, *options):
    return [sys.executable, "-m", "service", "--models", str(models), "--port", "0", "--metrics-port", "0", *options]


def channel_to(server, number=0):
    """A channel with a connection of its own."""
    options = [("grpc.use_local_subchannel_pool", 1), ("coldstart.test", number)]
    return grpc.insecure_channel(server.address, options)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.fixture(scope="module")
def store(world, tmp_path_factory):
    """The store of the server that the tests share."""
    return shutil.copytree(world.models, tmp_path_factory.mktemp("store") / "models")


@pytest.fixture(scope="module")
def lasting(store, start_lasting):
    return start_lasting(store, *TWO, "--hang-seconds", "5")


@pytest.fixture
def two(lasting):
    """A server of two workers, both of which serve."""
    wait_until(lambda: lasting.metric("coldstart_ready") == 1)
    return lasting


def restarts(server):
    return server.metric("coldstart_worker_restarts_total")


def fallen(before, server):
    """The series that may only grow, and have not."""
    now = counters(server.scrape())
    return {name for name in before if now[name] < before[name]}


def handled(server):
    return server.metric("grpc_server_handled_total", grpc_method="PredictEnjoyment", grpc_code="OK")


def test_all_workers_serve_when_the_ports_are_told_and_each_takes_calls(two, world):
    assert set(two.worker_pids()) == {0, 1}
    assert two.told["model_version"] == world.versions[0]
    assert {line["worker"] for line in two.log() if line["event"] == "model_loaded"} == {0, 1}
    for state in ("wanted", "running", "serving"):
        assert two.metric("coldstart_workers", state=state) == 2
    assert two.metric("coldstart_ready") == 1
    calls = handled(two)
    before = [Path(f"/proc/{pid}/stat").read_text().split()[13] for pid in two.worker_pids().values()]
    request = pb.PredictEnjoymentRequest(movie_ids=world.movie_ids)
    answers = set()
    for number in range(40):
        with channel_to(two, number) as channel:
            answers.add(pb_grpc.EnjoymentServiceStub(channel).PredictEnjoyment(request).SerializeToString())
    assert len(answers) == 1, "the same answer, whichever worker gives it"
    assert handled(two) == calls + 40
    after = [Path(f"/proc/{pid}/stat").read_text().split()[13] for pid in two.worker_pids().values()]
    assert all(earlier != later for earlier, later in zip(before, after, strict=True)), "both have worked"


def test_one_scrape_tells_of_all_processes_and_of_each_series_once(two):
    lines = [line for line in two.scrape().splitlines() if not line.startswith("#")]
    assert len({line.rsplit(" ", 1)[0] for line in lines}) == len(lines)
    assert "pid" not in two.scrape()
    assert two.metric("coldstart_model_info") == 1
    loads = two.metric("coldstart_model_loads_total", model="current", result="loaded")
    assert loads == 2 + restarts(two), "one for each process so far"
    memory = sum(
        int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        for pid in (*two.worker_pids().values(), two.process.pid)
    )
    assert two.metric("process_resident_memory_bytes") == pytest.approx(memory, rel=0.1)


def test_the_supervisor_is_light():
    code = "import sys, service.processes.supervisor, service.__main__; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert not set(loaded.split()) & {"grpc", "google.protobuf", "lightgbm", "numpy", "scipy", "polars"}


def test_a_killed_worker_is_replaced_and_that_is_told_and_metrics_answer_while_it_is_missing(two):
    two.stub.PredictEnjoyment(pb.PredictEnjoymentRequest(movie_ids=["a"]))
    pid, restarted, counted = two.worker_pids()[1], restarts(two), counters(two.scrape())
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: two.metric("coldstart_workers", state="serving") == 1)
    assert two.metric("coldstart_ready") == 0
    assert not fallen(counted, two)
    wait_until(lambda: two.worker_pids()[1] != pid)
    wait_until(lambda: two.metric("coldstart_ready") == 1)
    assert restarts(two) == restarted + 1
    death = [line for line in two.log() if line["event"] == "worker_died"][-1]
    assert (death["worker"], death["cause"]) == (1, "SIGKILL")


def test_a_worker_that_hangs_is_replaced_and_that_is_told_and_metrics_answer_meanwhile(two):
    two.stub.PredictEnjoyment(pb.PredictEnjoymentRequest(movie_ids=["a"]))
    pid, restarted, counted = two.worker_pids()[0], restarts(two), counters(two.scrape())
    os.kill(pid, signal.SIGSTOP)
    assert not fallen(counted, two)
    wait_until(lambda: two.worker_pids()[0] != pid)
    wait_until(lambda: two.metric("coldstart_ready") == 1)
    assert not alive(pid)
    assert restarts(two) == restarted + 1
    [hang] = [line for line in two.log() if line["event"] == "worker_hangs"]
    assert hang["worker"] == 0


def test_a_worker_that_is_sent_sigterm_alone_is_replaced_and_takes_no_calls_before_it_has_a_model(two, store):
    pid, logged = two.worker_pids()[0], len(two.log())
    (store / "versions").rename(store / "away")
    try:
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: [line for line in two.log()[logged:] if line["event"] == "model_not_loaded"])
        request = pb.PredictEnjoymentRequest(movie_ids=["a"])
        for number in range(20):
            with channel_to(two, number) as channel:
                assert pb_grpc.EnjoymentServiceStub(channel).PredictEnjoyment(request).predictions
        assert two.metric("coldstart_workers", state="serving") == 1
    finally:
        (store / "away").rename(store / "versions")
    wait_until(lambda: two.metric("coldstart_ready") == 1)
    assert two.worker_pids()[0] != pid
    check = health_pb2_grpc.HealthStub(two.channel).Check(health_pb2.HealthCheckRequest())
    assert check.status == health_pb2.HealthCheckResponse.SERVING


def test_workers_end_when_their_supervisor_is_killed_and_finish_their_calls(world, start_server):
    server = start_server(world.models)
    pids = server.worker_pids().values()
    go_on = threading.Event()

    def requests():
        yield pb.PredictEnjoymentRequest(movie_ids=["a"])
        go_on.wait(10)
        yield pb.PredictEnjoymentRequest(movie_ids=["b"])

    answers = server.stub.StreamPredictEnjoyment(requests())
    next(answers)
    server.process.kill()
    server.process.wait()
    time.sleep(0.3)
    go_on.set()
    assert len(list(answers)) == 1
    wait_until(lambda: not any(alive(pid) for pid in pids), 15)


def test_a_stop_while_workers_start_ends_at_once(world, tmp_path):
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            service(world.models, *TWO), cwd=ROOT, stdout=subprocess.PIPE, stderr=log,
        )  # fmt: skip
    wait_until(lambda: Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())
    time.sleep(0.1)
    process.terminate()
    assert process.wait(10) == 0
    assert process.stdout.read() == b"", "the ports are told of what serves only"
    process.stdout.close()


def test_a_worker_that_does_not_end_within_the_grace_is_killed(start_server, tmp_path):
    server = start_server(tmp_path / "no-version-yet", *TWO, "--drain-seconds", "0", "--grace-seconds", "0")
    os.kill(server.worker_pids()[0], signal.SIGSTOP)
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 15
    assert [line["workers"] for line in server.log() if line["event"] == "workers_killed"] == [1]
    assert not any(alive(pid) for pid in server.worker_pids().values())


def test_workers_that_can_not_start_end_the_service_with_words(world, tmp_path):
    (tmp_path / "grpc.py").write_text("raise ImportError('broken for the test')\n")
    ended = subprocess.run(
        service(world.models, "--workers", "1"), cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert ended.returncode == 1
    *lines, last = ended.stderr.splitlines()
    assert last == "error: a worker ended 3 times before it could serve: the log says why"
    events = [json.loads(line) for line in lines]
    assert {line["reason"] for line in events if line["event"] == "worker_failed"} == {"broken for the test"}


class Observer:
    """Notes that a worker was restarted."""

    def __init__(self, restarted=lambda: None):
        self.worker_restarted = restarted

    def any_serves(self):
        return False

    def worker_changed(self):
        pass

    def worker_ended(self, metrics):
        pass


def lone_worker(code, clock=time.monotonic, restarted=lambda: None):
    """A worker whose process runs some code."""
    return Worker(0, [sys.executable, "-S", "-c", code], {}, clock, Observer(restarted))


def test_a_worker_that_dies_again_and_again_is_started_ever_more_seldom():
    assert delay_seconds(0) == 0
    delays = [delay_seconds(deaths) for deaths in range(1, 2000)]
    assert delays[0] == pytest.approx(0.1)
    assert delays == sorted(delays)
    assert delays[-1] == 30
    starts = []

    async def run():
        worker = lone_worker("raise SystemExit(3)", restarted=lambda: starts.append(time.monotonic()))
        keeping = asyncio.create_task(worker.keep())
        await asyncio.sleep(2)
        worker.stop()
        await asyncio.wait_for(keeping, 5)

    asyncio.run(run())
    assert 1 <= len(starts) <= 4


def test_a_worker_that_hangs_before_it_serves_is_replaced():
    seconds, restarts = [0.0], asyncio.Event()

    async def run():
        worker = lone_worker("import time; time.sleep(60)", lambda: seconds[0], restarts.set)
        keeping = asyncio.create_task(worker.keep())
        while not worker.ask(1):
            await asyncio.sleep(0.01)
        seconds[0] = START_SECONDS - 1
        worker.end_if_hung(3)
        await asyncio.sleep(0.2)
        assert worker.running, "it may still load libraries"
        seconds[0] = START_SECONDS + 1
        worker.end_if_hung(3)
        await asyncio.wait_for(restarts.wait(), 10)
        worker.kill()
        worker.stop()
        await asyncio.wait_for(keeping, 10)

    asyncio.run(run())


def test_a_worker_is_not_started_by_hand():
    ended = subprocess.run(
        [sys.executable, "-m", "service.processes.worker", "--models", "m"],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (1, "error: workers are started by `python -m service`\n")
