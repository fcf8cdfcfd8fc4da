"""`python -m benchmarks.overload`: what a server answers when three times as many calls arrive as it can answer.

A client in a process of its own first calls as fast as answers come, which gives the peak, then at a fixed multiple of
that rate whether answers come or not, while another asks for health. Both are done several times in turn, since other
work on the machine moves the peak. Goodput counts answers within the deadline.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.served import serving
from coldstart_client.v1 import enjoyment_service_pb2 as pb

HEALTH = "/grpc.health.v1.Health/Check"
HEALTH_RATE = 20.0


def main(arguments: list[str]) -> int:
    """Print one JSON object; with `--strict` returns 1 if a goal is missed."""
    parser = argparse.ArgumentParser("python -m benchmarks.overload", description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="a folder of published models")
    parser.add_argument("--method", default="PredictEnjoyment", choices=("PredictEnjoyment", "RankMovies"))
    parser.add_argument("--movies", type=int, default=200, help="movies a request of PredictEnjoyment")
    parser.add_argument("--times", type=float, default=3.0, help="how many times the peak rate is sent")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each phase")
    parser.add_argument("--deadline-seconds", type=float, default=1.0)
    parser.add_argument("--strict", action="store_true", help="exit code 1 where goodput, refusals or health miss")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, serving(options.models, Path(folder) / "log") as server:
        request = Path(folder) / "request"
        request.write_bytes(_request(server.stub, options.method, options.movies))
        report = drill(f"127.0.0.1:{server.port}", options, request)
        report["server"] = [line for line in server.scrape().splitlines() if _of_admission(line)]
    print(json.dumps(report, indent=2))
    return int(options.strict and not all(report["goals"].values()))


def drill(address: str, options: argparse.Namespace, request: Path) -> dict[str, Any]:
    """Peak and overload in turn; the medians of all rounds."""
    method = ["--method", f"/coldstart.v1.EnjoymentService/{options.method}", "--request", str(request)]
    method += ["--deadline-seconds", str(options.deadline_seconds)]
    seconds = ["--seconds", str(options.seconds)]
    run(address, *method, "--seconds", str(min(1.0, options.seconds)))
    peaks, overloads, healths = [], [], []
    for number in range(options.rounds):
        peaks.append(run(address, *method, *seconds))
        rate = statistics.median(each["answered_per_second"] for each in peaks) * options.times
        health = begin(address, "--method", HEALTH, "--rate", str(HEALTH_RATE), *seconds)
        overloads.append(run(address, *method, *seconds, "--rate", str(rate), "--seed", str(number)))
        healths.append(end(health))
    peaks.append(run(address, *method, *seconds))
    peak = statistics.median(each["answered_per_second"] for each in peaks)
    goodput = statistics.median(each["answered_per_second"] for each in overloads)
    asked, healthy = (
        sum(counts) for counts in zip(*((each["sent"], each["codes"].get("OK", 0)) for each in healths), strict=True)
    )
    refused = statistics.median(each["refused_p50_milliseconds"] or 0.0 for each in overloads)
    return {
        "peak_per_second": peak,
        "goodput_per_second": goodput,
        "goodput_share": round(goodput / peak, 3),
        "refused_p50_milliseconds": refused,
        "refused_p99_milliseconds": statistics.median(each["refused_p99_milliseconds"] or 0.0 for each in overloads),
        "health_ok_share": healthy / asked,
        "goals": {"goodput": goodput >= 0.9 * peak, "refusals": refused <= 10, "health": healthy == asked},
        "peaks": peaks,
        "overloads": overloads,
        "health": healths,
    }


def begin(address: str, *arguments: str) -> "subprocess.Popen[str]":
    """A client in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.load", "--address", address, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def end(client: "subprocess.Popen[str]") -> dict[str, Any]:
    """What a client counted; raises RuntimeError if it failed."""
    output, _ = client.communicate(timeout=300)
    if client.returncode:
        raise RuntimeError("the client failed")
    report: dict[str, Any] = json.loads(output)
    return report


def run(address: str, *arguments: str) -> dict[str, Any]:
    """A client from its begin to its end."""
    return end(begin(address, *arguments))


def _request(stub: Any, method: str, movies: int) -> bytes:
    """A member who has played 30 movies, and other movies of the catalogue."""
    ranked = stub.RankMovies(pb.RankMoviesRequest(page_size=movies + 30)).predictions
    ids = [prediction.movie_id for prediction in ranked]
    member = pb.Member(plays=[pb.Play(movie_id=movie_id, completion=0.8) for movie_id in ids[:30]])
    if method == "RankMovies":
        return pb.RankMoviesRequest(member=member).SerializeToString()
    asked = (ids[30:] or ids) * movies
    return pb.PredictEnjoymentRequest(member=member, movie_ids=asked[:movies]).SerializeToString()


def _of_admission(line: str) -> bool:
    return line.startswith(("coldstart_in_flight", "coldstart_queued", "coldstart_shed"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
