"""Drills of alerts that look back for long, beside a real Prometheus with the shipped rules, a minute as a second."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.drills.prometheus import MONITORING, hastened
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.store.job_status import GuardStatus, RetrainStatus, write_status
from model.store.store import CANDIDATE, Store
from tests.conftest import train

DAY = 86_400.0


class Drill:
    """A server with a candidate that takes an attribute for another kind, and what Prometheus tells of it."""

    def __init__(self, store: Store, server, prometheus, eventually) -> None:
        self.store, self.server, self.stub = store, server, server.stub
        self._prometheus, self._eventually = prometheus, eventually

    def firing(self, alert: str) -> bool:
        return bool(self._prometheus.ask(f'ALERTS{{alertname="{alert}",alertstate="firing"}}'))

    def fires(self, alert: str, cause: Callable[[], None] = lambda: None) -> None:
        """Wait until an alert fires, while its cause goes on."""

        def fired() -> bool:
            cause()
            return self.firing(alert)

        self._eventually(fired, 90, f"{alert} firing")

    def resolves(self, alert: str) -> None:
        self._eventually(lambda: not self.firing(alert), 150, f"the end of {alert}")

    def work(self, finished_at: float, checked_at: float, went_back_at: float | None = None) -> None:
        """Leave in the store what the jobs would, had they done this."""
        version = str(self.store.current())
        retrain = RetrainStatus(finished_at=finished_at, seconds=60, version=version, verdict="serves", gain_percent=3)
        write_status(self.store, retrain)
        write_status(self.store, GuardStatus(checked_at=checked_at, went_back_at=went_back_at))


@pytest.fixture(scope="module")
def drill(world, start_lasting, start_prometheus, eventually, tmp_path_factory) -> Iterator[Drill]:
    folder = tmp_path_factory.mktemp("hasty")
    store = Store(shutil.copytree(world.models, folder / "models"))
    data = shutil.copytree(world.models.parent / "data", folder / "data")
    with (data / "schema.toml").open("a") as schema:
        schema.write('[members]\ncategorical = ["age"]\n')
    options = ("--candidate", "--force", "--min-holders", "1")
    train("retrain", "--data", str(data), "--models", str(store.root), *options)
    now = time.time()
    Drill.work(Drill(store, world.server, None, None), now - 2 * DAY, now - DAY, now - 60)
    rules = []
    for name in ("rules.yaml", "alerts.yaml"):
        rules.append(folder / name)
        rules[-1].write_text(hastened((MONITORING / name).read_text()))
    server = start_lasting(store.root, "--shadow-share", "1", "--reload-seconds", "0.1")
    with start_prometheus(*rules) as prometheus:
        prometheus.scrape(server.told["metrics_port"])
        yield Drill(store, server, prometheus, eventually)


def test_jobs_that_did_not_run_and_a_version_taken_back_until_the_jobs_ran_again(drill):
    alerts = ("ColdstartRetrainMissed", "ColdstartGuardStopped", "ColdstartWentBack")
    for alert in alerts:
        drill.fires(alert)
    drill.work(time.time(), time.time(), time.time() - 2 * DAY)
    for alert in alerts:
        drill.resolves(alert)


def test_a_candidate_that_fails_until_it_is_withdrawn(drill):
    member = pb.Member()
    member.attributes["age"].number = 30
    request = pb.PredictEnjoymentRequest(member=member, movie_ids=["movie-01"])

    def call() -> None:
        for _ in range(5):
            drill.stub.PredictEnjoyment(request)

    drill.fires("ColdstartShadowFailing", call)
    assert drill.server.metric("coldstart_shadow_requests_total", result="compared") == 0
    drill.store.remove_label(CANDIDATE)
    drill.resolves("ColdstartShadowFailing")


def test_a_damaged_table_of_members_until_a_sound_version_serves(drill, world):
    path: Path = drill.store.folder(world.versions[0]) / "members" / "movies.npy"
    with path.open("r+b") as file:  # while the service runs: it would refuse a version that is damaged already
        content = file.read()
        file.seek(0)
        file.write(bytes(255 - byte for byte in content[:16]) + content[16:])
        file.seek(len(content) // 2)
        file.write(bytes(255 - byte for byte in content[len(content) // 2 :]))
    members = sorted({*world.tables.plays["member_id"]})

    def ask_of_members() -> None:
        for member_id in members[::7]:
            request = pb.PredictEnjoymentRequest(member=pb.Member(member_id=member_id), movie_ids=["movie-01"])
            drill.stub.PredictEnjoyment(request)

    drill.fires("ColdstartMembersDamaged", ask_of_members)
    drill.store.promote(world.versions[1])
    drill.resolves("ColdstartMembersDamaged")
    ask_of_members()
    time.sleep(5)
    assert not drill.firing("ColdstartMembersDamaged")
