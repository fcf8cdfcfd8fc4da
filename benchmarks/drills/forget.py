"""Drill: members are forgotten beside a running service, by calls that are killed and made again. Prints JSON."""

import argparse
import json
import random
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.served import Served, serving
from benchmarks.traces import traces
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.facts.member_key import PLAIN, MemberKey
from model.facts.member_record import record_key
from model.store.store import Store

MOVIES = 20
"""Movies of each request."""
NOBODY = "a-member-that-nobody-knows"
PORT_SECONDS, RELOAD_SECONDS = 30.0, 0.2


@dataclass(frozen=True)
class Scene:
    """The folders of the drill."""

    folder: Path

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    @property
    def outcomes(self) -> Path:
        """The outcomes that the service records."""
        return self.folder / "outcomes"

    @property
    def models(self) -> Path:
        """The published versions."""
        return self.folder / "models"

    @property
    def key(self) -> Path:
        """The member key."""
        return self.folder / "member.key"


def drill(
    data: Path,
    counts: Sequence[float],
    kills: int,
    seed: int,
    options: Sequence[str] = (),
    seeds: Sequence[str] = ("0", "1"),
) -> dict[str, Any]:
    """Forget so many members (shares, if below 1) of a copy of the data, each time by calls of which some are killed.

    Returns, for each, traces and answers that differ from those of unknown members; and whether a retrain gives the
    same version as one of tables that never had them. `options` are for retrains, of which
    there is one for each of the seeds before.
    """
    with tempfile.TemporaryDirectory(prefix="coldstart-forget-") as name, redis(Path(name)) as (address, client):
        scene = Scene(Path(name))
        plays = set_up(scene, data, options, seeds)
        _train("members", "push", "--data", str(scene.data), "--to", address)
        chance, remaining = random.Random(seed), sorted(plays)  # noqa: S311
        groups: list[dict[str, Any]] = []
        served_options = (
            "--outcomes", str(scene.outcomes), "--members", address, "--reload-seconds", str(RELOAD_SECONDS),
            "--members-timeout-seconds", "5", "--workers", "1",
        )  # fmt: skip
        gone: list[str] = []
        with serving(scene.models, scene.folder / "log", *served_options) as served:
            _record(served, plays)
            for count in counts:
                chosen = chance.sample(remaining, round(count * len(plays)) if count < 1 else int(count))
                remaining = sorted(set(remaining) - set(chosen))
                gone += chosen
                own = {member_id: plays[member_id] for member_id in chosen}
                groups.append(_forget(scene, served, address, own, kills, chance) | _left(scene, client, own))
        return {"drill": "forget", "members": len(plays), "groups": groups, **_compared(scene, data, gone, options)}


def set_up(scene: Scene, data: Path, options: Sequence[str], seeds: Sequence[str]) -> dict[str, list[str]]:
    """Write the tables in several formats, make a version of each seed, and return the movies played by each member."""
    write_tables(data, scene.data, [])
    scene.key.write_bytes(secrets.token_bytes(32))
    scene.outcomes.mkdir()
    for seed in seeds:
        places = ("--data", str(scene.data), "--models", str(scene.models))
        _train("retrain", *places, "--seed", seed, "--force", "--gate-most-latency-ratio", "100", *options)
    tables = [pl.read_csv(scene.data / "ratings.csv", infer_schema=False).select("member_id", "movie_id")]
    if (scene.data / "plays").exists():
        tables.append(pl.read_parquet(scene.data / "plays").select("member_id", "movie_id"))
    by_member = pl.concat(tables).unique().group_by("member_id").agg("movie_id")
    return dict(by_member.iter_rows())


def write_tables(source: Path, target: Path, gone: Sequence[str]) -> None:
    """Copy the Parquet tables of a data directory without some members: members and plays in parts, ratings as CSV.

    Members get ids that occur nowhere by chance, and of which none is part of another.
    """
    target.mkdir()
    shutil.copy(source / "schema.toml", target)
    shutil.copy(source / "movies.parquet", target)
    for name in ("members", "ratings", "plays"):
        if not (source / f"{name}.parquet").exists():
            continue
        member_id = pl.format("coldstart-drill-{}-", pl.col("member_id").cast(pl.String))
        rows = pl.read_parquet(source / f"{name}.parquet").with_columns(member_id.alias("member_id"))
        rows = rows.filter(~pl.col("member_id").is_in(list(gone)))
        if name == "ratings":
            rows.write_csv(target / "ratings.csv")
            continue
        for part in range(3):
            (target / name / f"part-{part}").mkdir(parents=True)
            rows[part::3].write_parquet(target / name / f"part-{part}" / "rows.parquet")


@contextmanager
def redis(folder: Path) -> Iterator[tuple[str, Any]]:
    """The address and a client of a Redis server of its own, reached by a socket in the folder."""
    import redis as package

    socket = folder / "redis.sock"
    called = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(called, stdout=subprocess.DEVNULL)
    try:
        began = time.monotonic()
        while not socket.exists() and time.monotonic() - began < PORT_SECONDS:
            time.sleep(0.02)
        address = f"unix://{socket}"
        with package.Redis.from_url(address) as client:
            yield address, client
    finally:
        process.terminate()
        process.wait()


