"""A candidate beside the current model: compared out of sight, answering its share of members, ended either way."""

import time

import pytest

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.artifact.artifact import load_model
from model.facts.facts import MemberFacts
from model.store.store import CANDIDATE, Store

FAST = ("--reload-seconds", "0.1")
MEMBERS = [f"someone-{number}" for number in range(120)]


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not within time"
        time.sleep(0.05)


@pytest.fixture
def store(own_store, world):
    """A store whose second version is the candidate."""
    store = Store(own_store)
    store.set_label(CANDIDATE, world.versions[1])
    return store


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(b"SECRET-OF-THE-CANARY")
    return path


def with_candidate(server, loaded=True):
    name = "coldstart_model_info"
    wait_until(
        lambda: sum('model="candidate"' in line for line in server.scrape().splitlines() if name in line) == loaded
    )
    return server


def versions_of(server, members=MEMBERS):
    """The version that answers each member."""
    return {
        member: server.stub.PredictEnjoyment(
            pb.PredictEnjoymentRequest(member=pb.Member(member_id=member), movie_ids=["a"])
        ).model_version
        for member in members
    }


def test_a_shadowed_candidate_is_visible_in_metrics_and_never_in_an_answer(world, store, start_server):
    server = with_candidate(start_server(store.root, *FAST, "--shadow-share", "0.5"))
    first, second = (load_model(store.folder(version)) for version in world.versions)
    request = pb.PredictEnjoymentRequest(movie_ids=world.movie_ids[:10])
    expected = world.server.stub.PredictEnjoyment(request)
    for _ in range(20):
        assert server.stub.PredictEnjoyment(request) == expected
    wait_until(lambda: server.metric("coldstart_shadow_requests_total", result="compared") == 10)
    assert server.metric("coldstart_shadow_difference_count") == 100
    rows = list(range(10))
    ratings = [model.predict(MemberFacts.nothing(model.schema), rows).rating for model in (first, second)]
    difference = ratings[1] - ratings[0]
    assert server.metric("coldstart_shadow_mean_difference") == pytest.approx(difference.mean())
    assert server.metric("coldstart_shadow_difference_sum") == pytest.approx(10 * abs(difference).sum())
    assert server.metric("coldstart_answers_total", model="candidate") == 0
    assert server.metric("coldstart_answers_total", model="current") == 20


def test_without_a_share_a_candidate_sees_nothing(world, store, start_server):
    server = with_candidate(start_server(store.root, *FAST))
    assert set(versions_of(server).values()) == {world.versions[0]}
    assert server.metric("coldstart_shadow_requests_total", result="compared") == 0


def test_a_canary_answers_a_steady_share_of_members_until_it_is_promoted(world, store, start_server, key):
    first, second = world.versions
    options = (*FAST, "--canary-share", "0.4", "--canary-key", str(key))
    server = with_candidate(start_server(store.root, *options))
    versions = versions_of(server)
    picked = {member for member, version in versions.items() if version == second}
    assert 25 <= len(picked) <= 75
    assert set(versions.values()) == {first, second}
    assert versions_of(server) == versions
    assert server.metric("coldstart_answers_total", model="candidate") == 2 * len(picked)
    another = with_candidate(start_server(store.root, *options))
    assert versions_of(another) == versions, "another process picks the same members"
    store.promote(second)
    wait_until(lambda: set(versions_of(server, MEMBERS[:40]).values()) == {second})
    with_candidate(server, loaded=False)
    assert "SECRET" not in server.log_file.read_text()


def test_a_canary_that_is_withdrawn_answers_nobody(world, store, start_server, key):
    server = with_candidate(start_server(store.root, *FAST, "--canary-share", "1", "--canary-key", str(key)))
    assert set(versions_of(server, MEMBERS[:5]).values()) == {world.versions[1]}
    store.remove_label(CANDIDATE)
    with_candidate(server, loaded=False)
    assert set(versions_of(server, MEMBERS[:5]).values()) == {world.versions[0]}


def test_members_without_an_id_are_picked_by_their_facts(world, store, start_server, key):
    server = with_candidate(start_server(store.root, *FAST, "--canary-share", "0.5", "--canary-key", str(key)))

    def version(place):
        member = pb.Member(plays=[pb.Play(movie_id=world.movie_ids[place])])
        member.attributes["age"].number = 30
        return server.stub.RankMovies(pb.RankMoviesRequest(member=member, page_size=1)).model_version

    versions = [version(place) for place in range(30)]
    assert set(versions) == set(world.versions)
    assert [version(place) for place in range(30)] == versions


def test_a_candidate_that_is_wrong_changes_nothing_and_is_counted(world, store, start_server, key):
    (store.folder(world.versions[1]) / "trees.txt").write_text("nonsense")
    server = start_server(store.root, *FAST, "--canary-share", "1", "--canary-key", str(key), "--shadow-share", "1")
    wait_until(lambda: server.metric("coldstart_model_refusals_total", model="candidate", reason="damaged") > 0)
    assert server.metric("coldstart_model_behind", model="candidate") == 1
    assert server.metric("coldstart_model_behind", model="current") == 0
    assert set(versions_of(server, MEMBERS[:5]).values()) == {world.versions[0]}
