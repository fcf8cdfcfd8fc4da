"""A server under drill: its process, calls, metrics and memory."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from benchmarks.processes import terminated
from benchmarks.served import STOP_SECONDS, Served, command
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc

Answer = tuple[str, tuple[float, ...]]
"""The version that answered, and every number that it gave."""


@dataclass(frozen=True)
class Drilled:
    """A running server."""

    process: subprocess.Popen[str]
    """Its process."""
    served: Served
    """How it is reached."""

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the series with these labels."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in self.served.scrape().splitlines()
            if line.startswith((name + "{", name + " ")) and all(label in line for label in wanted)
        )

    def version(self) -> str:
        """The version that answers."""
        return self.served.stub.GetModel(pb.GetModelRequest(), timeout=10).model_version

    def answer(self, request: pb.PredictEnjoymentRequest) -> Answer:
        """All numbers of one answer."""
        return numbers(self.served.stub.PredictEnjoyment(request, timeout=10))

    def resident_bytes(self) -> int:
        """Memory of the server and its workers, without the processes that only try versions."""
        return sum(_resident(pid) for pid in _family(self.process.pid))


def numbers(response: pb.PredictEnjoymentResponse) -> Answer:
    """All numbers of an answer."""
    values = tuple(
        value
        for prediction in response.predictions
        for value in (prediction.rating, prediction.lower, prediction.upper, prediction.probability_enjoyed)
    )
    return response.model_version, values


@contextmanager
def drilled(models: Path, log: Path, *options: str) -> Iterator[Drilled]:
    """A server while the block runs."""
    with log.open("w") as errors:
        process = subprocess.Popen([*command(models), *options], stdout=subprocess.PIPE, stderr=errors, text=True)
    assert process.stdout is not None  # noqa: S101 # that is what PIPE says
    with terminated(process, STOP_SECONDS):
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server didn't start; the end of its log {log}:\n{log.read_text()[-500:]}")
        ports = json.loads(line)
        with grpc.insecure_channel(f"127.0.0.1:{ports['port']}") as channel:
            stub = pb_grpc.EnjoymentServiceStub(channel)
            yield Drilled(process, Served(ports["port"], ports["metrics_port"], stub, process, log))


def wait_until(holds: Callable[[], bool], seconds: float) -> float | None:
    """Seconds until it holds, None where it doesn't within time."""
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        if holds():
            return time.perf_counter() - began
        time.sleep(0.02)
    return None


def point_to(models: Path, version: str) -> None:
    """Let a version serve as a publisher does, without the checks of one."""
    beside = models / ".tmp-drill"
    beside.write_text(version + "\n")
    beside.replace(models / "current")


def requests(movie_ids: list[str]) -> pb.PredictEnjoymentRequest:
    """A request for some movies by a member of whom age and plays are known."""
    member = pb.Member(plays=[pb.Play(movie_id=movie_id, completion=0.9) for movie_id in movie_ids[:3]])
    return pb.PredictEnjoymentRequest(member=member, movie_ids=movie_ids[3:23])


def _resident(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def _family(pid: int) -> list[int]:
    """A process and its children's children, but no trials."""
    try:
        if b"model.artifact.trial_process" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return []
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(member for child in children for member in _family(int(child)))]