def _record(served: Served, plays: Mapping[str, Sequence[str]]) -> None:
    """Record an outcome of every member."""
    for number, (member_id, movies) in enumerate(plays.items()):
        served.stub.RecordOutcome(
            pb.RecordOutcomeRequest(request_id=str(number), member_id=member_id, movie_id=movies[0], rating=3.0)
        )


def _forget(
    scene: Scene, served: Served, address: str, plays: Mapping[str, Sequence[str]], kills: int, chance: random.Random
) -> dict[str, Any]:
    """Forget members by a call that is killed at random moments and made again, and see what the service answers."""
    ids = scene.folder / "ids"
    ids.write_text("\n".join(plays))
    call = [
        sys.executable, "-m", "training", "members", "forget", "--ids", str(ids), "--data", str(scene.data),
        "--models", str(scene.models), "--to", address, "--outcomes", str(scene.outcomes),
        "--member-key", str(scene.key),
    ]  # fmt: skip
    began, killed, seconds = time.monotonic(), 0, 2.0
    for _ in range(kills):
        process = subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(chance.uniform(0.7, seconds))  # before that, it only imports
            seconds = max(1.0, 0.9 * seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
            seconds *= 1.1
    began = time.monotonic()
    receipt = json.loads(subprocess.run(call, capture_output=True, text=True, check=True).stdout)
    seconds = time.monotonic() - began
    ids.unlink()
    return {
        "forgotten": len(plays),
        "killed": killed,
        "last_call_seconds": round(seconds, 1),
        "seconds_until_served": round(_until_served(scene, served), 2),
        "answers_that_differ": _differing(served, plays),
        "receipt_has_ids": any(member_id in json.dumps(receipt) for member_id in plays),
        "trained_with_them": len(receipt["trained_with_them"]),
    }


def _until_served(scene: Scene, served: Served) -> float:
    """Seconds until the service answers by the version that is current now."""
    began = time.monotonic()
    current = Store(scene.models).current()
    while served.stub.GetModel(pb.GetModelRequest()).model_version != current:
        if time.monotonic() - began > PORT_SECONDS:
            raise RuntimeError("the service doesn't load the current version")
        time.sleep(0.02)
    return time.monotonic() - began


def _differing(served: Served, plays: Mapping[str, Sequence[str]]) -> int:
    """How many members are answered in another way than one whom nobody knows."""

    def answer(member_id: str, movies: Sequence[str]) -> pb.PredictEnjoymentResponse:
        request = pb.PredictEnjoymentRequest(member=pb.Member(member_id=member_id), movie_ids=movies[:MOVIES])
        return served.stub.PredictEnjoyment(request)

    return sum(answer(member_id, movies) != answer(NOBODY, movies) for member_id, movies in plays.items())


def _left(scene: Scene, client: Any, plays: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Traces in the folders, and entries in the store of members."""
    keys = (PLAIN, MemberKey.read(scene.key))
    names = [record_key(member_id, key) for member_id in plays for key in keys]
    return {
        "traces": traces([scene.data, scene.outcomes, scene.models], plays),
        "store_entries": int(client.exists(*names)),
    }


def _compared(scene: Scene, data: Path, gone: Sequence[str], options: Sequence[str]) -> dict[str, Any]:
    """Retrain after forgetting, and on tables and outcomes that never had the members; and compare the versions."""
    never = Scene(scene.folder / "never")
    never.folder.mkdir()
    write_tables(data, never.data, gone)
    never.outcomes.mkdir()
    for log in scene.outcomes.glob("*.jsonl"):
        lines = [line for line in log.read_bytes().splitlines(keepends=True) if not line.isspace()]
        (never.outcomes / log.name).write_bytes(b"".join(lines))
    versions = []
    for place in (scene, never):
        folders = ("--data", str(place.data), "--outcomes", str(place.outcomes), "--models", str(place.models))
        _train(
            "retrain", *folders, "--member-key", str(scene.key), "--force", "--gate-most-latency-ratio", "100", *options
        )
        versions.append(Store(place.models).current())
    return {"retrain_after_forgetting": versions[0], "retrain_that_never_had_them": versions[1]}


def _train(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "training", *arguments], check=True, stdout=subprocess.DEVNULL)


def main() -> int:
    """0 where nothing is left of the forgotten, 1 otherwise."""
    parser = argparse.ArgumentParser("python -m benchmarks.drills.forget", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a data directory of Parquet tables, which is copied")
    parser.add_argument(
        "--counts", type=float, nargs="+", default=[1, 100, 0.1], help="members to forget; below 1, a share of all"
    )
    parser.add_argument("--kills", type=int, default=5, help="calls that are killed for each of these (default 5)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--settings", type=Path, help="settings of the fits, such as for a quick one")
    arguments = parser.parse_args()
    options = ("--settings", str(arguments.settings)) if arguments.settings else ()
    seen = drill(arguments.data, arguments.counts, arguments.kills, arguments.seed, options)
    print(json.dumps(seen, indent=2))
    return int(not is_clean(seen))


def is_clean(seen: Mapping[str, Any]) -> bool:
    """Whether nothing is left of the forgotten members, and a retrain is as if they had never been."""
    bad = ("traces", "store_entries", "answers_that_differ", "receipt_has_ids")
    is_same = seen["retrain_after_forgetting"] == seen["retrain_that_never_had_them"]
    return is_same and not any(group[name] for group in seen["groups"] for name in bad)


if __name__ == "__main__":
    sys.exit(main())
