"""`python -m benchmarks.fuzz`: sends any number of requests as nobody should, and looks that the server bears them."""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks.fuzzing import request_of
from benchmarks.served import serving
from coldstart_client.v1 import enjoyment_service_pb2 as pb

ALLOWED = frozenset({"OK", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"})
DEADLINE_SECONDS = 30.0
"""What takes longer hangs."""
IN_FLIGHT = 16
MESSAGES_A_STREAM = 5
METHODS = tuple(pb.DESCRIPTOR.services_by_name["EnjoymentService"].methods)


class Fuzz:
    """Sends requests and counts how they end; keeps the first few that ended as they should not."""

    def __init__(self, address: str, seed: int, keep: Path | None) -> None:
        self.codes: Counter[str] = Counter()
        self.bad: list[str] = []
        self._keep = keep
        self._chance = random.Random(seed)  # noqa: S311 # nothing secret
        self._channel = grpc.insecure_channel(address)
        self._free = threading.Semaphore(IN_FLIGHT)
        self._lock = threading.Lock()

    def run(self, requests: int) -> None:
        """Send so many."""
        for number in range(requests):
            self._free.acquire()
            self._send(number)
        for _ in range(IN_FLIGHT):
            self._free.acquire()

    def alive(self) -> bool:
        """Whether the server still says that it serves."""
        told = health_pb2_grpc.HealthStub(self._channel).Check(health_pb2.HealthCheckRequest(), timeout=10)  # type: ignore[attr-defined]
        return bool(told.status == health_pb2.HealthCheckResponse.SERVING)

    def close(self) -> None:
        """End the connection."""
        self._channel.close()

    def _send(self, number: int) -> None:
        method = self._chance.choice(METHODS)
        path = f"/{method.containing_service.full_name}/{method.name}"
        if method.client_streaming:
            raws = [request_of(method, self._chance) for _ in range(self._chance.randrange(MESSAGES_A_STREAM))]
            threading.Thread(target=self._stream, args=(number, path, raws)).start()
            return
        raw = request_of(method, self._chance)
        call = self._channel.unary_unary(path).future(raw, timeout=DEADLINE_SECONDS)
        call.add_done_callback(lambda done: self._ended(number, path, [raw], done.code()))

    def _stream(self, number: int, path: str, raws: list[bytes]) -> None:
        call = self._channel.stream_stream(path)(iter(raws), timeout=DEADLINE_SECONDS)
        with suppress(grpc.RpcError):
            for _ in call:
                pass
        self._ended(number, path, raws, call.code())

    def _ended(self, number: int, path: str, raws: list[bytes], code: grpc.StatusCode) -> None:
        with self._lock:
            self.codes[code.name] += 1
            if code.name not in ALLOWED and len(self.bad) < 10:
                self.bad.append(f"request {number} of {path}: {code.name}")
                if self._keep is not None:
                    for place, raw in enumerate(raws):
                        (self._keep / f"{number}-{place}-{path.rpartition('/')[2]}").write_bytes(raw)
        self._free.release()


def main(arguments: list[str]) -> int:
    """Print one JSON object; 0 where every call ended as it may and the server is well, else 1."""
    parser = argparse.ArgumentParser("python -m benchmarks.fuzz", description=__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--models", type=Path, help="a folder of published models, of which a server is started")
    where.add_argument("--address", help="a server that runs")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="the same seed sends the same requests")
    parser.add_argument("--keep", type=Path, help="a folder for the requests that ended as they should not")
    told = parser.parse_args(arguments)
    if told.address:
        return _report(told.address, told, None)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with serving(told.models, log, "--outcomes", str(log.with_name("outcomes"))) as server:
            return _report(f"127.0.0.1:{server.port}", told, log)


def _report(address: str, told: argparse.Namespace, log: Path | None) -> int:
    fuzz = Fuzz(address, told.seed, told.keep)
    began = time.perf_counter()
    fuzz.run(told.requests)
    seconds = time.perf_counter() - began
    logged = log.read_text() if log else ""
    found = {
        "requests": told.requests,
        "seconds": round(seconds, 1),
        "codes": dict(fuzz.codes.most_common()),
        "bad": fuzz.bad,
        "internal_errors_logged": logged.count('"internal_error"'),
        "alive": fuzz.alive(),
    }
    fuzz.close()
    print(json.dumps(found, indent=2))
    return int(bool(fuzz.bad or found["internal_errors_logged"] or not found["alive"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
