"""`python -m benchmarks.load`: calls one method over gRPC, at a fixed rate or as fast as answers come, and counts."""

import argparse
import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc

CHANNELS = 4
"""Connections; one alone would be served by one worker only."""
SETTLE_SECONDS = 5.0
"""How long after the last call's deadline its end is waited for."""


class Tally:
    """What became of each call; filled from gRPC's threads."""

    def __init__(self) -> None:
        self.codes: Counter[str] = Counter()
        self.seconds: dict[str, list[float]] = {"OK": [], "refused": []}
        self.unfinished = 0
        self._changed = threading.Condition()

    def begin(self, most: int | None = None) -> None:
        """Count a call that begins, once fewer than `most` are under way."""
        with self._changed:
            self._changed.wait_for(lambda: most is None or self.unfinished < most)
            self.unfinished += 1

    def end(self, code: str, seconds: float) -> None:
        """Count a call by its status code and duration in seconds."""
        with self._changed:
            self.codes[code] += 1
            if code in REFUSALS:
                self.seconds["refused"].append(seconds)
            elif code == "OK":
                self.seconds["OK"].append(seconds)
            self.unfinished -= 1
            self._changed.notify()

    def wait(self, seconds: float) -> None:
        """Wait until all calls have ended."""
        with self._changed:
            self._changed.wait_for(lambda: not self.unfinished, seconds)


REFUSALS = ("RESOURCE_EXHAUSTED", "CANCELLED")
"""CANCELLED is how gRPC's own core refuses; this client cancels nothing."""


def main(arguments: list[str]) -> int:
    """Call, then print one JSON object."""
    parser = argparse.ArgumentParser("python -m benchmarks.load", description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--method", required=True, help="as in /package.Service/Method")
    parser.add_argument("--request", type=Path, help="file with the message's bytes; empty message otherwise")
    parser.add_argument("--rate", type=float, help="calls a second, whether answers come or not; else as they come")
    parser.add_argument("--in-flight", type=int, default=8, help="without a rate: how many calls are under way at once")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--deadline-seconds", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    request = options.request.read_bytes() if options.request else b""
    channels = [
        grpc.insecure_channel(options.address, options=[("grpc.use_local_subchannel_pool", 1)]) for _ in range(CHANNELS)
    ]
    for channel in channels:
        grpc.channel_ready_future(channel).result(10)
    calls = [channel.unary_unary(options.method) for channel in channels]
    tally = Tally()

    def begin(number: int) -> None:
        began = time.perf_counter()
        call = calls[number % len(calls)].future(request, timeout=options.deadline_seconds)
        call.add_done_callback(lambda done: tally.end(done.code().name, time.perf_counter() - began))

    began = time.perf_counter()
    if options.rate is None:
        sent, latest = _as_answered(begin, tally, options.in_flight, options.seconds), 0.0
    else:
        sent, latest = _at_rate(begin, tally, options.rate, options.seconds, random.Random(options.seed))  # noqa: S311
    took = time.perf_counter() - began
    tally.wait(options.deadline_seconds + SETTLE_SECONDS)
    print(json.dumps(_report(tally, sent, took, latest)))
    for channel in channels:
        channel.close()
    return 0


def _as_answered(begin: Callable[[int], None], tally: Tally, in_flight: int, seconds: float) -> int:
    """Closed loop: a call begins when another ends. How many were sent."""
    until, sent = time.perf_counter() + seconds, 0
    while time.perf_counter() < until:
        tally.begin(in_flight)
        begin(sent)
        sent += 1
    return sent


def _at_rate(
    begin: Callable[[int], None], tally: Tally, rate: float, seconds: float, randomness: random.Random
) -> tuple[int, float]:
    """Open loop: calls arrive at random moments, whatever became of those before. How many; how late the latest was."""
    start = time.perf_counter()
    arrival, sent, latest = 0.0, 0, 0.0
    while (arrival := arrival + randomness.expovariate(rate)) < seconds:
        wait = start + arrival - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        latest = max(latest, -wait)
        tally.begin()
        begin(sent)
        sent += 1
    return sent, latest


def _report(tally: Tally, sent: int, took: float, latest: float) -> dict[str, Any]:
    report: dict[str, Any] = {
        "sent": sent,
        "seconds": round(took, 3),
        "sent_per_second": round(sent / took, 1),
        "answered_per_second": round(tally.codes["OK"] / took, 1),
        "codes": dict(tally.codes.most_common()),
        "never_ended": tally.unfinished,
        "latest_send_milliseconds": round(latest * 1e3, 1),
    }
    for name, seconds in tally.seconds.items():
        ordered = sorted(seconds)
        for percent in (50, 99):
            value = ordered[min(len(ordered) * percent // 100, len(ordered) - 1)] * 1e3 if ordered else None
            report[f"{name}_p{percent}_milliseconds"] = None if value is None else round(value, 2)
    return report


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
