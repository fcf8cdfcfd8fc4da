"""The compared servers, each in its own process on the cores for servers."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks.served import Served, serving
from benchmarks.speed.question import Question
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc

PREDICT = "/coldstart.v1.EnjoymentService/PredictEnjoyment"
INFER = "/inference.GRPCInferenceService/ModelInfer"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
START_SECONDS = 60.0
CLOSE = 1e-9
"""MLServer's LightGBM may be of another build than ours."""


class WrongAnswer(Exception):
    """A contender doesn't answer as it should, so that its speed means nothing."""


@dataclass(frozen=True)
class Contender:
    """A running server that answers a request."""

    name: str
    port: int
    method: str
    message: bytes
    process: int
    """Id of its process, whose children belong to it."""


def on_core(core: int) -> list[str]:
    """What begins a command that shall run on one core; nothing where there is only one, or no taskset."""
    return ["taskset", "-c", str(core)] if shutil.which("taskset") and (os.cpu_count() or 1) > 1 else []


@contextmanager
def service(
    models: Path, folder: Path, question: Question, prefix: Sequence[str], workers: int = 1
) -> Iterator[tuple[Contender, Served]]:
    """The service; raises WrongAnswer if it predicts other than the model in this process."""
    with serving(models, folder / "service.log", "--workers", str(workers), prefix=prefix) as served:
        answer = served.stub.PredictEnjoyment(question.request)
        if answer != question.answer:
            raise WrongAnswer("the service answers other than the model does")
        yield (
            Contender("coldstart", served.port, PREDICT, question.request.SerializeToString(), served.process.pid),
            served,
        )


@contextmanager
def echo(folder: Path, question: Question, prefix: Sequence[str], loop: str) -> Iterator[Contender]:
    """A server of the same messages whose handler does nothing, on the event loop `asyncio` or `uvloop`."""
    ready = folder / "response"
    ready.write_bytes(question.answer.SerializeToString())
    command = [*prefix, sys.executable, "-m", "benchmarks.speed.echo", str(ready), loop]
    with _running(command, folder / f"echo-{loop}.log") as process:
        assert process.stdout is not None  # noqa: S101 # that is what PIPE says
        port = json.loads(process.stdout.readline())["port"]
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            if pb_grpc.EnjoymentServiceStub(channel).PredictEnjoyment(question.request) != question.answer:
                raise WrongAnswer("the echo server sends another response than its own")
        yield Contender(f"echo ({loop})", port, PREDICT, question.request.SerializeToString(), process.pid)


@contextmanager
def mlserver(
    environment: Path, folder: Path, trees: Path, features: np.ndarray, corrections: np.ndarray, prefix: Sequence[str]
) -> Iterator[Contender]:
    """MLServer's LightGBM runtime with the same trees and features made ready, in one process without its pool.

    Raises WrongAnswer where it answers other than `corrections`, which the model in this process gives.
    """
    home = folder / "mlserver"
    home.mkdir()
    shutil.copy(trees, home / "trees.txt")
    ports = [_free_port() for _ in range(3)]
    settings = dict(zip(("http_port", "grpc_port", "metrics_port"), ports, strict=True))
    settings |= {"debug": False, "parallel_workers": 0, "host": "127.0.0.1"}
    (home / "settings.json").write_text(json.dumps(settings))
    runtime = {"name": "trees", "implementation": "mlserver_lightgbm.LightGBMModel"}
    runtime |= {"parameters": {"uri": str(home / "trees.txt")}}
    (home / "model-settings.json").write_text(json.dumps(runtime))
    np.save(home / "features.npy", features, allow_pickle=False)
    environment_variables = {**os.environ, **ONE_THREAD, "PATH": f"{environment / 'bin'}:{os.environ['PATH']}"}
    command = [*prefix, str(environment / "bin" / "mlserver"), "start", str(home)]
    with _running(command, folder / "mlserver.log", environment_variables, quiet=True) as process:
        port = ports[1]
        _wait_for_model(environment, port, home, corrections)
        yield Contender("MLServer", port, INFER, (home / "request").read_bytes(), process.pid)


def _wait_for_model(environment: Path, port: int, home: Path, corrections: np.ndarray) -> None:
    ask = [str(environment / "bin" / "python"), str(Path(__file__).with_name("mlserver_client.py"))]
    ask += [str(home / "features.npy"), str(home / "request"), "raw", str(port)]
    ends = time.monotonic() + START_SECONDS
    while True:
        done = subprocess.run(ask, capture_output=True, text=True, check=False)
        if not done.returncode:
            break
        if time.monotonic() > ends:
            raise WrongAnswer(f"MLServer doesn't answer: {done.stderr[-500:]}")
        time.sleep(0.2)
    if not np.allclose(json.loads(done.stdout), corrections, rtol=0, atol=CLOSE):
        raise WrongAnswer("MLServer answers other than the model's trees do")


def seconds_to_serving(models: Path, folder: Path, prefix: Sequence[str]) -> float:
    """From the start of the process until its health is SERVING."""
    began = time.monotonic()
    with (
        serving(models, folder / "start.log", "--workers", "1", prefix=prefix) as served,
        grpc.insecure_channel(f"127.0.0.1:{served.port}") as channel,
    ):
        health = health_pb2_grpc.HealthStub(channel)
        while health.Check(health_pb2.HealthCheckRequest()).status != health_pb2.HealthCheckResponse.SERVING:
            time.sleep(0.01)
        return time.monotonic() - began


@contextmanager
def _running(
    command: Sequence[str], log: Path, environment: dict[str, str] | None = None, quiet: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """A process while the block runs; what it prints is in the log where it is quiet, else in its pipe."""
    with log.open("w") as errors:
        output = errors if quiet else subprocess.PIPE
        process = subprocess.Popen(command, stdout=output, stderr=errors, text=True, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
