"""A drill of alerts that look back for long, beside a real Prometheus whose rules take half a second for a minute."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.drills.prometheus import MONITORING, hastened
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.store.store import CANDIDATE, Store
from tests.conftest import train

LIGHT = """\
folds = 2
[prior]
rank = 2
sweeps = 2
rounds = 1
folds = 2
[trees]
trees = 2
"""
"""Settings of a candidate whose predictions nobody looks at."""


class Drill:
    """A server with a candidate that takes an attribute for another kind, and what Prometheus tells of it."""

    def __init__(self, store: Store, server, prometheus, eventually) -> None:
        self.store, self.server, self.stub = store, server, server.stub
        self._prometheus, self._eventually = prometheus, eventually

    def firing(self, alert: str) -> bool:
        return bool(self._prometheus.ask(f'ALERTS{{alertname="{alert}",alertstate="firing"}}'))

    def fires(self, alert: str, cause: Callable[[], None]) -> None:
        """Wait until an alert fires, while its cause goes on."""

        def fired() -> bool:
            cause()
            return self.firing(alert)

        self._eventually(fired, 90, f"{alert} firing")

    def resolves(self, alert: str, use: Callable[[], None]) -> None:
        """Wait until an alert doesn't fire any more, while the service is used."""

        def ended() -> bool:
            use()
            return not self.firing(alert)

        self._eventually(ended, 90, f"the end of {alert}")


@pytest.fixture(scope="module")
def drill(world, start_lasting, start_prometheus, eventually, tmp_path_factory) -> Iterator[Drill]:
    folder = tmp_path_factory.mktemp("hasty")
    store = Store(shutil.copytree(world.models, folder / "models"))
    data = shutil.copytree(world.models.parent / "data", folder / "data")
    with (data / "schema.toml").open("a") as schema:
        schema.write('[members]\ncategorical = ["age"]\n')
    (folder / "light.toml").write_text(LIGHT)
    rules = []
    for name in ("rules.yaml", "alerts.yaml"):
        rules.append(folder / name)
        rules[-1].write_text(hastened((MONITORING / name).read_text(), minute_seconds=0.5))
    server = start_lasting(store.root, "--shadow-share", "1", "--reload-seconds", "0.1")
    with start_prometheus(*rules) as prometheus:  # which takes a while to begin: meanwhile the candidate is made
        prometheus.scrape(server.told["metrics_port"])
        options = ("--candidate", "--force", "--min-holders", "1", "--settings", str(folder / "light.toml"))
        train("retrain", "--data", str(data), "--models", str(store.root), *options)
        yield Drill(store, server, prometheus, eventually)


def test_a_candidate_that_fails_until_it_is_withdrawn_and_a_damaged_table_of_members_until_a_sound_version_serves(
    drill, world
):
    """One cause after the other, since they would mix, and then the wait for the ends of both."""
    member = pb.Member()
    member.attributes["age"].number = 30
    of_age = pb.PredictEnjoymentRequest(member=member, movie_ids=["movie-01"])
    members = sorted({*world.tables.plays["member_id"]})

    def ask_the_candidate() -> None:
        for _ in range(5):
            drill.stub.PredictEnjoyment(of_age)

    def ask_of_members() -> None:
        for member_id in members[::7]:
            request = pb.PredictEnjoymentRequest(member=pb.Member(member_id=member_id), movie_ids=["movie-01"])
            drill.stub.PredictEnjoyment(request)

    drill.fires("ColdstartShadowFailing", ask_the_candidate)
    assert drill.server.metric("coldstart_shadow_requests_total", result="compared") == 0
    drill.store.remove_label(CANDIDATE)

    damage(drill.store.folder(world.versions[0]) / "members" / "movies.npy")
    drill.fires("ColdstartMembersDamaged", ask_of_members)
    drill.store.promote(world.versions[1])

    drill.resolves("ColdstartMembersDamaged", ask_of_members)
    drill.resolves("ColdstartShadowFailing", ask_the_candidate)
    assert not drill.firing("ColdstartMembersDamaged")


def damage(path: Path) -> None:
    """Change half of a file while the service runs, which would refuse a version that is damaged already."""
    with path.open("r+b") as file:
        content = file.read()
        file.seek(0)
        file.write(bytes(255 - byte for byte in content[:16]) + content[16:])
        file.seek(len(content) // 2)
        file.write(bytes(255 - byte for byte in content[len(content) // 2 :]))
