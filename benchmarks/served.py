"""A server of published models in a process of its own, asked over gRPC."""

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import polars as pl

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc

MOST = 1000
"""Movies of one request, as many as the contract allows."""
STOP_SECONDS = 30


@dataclass(frozen=True)
class Served:
    """A running server."""

    port: int
    """Port of gRPC."""
    metrics_port: int
    """Port of the metrics."""
    stub: pb_grpc.EnjoymentServiceStub
    """Calls it."""
    process: "subprocess.Popen[str]"
    """The process that was started, which starts the workers."""
    log: Path
    """What all of them log."""

    def answered(self) -> int:
        """How many calls of PredictEnjoyment have ended well so far."""
        wanted = ("grpc_server_handled_total{", 'grpc_method="PredictEnjoyment"', 'grpc_code="OK"')
        lines = [line for line in self.scrape().splitlines() if all(part in line for part in wanted)]
        return int(sum(float(line.rsplit(" ", 1)[1]) for line in lines))

    def scrape(self) -> str:
        """What Prometheus would read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return text

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines logged so far of one event."""
        return [line for line in map(json.loads, self.log.read_text().splitlines()) if line["event"] == name]

    def worker_pids(self) -> dict[int, int]:
        """The process of each worker that serves or served last, by the worker's number."""
        return {line["worker"]: line["pid"] for line in self.events("worker_serves")}

    def predict_all(self, member_ids: Sequence[str], requests: Sequence[pb.PredictEnjoymentRequest]) -> pl.DataFrame:
        """All predictions of all requests, asked in one stream, with the member_id given for each request.

        A request for more movies than the contract allows is asked in parts.
        """
        parts = [
            (
                member_id,
                pb.PredictEnjoymentRequest(member=request.member, movie_ids=request.movie_ids[start : start + MOST]),
            )
            for member_id, request in zip(member_ids, requests, strict=True)
            for start in range(0, len(request.movie_ids), MOST)
        ]
        answers = self.stub.StreamPredictEnjoyment(request for _, request in parts)
        rows = [
            {
                "member_id": member_id,
                "movie_id": prediction.movie_id,
                "rating": prediction.rating,
                "lower": prediction.lower,
                "upper": prediction.upper,
                "probability_enjoyed": prediction.probability_enjoyed,
                "member_evidence": evidence_name(answer.member_evidence),
            }
            for (member_id, _), answer in zip(parts, answers, strict=True)
            for prediction in answer.predictions
        ]
        return pl.DataFrame(rows)


def asked_by_id(movies_of: Mapping[str, Sequence[str]]) -> tuple[list[str], list[pb.PredictEnjoymentRequest]]:
    """Member ids, and a request for each with nothing but the id."""
    requests = [
        pb.PredictEnjoymentRequest(member=pb.Member(member_id=member_id), movie_ids=movies)
        for member_id, movies in movies_of.items()
    ]
    return list(movies_of), requests


def evidence_name(number: int) -> str:
    """Words for a MemberEvidence of the contract."""
    return pb.MemberEvidence.Name(number).removeprefix("MEMBER_EVIDENCE_").replace("_", " ").lower()


def command(models: Path, *options: str) -> list[str]:
    """What starts a server of the models on free ports."""
    return [sys.executable, "-m", "service", "--models", str(models), "--port", "0", "--metrics-port", "0", *options]


@contextmanager
def serving(models: Path, log: Path, *options: str, prefix: Sequence[str] = ()) -> Iterator[Served]:
    """A server while the block runs, its log in a file; raises RuntimeError if it doesn't start or end as it should.

    `prefix` begins its command, for example to run it on one core.
    """
    with log.open("w") as errors:
        called = [*prefix, *command(models, *options)]
        process = subprocess.Popen(called, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert process.stdout is not None  # noqa: S101 # that is what PIPE says
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server didn't start; the end of its log {log}:\n{log.read_text()[-500:]}")
        ports = json.loads(line)
        with grpc.insecure_channel(f"127.0.0.1:{ports['port']}") as channel:
            yield Served(ports["port"], ports["metrics_port"], pb_grpc.EnjoymentServiceStub(channel), process, log)
        process.send_signal(signal.SIGTERM)
        code = process.wait(STOP_SECONDS)
        if code:
            raise RuntimeError(f"the server ended with exit code {code}; its log is {log}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
