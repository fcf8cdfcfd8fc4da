"""Drill: outcomes sent while workers are killed, each again until it is answered. Prints one JSON object."""

import argparse
import asyncio
import json
import os
import random
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import grpc

from benchmarks.drills.load import DEADLINE_SECONDS, connect
from benchmarks.served import Served, serving
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc
from model.facts.outcome_record import PATTERN, Outcome, from_line

CALLERS, CONNECTIONS = 32, 8


def drill(models: Path, count: int, workers: int, kills: int, seed: int) -> dict[str, Any]:
    """Send `count` outcomes while workers are killed; returns counts of acknowledged and of stored outcomes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "outcomes"
        with serving(models, Path(name) / "log", "--workers", str(workers), "--outcomes", str(folder)) as served:
            served.stub.GetModel(pb.GetModelRequest(), timeout=DEADLINE_SECONDS)  # without one nothing would ever end
            sent = asyncio.run(_send(served, count, kills, seed))
        kept = Counter(outcome.request_id for outcome in _kept(folder))
        acknowledged = sent.pop("acknowledged")
        return {
            "drill": "outcomes", **sent,
            "acknowledged": len(acknowledged),
            "acknowledged_and_missing": len(acknowledged - set(kept)),
            "requests_on_disk": len(kept),
            "lines_on_disk": sum(kept.values()),
            "files": len(list(folder.glob(PATTERN))),
        }  # fmt: skip


async def _send(served: Served, count: int, kills: int, seed: int) -> dict[str, Any]:
    chance = random.Random(seed)  # noqa: S311
    channels = [connect(served, number) for number in range(CONNECTIONS)]
    stubs = [pb_grpc.EnjoymentServiceStub(channel) for channel in channels]
    waiting, acknowledged, codes = list(range(count)), set[str](), Counter[str]()

    async def call_on(number: int) -> None:
        while waiting:
            request_id = f"request-{waiting.pop()}"
            request = pb.RecordOutcomeRequest(request_id=request_id, member_id="m", movie_id="movie-001", rating=3)
            while request_id not in acknowledged:
                try:
                    answer = await stubs[number % CONNECTIONS].RecordOutcome(request, timeout=DEADLINE_SECONDS)
                    codes["duplicate" if answer.duplicate else "OK"] += 1
                    acknowledged.add(request_id)
                except grpc.aio.AioRpcError as error:
                    codes[error.code().name] += 1
                    await asyncio.sleep(0.05)

    began = time.perf_counter()
    callers = [asyncio.create_task(call_on(number)) for number in range(CALLERS)]
    killed = 0
    for number in range(kills):
        while len(acknowledged) < count * (number + 1) / (kills + 1) and waiting:
            await asyncio.sleep(0.01)
        if waiting:
            pids = list(served.worker_pids().values())
            os.kill(chance.choice(pids), signal.SIGKILL)
            killed += 1
            while set(served.worker_pids().values()) == set(pids) and waiting:
                await asyncio.sleep(0.05)
    await asyncio.gather(*callers)
    seconds = time.perf_counter() - began
    for channel in channels:
        await channel.close()
    return {
        "sent": count, "kills": killed, "seconds": round(seconds, 1), "codes": dict(codes),
        "acknowledged": acknowledged,
    }  # fmt: skip


def _kept(folder: Path) -> list[Outcome]:
    lines = [line for path in folder.glob(PATTERN) for line in path.read_bytes().splitlines(keepends=True)]
    return [from_line(line) for line in lines if line.endswith(b"\n")]


def main() -> None:
    """Read the options, run the drill and print what it measured."""
    parser = argparse.ArgumentParser("python -m benchmarks.drills.outcomes", description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="the folder of models")
    parser.add_argument("--count", type=int, default=10_000, help="how many outcomes [default: 10000]")
    parser.add_argument("--workers", type=int, default=2, help="worker processes [default: 2]")
    parser.add_argument("--kills", type=int, default=5, help="how many kills [default: 5]")
    parser.add_argument("--seed", type=int, default=0, help="of which worker it is [default: 0]")
    arguments = parser.parse_args()
    print(json.dumps(drill(arguments.models, arguments.count, arguments.workers, arguments.kills, arguments.seed)))


if __name__ == "__main__":
    main()
