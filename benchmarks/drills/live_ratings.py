"""Drill: members rate while workers are killed; their next answers must have the ratings. Prints one JSON object."""

import argparse
import asyncio
import json
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc

from benchmarks.drills.load import DEADLINE_SECONDS, connect
from benchmarks.served import Served, serving
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc
from model.facts.outcome_record import PATTERN, from_line

CALLERS, CONNECTIONS = 32, 8
RATINGS = 3
REPLACED_SECONDS = 60
ASKED = 20


class Members:
    """Members who each rate some movies, and what became of it."""

    def __init__(self, served: Served, count: int, seed: int) -> None:
        """`count` members, none of whom the model knows, and the movies that they rate, drawn with `seed`."""
        ranked = served.stub.RankMovies(pb.RankMoviesRequest(page_size=100), timeout=DEADLINE_SECONDS)
        self._movie_ids = [prediction.movie_id for prediction in ranked.predictions]
        self._chance = random.Random(seed)  # noqa: S311
        self.waiting = [self._rating(member, number) for member in range(count) for number in range(RATINGS)]
        self._chance.shuffle(self.waiting)
        self.inline = {request.member_id: pb.Member() for request in self.waiting}
        for request in self.waiting:
            self.inline[request.member_id].ratings.add(
                movie_id=request.movie_id, rating=request.rating, rated_at=request.happened_at
            )
        self.answers: dict[str, pb.RecordOutcomeResponse] = {}
        self.codes: Counter[str] = Counter()

    def _rating(self, member: int, number: int) -> pb.RecordOutcomeRequest:
        movie_id = self._movie_ids[(7 * member + 31 * number) % len(self._movie_ids)]
        request = pb.RecordOutcomeRequest(
            request_id=f"{member}-{number}", member_id=f"drilled-{member}", movie_id=movie_id, rating=1 + member % 5
        )
        request.happened_at.seconds = 1_700_000_000 + number
        return request

    async def rate(self, stub: pb_grpc.EnjoymentServiceStub) -> None:
        """Send ratings, each once, with no more retries than those of the shipped client."""
        while self.waiting:
            request = self.waiting.pop()
            try:
                answer = await stub.RecordOutcome(request, timeout=DEADLINE_SECONDS)
                self.answers[request.request_id] = answer
                self.codes["duplicate" if answer.duplicate else "OK"] += 1
            except grpc.aio.AioRpcError as error:
                self.codes[error.code().name] += 1

    async def differing(self, stubs: Sequence[pb_grpc.EnjoymentServiceStub]) -> int:
        """Number of members whose predictions by id aren't those with their ratings in the request, bit by bit."""
        count = 0
        for place, (member_id, member) in enumerate(self.inline.items()):
            stub = stubs[place % len(stubs)]
            by_id = await _predictions(stub, pb.Member(member_id=member_id), self._movie_ids[:ASKED])
            count += by_id != await _predictions(stub, member, self._movie_ids[:ASKED])
        return count


async def _predictions(stub: pb_grpc.EnjoymentServiceStub, member: pb.Member, movie_ids: list[str]) -> bytes:
    request = pb.PredictEnjoymentRequest(member=member, movie_ids=movie_ids)
    response = await stub.PredictEnjoyment(request, timeout=DEADLINE_SECONDS)
    return bytes(response.SerializeToString(deterministic=True))


def drill(models: Path, count: int, workers: int, kills: int, seed: int, members: str = "") -> dict[str, Any]:
    """Let `count` members rate three movies each while workers are killed; returns what of it is missing, and where.

    `members` is the address of the store, with further options of the service; by default, a SQLite file.
    """
    with tempfile.TemporaryDirectory() as name:
        outcomes = Path(name) / "outcomes"
        store = members.split() or [f"sqlite:{name}/members.db"]
        options = ("--workers", str(workers), "--outcomes", str(outcomes), "--members-timeout-seconds", "1")
        with serving(models, Path(name) / "log", *options, "--members", *store) as served:
            rating = Members(served, count, seed)
            seen = asyncio.run(_rate(served, rating, kills, seed))
        kept = Counter(_request_ids(outcomes))
    counting = sum(answer.counts_already for answer in rating.answers.values())
    return {
        "drill": "live_ratings", "members": count, **seen,
        "acknowledged": len(rating.answers), "counting_already": counting,
        "calls_failed": RATINGS * count - len(rating.answers), "codes": dict(rating.codes),
        "acknowledged_and_missing": len(set(rating.answers) - set(kept)),
    }  # fmt: skip


async def _rate(served: Served, members: Members, kills: int, seed: int) -> dict[str, Any]:
    channels = [connect(served, number) for number in range(CONNECTIONS)]
    stubs = [pb_grpc.EnjoymentServiceStub(channel) for channel in channels]
    ratings, began = len(members.waiting), time.perf_counter()
    callers = [asyncio.create_task(members.rate(stubs[number % CONNECTIONS])) for number in range(CALLERS)]
    killed = await _kill(served, members, ratings, kills, random.Random(seed))  # noqa: S311
    await asyncio.gather(*callers)
    seconds = time.perf_counter() - began
    differing = await members.differing(stubs)
    for channel in channels:
        await channel.close()
    return {"kills": killed, "seconds": round(seconds, 1), "answers_that_lack_ratings": differing}


async def _kill(served: Served, members: Members, ratings: int, kills: int, chance: random.Random) -> int:
    """Kill a worker whenever so many ratings were sent that all kills take place; returns how many did."""
    for number in range(kills):
        while len(members.waiting) > ratings * (1 - (number + 1) / (kills + 1)):
            await asyncio.sleep(0.01)
        serving_before = len(served.events("worker_serves"))
        os.kill(chance.choice(list(served.worker_pids().values())), signal.SIGKILL)
        killed_at = time.perf_counter()
        while len(served.events("worker_serves")) == serving_before:
            if time.perf_counter() - killed_at > REPLACED_SECONDS:
                raise RuntimeError(f"no new worker within {REPLACED_SECONDS} seconds")
            await asyncio.sleep(0.05)
    return kills


def _request_ids(folder: Path) -> Iterator[str]:
    for path in folder.glob(PATTERN):
        for line in path.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                yield from_line(line).request_id


def main() -> None:
    """Read the options, run the drill and print what it measured."""
    parser = argparse.ArgumentParser("python -m benchmarks.drills.live_ratings", description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="the folder of models")
    parser.add_argument("--count", type=int, default=1_000, help="how many members [default: 1000]")
    parser.add_argument("--workers", type=int, default=2, help="worker processes [default: 2]")
    parser.add_argument("--kills", type=int, default=5, help="how many kills [default: 5]")
    parser.add_argument("--seed", type=int, default=0, help="of which worker it is [default: 0]")
    parser.add_argument(
        "--members", default="", help="address of the store, with options such as --member-key [default: a SQLite file]"
    )
    options = parser.parse_args()
    seen = drill(options.models, options.count, options.workers, options.kills, options.seed, options.members)
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
