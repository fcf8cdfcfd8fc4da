"""Sends valid and failing requests full of marks, and searches logs, metrics, traces and files for the marks."""

import argparse
import base64
import json
import os
import random
import subprocess
import tempfile
import threading
import urllib.request
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc

from benchmarks.fuzzing import edited
from benchmarks.served import command
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc

MARK = "CANARYMARK"
HEADERS = ("x-request-id", "authorization", "traceparent", "tracestate", "baggage", "user-id")
CALL_SECONDS = 20
STOP_SECONDS = 30


def marked(what: str, number: int) -> str:
    """A text that is to be found nowhere."""
    return f"{MARK}-{what}-{number}"


def scan(models: Path, requests: int, seed: int) -> dict[str, Any]:
    """Send marked requests to a server that logs and traces all it can; returns the places with marks."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("home", "tmp", "outcomes"):
            (folder / part).mkdir()
        traces = _Collector()
        process, ports = _start(models, folder, traces.address)
        try:
            with grpc.insecure_channel(f"127.0.0.1:{ports['port']}") as channel:
                codes, errors = _send(channel, requests, seed)
            metrics = _scrape(ports["metrics_port"])
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)
            traces.end()
        marks = {
            "errors": _marks("\n".join(errors).encode()),
            "metrics": _marks(metrics.encode()),
            "traces": sum(map(_marks, traces.bodies)),
            **_in_files(folder),
            **_in_files(models),
        }
        outcomes = sum(_marks(path.read_bytes()) for path in (folder / "outcomes").glob("*.jsonl"))
        return {
            "requests": requests, "codes": dict(codes),
            "found": {place: count for place, count in marks.items() if count},
            "marks_in_outcomes": outcomes,
            "log_lines": len((folder / "log").read_text().splitlines()),
            "traces_bytes": sum(map(len, traces.bodies)), "metrics_bytes": len(metrics),
        }  # fmt: skip


class _Collector:
    """Takes the traces over HTTP."""

    def __init__(self) -> None:
        bodies = self.bodies = list[bytes]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}/v1/traces"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def end(self) -> None:
        """Take no more."""
        self._server.shutdown()
        self._server.server_close()


def _start(models: Path, folder: Path, traces: str) -> "tuple[subprocess.Popen[str], dict[str, Any]]":
    options = ("--log-level", "debug", "--log-sample", "1", "--outcomes", str(folder / "outcomes"))
    options += ("--workers", "1", "--traces", traces, "--trace-sample", "1")
    environment = os.environ | {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")}
    environment |= {"GRPC_VERBOSITY": "DEBUG"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command(models, *options), stdout=subprocess.PIPE, stderr=log, text=True, env=environment
        )
    assert process.stdout is not None  # noqa: S101 # that is what PIPE says
    line = process.stdout.readline()
    process.stdout.close()
    if not line:
        raise RuntimeError((folder / "log").read_text())
    return process, json.loads(line)


def _send(channel: grpc.Channel, requests: int, seed: int) -> tuple[Counter[str], list[str]]:
    """The status codes of all calls, and the error messages and details that callers got."""
    chance = random.Random(seed)  # noqa: S311
    codes, errors = Counter[str](), list[str]()
    movies, attributes = asked_of(channel)
    for number in range(requests):
        path, raw = marked_request(number, chance, movies, attributes)
        if number % 10 == 9:
            raw = edited(raw, chance)
        metadata = [(name, marked(name, number)) for name in HEADERS]
        try:
            channel.unary_unary(path)(raw, timeout=CALL_SECONDS, metadata=metadata)
            codes["OK"] += 1
        except grpc.RpcError as error:
            codes[error.code().name] += 1
            errors.append(f"{error.details()} {error.trailing_metadata()}")
    return codes, errors


def asked_of(channel: grpc.Channel) -> tuple[list[str], dict[str, Any]]:
    """Movies of the catalogue, and the model's attributes with their kinds."""
    stub = pb_grpc.EnjoymentServiceStub(channel)
    movies = [prediction.movie_id for prediction in stub.RankMovies(pb.RankMoviesRequest(page_size=50)).predictions]
    return movies, {
        attribute.name: attribute.kind for attribute in stub.GetModel(pb.GetModelRequest()).member_attributes
    }


