"""A shift of one input shows in the drift index of that input alone."""

import math
import random
import shutil
import time

import pytest

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.artifact.artifact import load_model
from service.telemetry.drift.drift_index import (
    FEWEST_REQUESTS,
    SLOT_SECONDS,
    SLOTS,
    BinCounts,
    DriftCounts,
    DriftWindow,
    parse_drift_counts,
    stability_index,
)

MANY = 400


@pytest.fixture(scope="module")
def reloading(sample, start_lasting, tmp_path_factory):
    """A server that the tests share, and its own store."""
    models = shutil.copytree(sample[1], tmp_path_factory.mktemp("drift") / "models")
    return start_lasting(models, "--reload-seconds", "0.1"), models


@pytest.fixture
def change_to(reloading, publish):
    """Publishes a version and waits until the server has it, with an empty window."""
    server, models = reloading

    def change(version):
        publish(models, version)
        end = time.monotonic() + 60
        while server.stub.GetModel(pb.GetModelRequest()).model_version != version:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert server.metric("coldstart_drift_window_requests") == 0

    return change


@pytest.fixture
def watched(reloading, change_to, world):
    """The server as long as it has seen no member's attributes, and later with its first version anew."""
    server = reloading[0]
    if not math.isnan(server.metric("coldstart_attribute_missing_ratio", attribute="age")):
        current, first = server.stub.GetModel(pb.GetModelRequest()).model_version, world.versions[0]
        for version in (world.versions[1], first) if current == first else (first,):
            change_to(version)
    return server


@pytest.fixture(scope="module")
def model(world):
    return load_model(world.models / "versions" / world.versions[0])


def indices(server):
    """The index of every attribute and input, as scraped."""
    return {
        line.split('"')[1]: float(line.rsplit(" ", 1)[1])
        for line in server.scrape().splitlines()
        if line.startswith(("coldstart_attribute_drift_index{", "coldstart_drift_index{"))
    }


def ask_for(server, world, members, change=lambda _: None):
    """Request predictions of rated movies for each member, in one stream."""
    chance = random.Random(1)
    rated = world.tables.ratings["movie_id"].to_list()

    def requests():
        for member_id in members:
            member = world.facts(member_id)
            change(member)
            yield pb.PredictEnjoymentRequest(member=member, movie_ids=[chance.choice(rated) for _ in range(3)])

    assert sum(1 for _ in server.stub.StreamPredictEnjoyment(requests())) == len(members)


def raters(world):
    """Raters in random order, each about as often."""
    every = world.tables.ratings["member_id"].unique(maintain_order=True).to_list()
    chosen = (every * (MANY // len(every) + 1))[:MANY]
    random.Random(0).shuffle(chosen)
    return chosen


def test_a_planted_shift_of_one_attribute_shows_in_its_index_alone(watched, world, model):
    names = {attribute.name for attribute in model.schema.member_attributes}
    before, requests = indices(watched), watched.metric("coldstart_drift_window_requests")
    assert names | {"plays", "rating", "interval_width", "extrapolation"} == set(before)
    assert all(math.isnan(index) for index in before.values())
    ask_for(watched, world, raters(world))
    alike = indices(watched)
    assert max(alike[name] for name in names | {"plays"}) < 0.1, alike

    def older(member):
        if "age" in member.attributes:
            member.attributes["age"].number = min(member.attributes["age"].number + 25, 90)

    ask_for(watched, world, raters(world), older)
    shifted = indices(watched)
    assert shifted["age"] > 0.25, shifted
    assert max(shifted[name] for name in names - {"age"} | {"plays"}) < 0.1, shifted
    assert watched.metric("coldstart_drift_window_requests") - requests == 2 * MANY
    assert 0 <= watched.metric("coldstart_far_extrapolation_ratio") < 0.5


def test_another_model_begins_anew(reloading, change_to, world):
    server, _ = reloading
    before, version = server.metric("coldstart_drift_window_requests"), None
    for _ in range(5):
        version = server.stub.PredictEnjoyment(pb.PredictEnjoymentRequest(movie_ids=["movie-001"])).model_version
    assert server.metric("coldstart_drift_window_requests") - before == 5
    [other] = set(world.versions) - {version}
    change_to(other)
    server.stub.RankMovies(pb.RankMoviesRequest())
    assert server.metric("coldstart_drift_window_requests") == 1


def test_missing_and_unseen_values_are_measured_by_attribute(watched, model):
    server, requests = watched, watched.metric("coldstart_drift_window_requests")
    by_kind = {attribute.kind: attribute for attribute in model.schema.member_attributes if not attribute.has_other}
    categorical, numeric = by_kind["categorical"], by_kind["numeric"]
    member = pb.Member()
    member.attributes[categorical.name].text = "no such category"
    member.attributes[numeric.name].number = 1
    for _ in range(4):
        answer = server.stub.PredictEnjoyment(pb.PredictEnjoymentRequest(member=member, movie_ids=["movie-001"]))
        assert answer.unused.unseen_categories == 1
    # members without any known attribute are left out
    server.stub.PredictEnjoyment(pb.PredictEnjoymentRequest(movie_ids=["movie-001"]))
    assert server.metric("coldstart_attribute_missing_ratio", attribute=categorical.name) == 1
    assert server.metric("coldstart_attribute_unseen_ratio", attribute=categorical.name) == 1
    assert server.metric("coldstart_attribute_missing_ratio", attribute=numeric.name) == 0
    assert server.metric("coldstart_attribute_unseen_ratio", attribute=numeric.name) == 0
    assert server.metric("coldstart_drift_window_requests") - requests == 5


def drift_counts(version, count, name="age"):
    return DriftCounts(version, count, [BinCounts("attribute", name, [count, 0, 0], [count / 3] * 3, 0)])


def value(drift, metric="coldstart_drift_window_requests"):
    [family] = [family for family in drift.families() if family.name == metric]
    return family.series[0][2] if family.series else None


def test_the_window_slides_and_forgets():
    now = [1e6]
    drift = DriftWindow(lambda: now[0])
    assert value(drift) == 0
    for _ in range(SLOTS + 2):
        drift.add(0, drift_counts("a", 10))
        now[0] += SLOT_SECONDS
    assert value(drift) == 10 * (SLOTS - 1)
    now[0] += SLOTS * SLOT_SECONDS
    assert value(drift) == 0


def test_counts_for_the_previous_model_are_left_out():
    drift = DriftWindow(lambda: 0.0)
    drift.add(0, drift_counts("a", 1))
    drift.add(1, drift_counts("a", 2))
    drift.add(0, drift_counts("b", 4))
    drift.add(1, drift_counts("a", 8))
    assert value(drift) == 4
    drift.add(1, drift_counts("b", 16))
    assert value(drift) == 20
    drift.add(1, drift_counts("a", 32))  # rolled back
    assert value(drift) == 32


def test_the_index_follows_the_published_formula():
    wanted = [200.0, 300.0, 500.0]
    assert stability_index(wanted, wanted) == 0
    assert stability_index([300, 300, 400], wanted) == pytest.approx(0.1 * math.log(1.5) - 0.1 * math.log(0.8))
    assert stability_index([1000, 0, 0], wanted) > 3
    assert math.isnan(stability_index([1] * 3, [FEWEST_REQUESTS / 3 - 1] * 3))


@pytest.mark.parametrize("line", [5, ["a", 1], ["a", 1, [["attribute", "age", 5, [], 0]]], ["a", None, []]])
def test_anything_but_counts_is_refused(line):
    with pytest.raises(ValueError, match="no count of requests"):
        parse_drift_counts(line)
