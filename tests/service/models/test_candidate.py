"""A candidate beside the current model: compared out of sight, answering its share of members, ended either way."""

import shutil
import time
from pathlib import Path

import pytest

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.artifact.artifact import load_model
from model.facts.facts import MemberFacts
from model.store.store import CANDIDATE, Store
from service.models.canary import Canary

FAST = ("--reload-seconds", "0.1")
KEY = b"SECRET-OF-THE-CANARY"
SHARE = 0.4
MEMBERS = [f"someone-{number}" for number in range(100)]


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not within time"
        time.sleep(0.05)


def copied(sample, factory):
    """A copy of the store whose second version is the candidate."""
    store = Store(shutil.copytree(sample[1], factory.mktemp("store") / "models"))
    store.set_label(CANDIDATE, sample[2][1])
    return store


@pytest.fixture(scope="module")
def shadowing(sample, start_lasting, tmp_path_factory):
    """A server that shows the candidate half of the requests and lets it answer none."""
    return with_candidate(start_lasting(copied(sample, tmp_path_factory).root, *FAST, "--shadow-share", "0.5"))


@pytest.fixture(scope="module")
def store(sample, tmp_path_factory):
    """The store of the server with a canary."""
    return copied(sample, tmp_path_factory)


@pytest.fixture(scope="module")
def with_canary(store, start_lasting, tmp_path_factory):
    key = tmp_path_factory.mktemp("key") / "key"
    key.write_bytes(KEY)
    return start_lasting(store.root, *FAST, "--canary-share", str(SHARE), "--canary-key", str(key))


@pytest.fixture
def canary(sample, store, with_canary):
    """A server whose candidate answers a share of members, whatever the tests before have made of it."""
    first, second = sample[2]
    if store.current() != first:
        store.promote(first)
    if store.label(CANDIDATE) != second:
        store.set_label(CANDIDATE, second)
    wait_until(lambda: with_canary.stub.GetModel(pb.GetModelRequest()).model_version == first)
    return with_candidate(with_canary)


def with_candidate(server, loaded=True):
    name = "coldstart_model_info"
    wait_until(
        lambda: sum('model="candidate"' in line for line in server.scrape().splitlines() if name in line) == loaded
    )
    return server


def picked():
    """The members whom any process with the key and the share picks."""
    chosen = Canary(SHARE, KEY)
    return {member for member in MEMBERS if chosen.picks(pb.Member(member_id=member))}


def versions_of(server, members=MEMBERS):
    """The version that answers each member."""
    return {
        member: server.stub.PredictEnjoyment(
            pb.PredictEnjoymentRequest(member=pb.Member(member_id=member), movie_ids=["a"])
        ).model_version
        for member in members
    }


def test_a_shadowed_candidate_is_visible_in_metrics_and_never_in_an_answer(world, shadowing):
    def compared(name, **labels):
        return shadowing.metric(f"coldstart_shadow_{name}", **labels)

    before = {name: compared(name) for name in ("difference_count", "difference_sum")}
    requests = compared("requests_total", result="compared")
    answers = shadowing.metric("coldstart_answers_total", model="current")
    first, second = (load_model(Store(world.models).folder(version)) for version in world.versions)
    request = pb.PredictEnjoymentRequest(movie_ids=world.movie_ids[:10])
    expected = world.server.stub.PredictEnjoyment(request)
    for _ in range(20):
        assert shadowing.stub.PredictEnjoyment(request) == expected
    wait_until(lambda: compared("requests_total", result="compared") == requests + 10)
    assert compared("difference_count") == before["difference_count"] + 100
    rows = list(range(10))
    ratings = [model.predict(MemberFacts.nothing(model.schema), rows).rating for model in (first, second)]
    difference = ratings[1] - ratings[0]
    assert compared("mean_difference") == pytest.approx(difference.mean())
    assert compared("difference_sum") - before["difference_sum"] == pytest.approx(10 * abs(difference).sum())
    assert shadowing.metric("coldstart_answers_total", model="candidate") == 0
    assert shadowing.metric("coldstart_answers_total", model="current") == answers + 20


def test_without_a_share_a_candidate_sees_nothing(world, shadowing, canary):
    assert set(versions_of(shadowing, MEMBERS[:50]).values()) == {world.versions[0]}
    assert world.versions[0] in versions_of(canary, MEMBERS[:50]).values()
    assert canary.metric("coldstart_shadow_requests_total", result="compared") == 0


def test_a_canary_that_is_withdrawn_answers_nobody(world, store, canary):
    assert world.versions[1] in versions_of(canary, MEMBERS[:20]).values()
    store.remove_label(CANDIDATE)
    with_candidate(canary, loaded=False)
    assert set(versions_of(canary, MEMBERS[:20]).values()) == {world.versions[0]}


def test_members_without_an_id_are_picked_by_their_facts(world, canary):
    def version(place):
        member = pb.Member(plays=[pb.Play(movie_id=world.movie_ids[place])])
        member.attributes["age"].number = 30
        return canary.stub.RankMovies(pb.RankMoviesRequest(member=member, page_size=1)).model_version

    versions = [version(place) for place in range(30)]
    assert set(versions) == set(world.versions)
    assert [version(place) for place in range(30)] == versions


def test_a_candidate_that_is_wrong_changes_nothing_and_is_counted(world, store, with_canary):
    def refusals():
        return with_canary.metric("coldstart_model_refusals_total", model="candidate", reason="damaged")

    store.remove_label(CANDIDATE)
    with_candidate(with_canary, loaded=False)
    before, serving = refusals(), store.current()
    label, trees = Path(store.root) / CANDIDATE, store.folder(world.versions[1]) / "trees.txt"
    sound = trees.read_text()
    trees.write_text("nonsense")
    label.write_text(world.versions[1] + "\n")
    try:
        wait_until(lambda: refusals() > before)
        assert with_canary.metric("coldstart_model_behind", model="candidate") == 1
        assert with_canary.metric("coldstart_model_behind", model="current") == 0
        assert set(versions_of(with_canary, MEMBERS[:20]).values()) == {serving}
    finally:
        trees.write_text(sound)


def test_a_canary_answers_a_steady_share_of_members_until_it_is_promoted(world, store, canary):
    first, second = world.versions
    before = canary.metric("coldstart_answers_total", model="candidate")
    versions = versions_of(canary)
    chosen = {member for member, version in versions.items() if version == second}
    assert 20 <= len(chosen) <= 65
    assert set(versions.values()) == {first, second}
    assert chosen == picked(), "another process picks the same members"
    assert versions_of(canary) == versions
    assert canary.metric("coldstart_answers_total", model="candidate") == before + 2 * len(chosen)
    store.promote(second)
    wait_until(lambda: set(versions_of(canary, MEMBERS[:40]).values()) == {second})
    with_candidate(canary, loaded=False)
    assert KEY.decode()[:6] not in canary.log_file.read_text()