def marked_request(
    number: int, chance: random.Random, movies: list[str], attributes: dict[str, Any]
) -> tuple[str, bytes]:
    """A method's path and a request of it in which all that may be marked is, and some is wrong."""
    member = pb.Member(member_id=marked("member", number))
    wrong = number % 5 == 0
    for name in (*chance.sample(sorted(attributes), min(2, len(attributes))), marked("name", number)):
        if (attributes.get(name) == pb.ATTRIBUTE_KIND_NUMERIC) is wrong:
            member.attributes[name].text = marked("value", number)
        else:
            member.attributes[name].number = 4242.0
    played = (marked("played", number), *chance.sample(movies, 3))
    member.plays.extend(pb.Play(movie_id=movie_id) for movie_id in played)
    movie_ids = [marked("movie", number), *chance.sample(movies, 2)]
    if number % 7 == 0:
        member.plays[0].completion = 7
        movie_ids += ["", MARK * 100]
    new = pb.Movie(movie_id=marked("new", number), genres=[marked("genre", number)], release_year=2000)
    new.attributes[marked("about", number)].text = marked("said", number)
    service = f"/{pb.DESCRIPTOR.package}.EnjoymentService"
    match number % 6:
        case 0 | 1:
            request: Any = pb.PredictEnjoymentRequest(member=member, movie_ids=movie_ids, new_movies=[new])
            return f"{service}/PredictEnjoyment", request.SerializeToString()
        case 2:
            token = marked("page", number) if number % 8 == 0 else ""
            request = pb.RankMoviesRequest(member=member, page_token=token, genres=[marked("genre", number)])
            return f"{service}/RankMovies", request.SerializeToString()
        case 3:
            request = pb.ExplainEnjoymentRequest(
                member=member, movie_id=movie_ids[-1], suggest_next_fact=number % 4 == 1
            )
            return f"{service}/ExplainEnjoyment", request.SerializeToString()
        case 4:
            request = pb.RecordOutcomeRequest(
                request_id=marked("outcome", number), member_id=member.member_id, movie_id=movie_ids[0],
                rating=chance.choice((2, 3, 4, 99)),
            )  # fmt: skip
            return f"{service}/RecordOutcome", request.SerializeToString()
        case 5 if number % 4 == 1:
            suggested = pb.SuggestMoviesToRateRequest(
                member=member, movie_ids=movie_ids, genres=[marked("genre", number)]
            )
            return f"{service}/SuggestMoviesToRate", suggested.SerializeToString()
    return f"/{marked('service', number)}/{marked('method', number)}", member.SerializeToString()


def _marks(content: bytes) -> int:
    """How often a mark is in it, as it is, in hexadecimal digits or in any of the three ways of base64."""
    mark = MARK.encode()
    ways = [mark, mark.lower(), mark.hex().encode()]
    for shift in range(3):  # whatever comes before, these characters are the mark's own
        first, end = -(-8 * shift // 6), 8 * (shift + len(mark)) // 6
        ways += [base64.b64encode(b"-" * shift + mark)[first:end]]
    return sum(content.count(way) for way in ways)


def _in_files(folder: Path) -> dict[str, int]:
    """Marks in every file below a folder but the outcomes themselves."""
    return {
        str(path.relative_to(folder)): _marks(path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".jsonl"
    }


def _scrape(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=CALL_SECONDS) as answer:
        return str(answer.read().decode())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `telemetry`."""
    parser.add_argument("--models", type=Path, required=True, help="the folder of models")
    parser.add_argument("--requests", type=int, default=10_000, help="how many [default: 10000]")
    parser.add_argument("--seed", type=int, default=0, help="of what they are [default: 0]")


def run(arguments: argparse.Namespace) -> int:
    """Scan and print what was found as JSON; 1 where a mark was."""
    seen = scan(arguments.models, arguments.requests, arguments.seed)
    print(json.dumps(seen))
    return int(bool(seen["found"]))
