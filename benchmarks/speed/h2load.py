"""Runs h2load (Debian's nghttp2-client) against a gRPC method on this machine."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

FRAME_BYTES = 4
HEADERS = ("content-type: application/grpc", "te: trailers")


class LoadFailed(Exception):
    """h2load couldn't do its work, or calls failed."""


@dataclass(frozen=True)
class Load:
    """How much is asked at once."""

    connections: int
    """Connections."""
    streams: int
    """Calls at once in each."""


SATURATED = Load(connections=4, streams=8)
ALONE = Load(connections=1, streams=1)
SPREAD = Load(connections=16, streams=4)
"""Many connections, so that each of several workers gets about as many."""


def calls_a_second(pinned: list[str], port: int, method: str, message: bytes, load: Load, seconds: float) -> float:
    """Calls that end in a second, after half a second of warming up; raises LoadFailed."""
    output = _run(pinned, port, method, message, load, ["-D", f"{seconds * 1000:.0f}ms", "--warm-up-time=500ms"])
    rate = re.search(r"([0-9.]+) req/s", output)
    if not rate:
        raise LoadFailed(output)
    return float(rate[1])


def latencies(pinned: list[str], port: int, method: str, message: bytes, calls: int) -> np.ndarray:
    """(calls,) milliseconds of each of that many calls, one at a time; raises LoadFailed."""
    with TemporaryDirectory(prefix="coldstart-h2load-") as folder:
        log = Path(folder) / "log"
        _run(pinned, port, method, message, ALONE, ["-n", str(calls), f"--log-file={log}"])
        # columns: start, HTTP status, microseconds
        return np.array([int(line.split()[2]) for line in log.read_text().splitlines()]) / 1000


def _run(pinned: list[str], port: int, method: str, message: bytes, load: Load, how_much: list[str]) -> str:
    with TemporaryDirectory(prefix="coldstart-h2load-") as folder:
        body = Path(folder) / "body"
        body.write_bytes(b"\0" + len(message).to_bytes(FRAME_BYTES, "big") + message)  # not compressed, length, message
        command = [
            *pinned, "h2load", "-t", "1", "-c", str(load.connections), "-m", str(load.streams), *how_much,
            *(part for header in HEADERS for part in ("-H", header)), "-d", str(body),
            f"http://127.0.0.1:{port}{method}",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    failed = re.search(r"(\d+) failed, (\d+) errored, (\d+) timeout", output)
    if done.returncode or not failed or any(int(count) for count in failed.groups()):
        raise LoadFailed(output)
    return output
