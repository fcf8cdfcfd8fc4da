"""Live ratings, in SQLite and in a real Redis: the next answers have them, whichever worker gives them."""

import sqlite3
import subprocess
import sys
import time
from types import SimpleNamespace

import grpc
import pytest

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc
from model.facts.member_key import MemberKey
from model.facts.member_record import MemberRecord, RecordedPlay, RecordedRating, record_key, to_json
from model.member_stores.sqlite_members import BUSY_SECONDS, SqliteMembers
from training.__main__ import main

PATIENT = ("--members-timeout-seconds", "5")
"""A machine that is busy with other things must not make a sound store look slow."""
SECRET = b"a secret of sixteen bytes or more"


def refill(server):
    options = ["--member-key", str(server.key)] if server.key else []
    return main(["members", "push", "--outcomes", str(server.outcomes), "--to", server.members, *options])


def put(server, member_id, record):
    """Write a record as another service does."""
    if server.store is None:
        with sqlite3.connect(server.members.removeprefix("sqlite:")) as connection:
            connection.execute("INSERT INTO records VALUES (?, ?)", (record_key(member_id), to_json(record)))
        connection.close()
    else:
        with server.store.client as client:
            client.set(record_key(member_id, MemberKey(SECRET)), to_json(record))


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def server(request, world, start_lasting, tmp_path_factory):
    """A server of two workers with a store of each kind, which holds all ratings that were recorded: none."""
    folder = tmp_path_factory.mktemp("live")
    place = SimpleNamespace(outcomes=folder / "outcomes", key=None, members=f"sqlite:{folder}/members.db", store=None)
    if request.param == "redis":
        place.store = request.getfixturevalue("lasting_store")
        place.members, place.key = place.store.address, folder / "key"
        place.key.write_bytes(SECRET)
        place.outcomes.mkdir()
        assert refill(place) == 0
    options = ["--member-key", str(place.key)] if place.key else []
    started = start_lasting(
        world.models,
        "--members",
        place.members,
        "--outcomes",
        str(place.outcomes),
        *options,
        "--workers",
        "2",
        *PATIENT,
    )
    vars(started).update(vars(place))
    return started


def rate(server, member_id, movie_id, rating=None, at=None, request_id=None, **fields):
    number = len(server.__dict__.setdefault("sent", []))
    server.sent.append(movie_id)
    request = pb.RecordOutcomeRequest(
        request_id=request_id or f"rating {number}", member_id=member_id, movie_id=movie_id, rating=rating, **fields
    )
    if at is not None:
        request.happened_at.seconds = at
    return server.stub.RecordOutcome(request)


def rated(member, *ratings):
    """The member with ratings in the request: movie, rating and time."""
    inline = pb.Member()
    inline.CopyFrom(member)
    for movie_id, rating, at in ratings:
        inline.ratings.add(movie_id=movie_id, rating=rating).rated_at.seconds = at
    return inline


def everywhere(server, member, movie_ids):
    """The answers of all RPCs about a member, over so many connections that both workers answer some."""
    predict = pb.PredictEnjoymentRequest(member=member, movie_ids=movie_ids)
    for number in range(8):
        options = [("grpc.use_local_subchannel_pool", 1), ("coldstart.number", number)]
        with grpc.insecure_channel(server.address, options) as channel:
            stub = pb_grpc.EnjoymentServiceStub(channel)
            ranking = stub.RankMovies(pb.RankMoviesRequest(member=member))
            ranking.next_page_token = ""  # it is bound to the request
            yield (
                stub.PredictEnjoyment(predict),
                *stub.StreamPredictEnjoyment(iter([predict])),
                ranking,
                stub.ExplainEnjoyment(pb.ExplainEnjoymentRequest(member=member, movie_id=movie_ids[0])),
            )


def assert_as_inline(server, world, member_id, inline):
    [expected, *_] = everywhere(world.server, inline, world.movie_ids)
    for answers in everywhere(server, pb.Member(member_id=member_id), world.movie_ids):
        assert answers == expected


def test_three_ratings_count_in_the_next_answers_whichever_worker_gives_them_bit_by_bit(server, world):
    ratings = [(world.movie_ids[number], 1 + 2 * number, 1_700_000_000 + number) for number in range(3)]
    for rating in ratings:
        assert rate(server, "a stranger", *rating).counts_already
    assert_as_inline(server, world, "a stranger", rated(pb.Member(), *ratings))
    assert server.metric("coldstart_live_rating_writes_total", result="written") >= 3


def test_they_are_merged_with_a_record_or_with_the_published_member_and_the_later_of_two_counts(server, world):
    first, second, third, fourth = world.movie_ids[:4]
    record = MemberRecord(
        {"age": 33.0},
        [RecordedPlay(fourth, 0.5, 1_600_000_000.0)],
        [RecordedRating(first, 2, 1_650_000_000), RecordedRating(second, 2), RecordedRating(third, 2, 1_750_000_000)],
    )
    put(server, "recorded", record)
    for movie_id in (first, second, third):
        assert rate(server, "recorded", movie_id, 5, 1_700_000_000).counts_already
    inline = pb.Member(plays=[pb.Play(movie_id=fourth, completion=0.5)])
    inline.plays[0].played_at.seconds = 1_600_000_000
    inline.attributes["age"].number = 33
    given = [(first, 5, 1_700_000_000), (second, 5, 1_700_000_000), (third, 2, 1_750_000_000)]
    assert_as_inline(server, world, "recorded", rated(inline, *given))
    for member_id in world.some_members(1):
        assert rate(server, member_id, first, 4, 1_700_000_000).counts_already
        assert_as_inline(server, world, member_id, rated(pb.Member(member_id=member_id), (first, 4, 1_700_000_000)))


def test_a_later_rating_replaces_an_earlier_one_is_passed_over_and_a_withdrawal_takes_it_back(server, world):
    movie_id, other = world.movie_ids[5:7]
    nothing = world.predict(pb.Member(member_id="changing"), *world.movie_ids)

    def answer():
        return server.stub.PredictEnjoyment(
            pb.PredictEnjoymentRequest(member=pb.Member(member_id="changing"), movie_ids=world.movie_ids)
        )

    def with_rating(*rating):
        return world.predict(rated(pb.Member(), rating), *world.movie_ids)

    assert rate(server, "changing", movie_id, 4, 1_700_000_100).counts_already
    assert rate(server, "changing", movie_id, 1, 1_700_000_000).counts_already, "a later one is there"
    assert answer() == with_rating(movie_id, 4, 1_700_000_100)
    assert rate(server, "changing", movie_id, 2, 1_700_000_200).counts_already
    assert answer() == with_rating(movie_id, 2, 1_700_000_200)
    assert rate(server, "changing", movie_id, at=1_700_000_300, rating_withdrawn=True).counts_already
    assert answer() == nothing
    assert rate(server, "changing", movie_id, 5, 1_700_000_250).counts_already
    assert answer() == nothing, "it was taken back later"
    assert rate(server, "changing", movie_id, 5, 1_700_000_400).counts_already
    assert answer() == with_rating(movie_id, 5, 1_700_000_400)
    assert not rate(server, "changing", other, completion=1).counts_already, "only ratings are live"
    assert answer() == with_rating(movie_id, 5, 1_700_000_400)


def test_the_withdrawal_of_a_rating_in_a_record_leaves_its_play(server, world):
    movie_id, other = world.movie_ids[:2]
    put(server, "withdrawing", MemberRecord({}, [], [RecordedRating(movie_id, 1), RecordedRating(other, 5)]))
    assert rate(server, "withdrawing", movie_id, rating_withdrawn=True).counts_already
    inline = pb.Member(plays=[pb.Play(movie_id=movie_id)], ratings=[pb.Rating(movie_id=other, rating=5)])
    assert_as_inline(server, world, "withdrawing", inline)


def test_a_repeated_request_replaces_nothing_that_came_between(server, world):
    movie_id = world.movie_ids[0]
    assert rate(server, "repeating", movie_id, 1, request_id="repeated").counts_already
    again = rate(server, "repeating", movie_id, 1, request_id="repeated")
    assert again.duplicate
    assert again.counts_already, "it is there"
    assert rate(server, "repeating", movie_id, 5).counts_already
    again = rate(server, "repeating", movie_id, 1, request_id="repeated")
    assert again.duplicate
    assert not again.counts_already, "another is there"
    ranked = server.stub.PredictEnjoyment(
        pb.PredictEnjoymentRequest(member=pb.Member(member_id="repeating"), movie_ids=world.movie_ids)
    )
    enjoyed = world.predict(pb.Member(ratings=[pb.Rating(movie_id=movie_id, rating=5)]), *world.movie_ids[1:])
    disliked = world.predict(pb.Member(ratings=[pb.Rating(movie_id=movie_id, rating=1)]), *world.movie_ids[1:])

    def distance(answer):
        pairs = zip(ranked.predictions[1:], answer.predictions, strict=True)
        return sum(abs(by_id.rating - inline.rating) for by_id, inline in pairs)

    assert distance(enjoyed) < distance(disliked)


def test_the_ratings_of_a_request_count_before_those_that_are_stored_unless_known_to_be_earlier(server, world):
    movie_id, *others = world.movie_ids[:6]
    assert rate(server, "asking", movie_id, 5, 1_700_000_000).counts_already
    for rating in (pb.Rating(movie_id=movie_id, rating=1), rated(pb.Member(), (movie_id, 1, 1_600_000_000)).ratings[0]):
        member = pb.Member(member_id="asking", ratings=[rating])
        answer = server.stub.PredictEnjoyment(pb.PredictEnjoymentRequest(member=member, movie_ids=others))
        inline = rated(pb.Member(), (movie_id, 5, 1_700_000_000))
        inline.ratings.append(rating)
        assert answer == world.predict(inline, *others)


def test_ratings_and_withdrawals_together_are_malformed(server, malformed, world):
    request = pb.RecordOutcomeRequest(request_id="x", member_id="y", movie_id="z", rating=3, rating_withdrawn=True)
    assert malformed(lambda: server.stub.RecordOutcome(request)) == ["rating_withdrawn"]


def test_a_refilled_store_is_as_before_and_filling_it_again_changes_nothing(server, world, capsys):
    def answers():
        members = ("a stranger", "changing", "withdrawing", "asking")
        return [next(everywhere(server, pb.Member(member_id=name), world.movie_ids)) for name in members]

    before = answers()
    assert not any(parts[0].unused.stored_facts_may_be_missing for parts in before)
    if server.store is None:
        with sqlite3.connect(server.members.removeprefix("sqlite:")) as connection:
            connection.execute("DELETE FROM ratings")
        connection.close()
    else:
        with server.store.client as client:
            for key in client.scan_iter("coldstart:ratings:*"):
                client.delete(key)
        assert all(parts[0].unused.stored_facts_may_be_missing for parts in answers())
    for _ in range(2):
        assert refill(server) == 0
        assert answers() == before
    assert "live ratings written" in capsys.readouterr().out


def test_while_the_file_takes_no_writes_outcomes_are_recorded_all_the_same(world, start_server, tmp_path):
    members = tmp_path / "members.db"
    briefer = ("--members-timeout-seconds", str(BUSY_SECONDS / 2))  # so the write, which waits on, is only late
    server = start_server(
        world.models, "--members", f"sqlite:{members}", "--outcomes", str(tmp_path / "outcomes"), *briefer
    )
    assert members.stat().st_mode & 0o077 == (tmp_path / "members.db.key").stat().st_mode & 0o077 == 0
    movie_id = world.movie_ids[0]
    blocking = sqlite3.connect(members, isolation_level=None)
    blocking.execute("BEGIN IMMEDIATE")
    answer = rate(server, "waiting", movie_id, 5, 1_700_000_000)
    assert not answer.counts_already
    assert not server.stub.PredictEnjoyment(
        pb.PredictEnjoymentRequest(member=pb.Member(member_id="waiting"), movie_ids=[movie_id])
    ).unused.stored_facts_may_be_missing, "a reader is not blocked"
    blocking.execute("ROLLBACK")
    blocking.close()
    for _ in range(200):
        if rate(server, "waiting", movie_id, 1, 1_600_000_000).counts_already:
            break
        time.sleep(0.05)
    assert_as_inline(server, world, "waiting", rated(pb.Member(), (movie_id, 5, 1_700_000_000)))


def test_after_a_kill_of_redis_answers_go_on_and_say_that_ratings_may_be_missing_until_it_is_filled(
    world, failing_store, start_server, tmp_path, capsys
):
    store, key, outcomes = failing_store, tmp_path / "key", tmp_path / "outcomes"
    key.write_bytes(SECRET)
    outcomes.mkdir()
    place = SimpleNamespace(members=store.address, key=key, outcomes=outcomes)
    assert refill(place) == 0
    server = start_server(
        world.models, "--members", store.address, "--member-key", str(key), "--outcomes", str(outcomes), *PATIENT
    )
    movie_ids = world.movie_ids
    by_id = pb.PredictEnjoymentRequest(member=pb.Member(member_id="rating"), movie_ids=movie_ids)
    assert rate(server, "rating", movie_ids[0], 5, 1_700_000_000).counts_already
    before = server.stub.PredictEnjoyment(by_id)
    assert before == world.predict(rated(pb.Member(), (movie_ids[0], 5, 1_700_000_000)), *movie_ids)
    store.process.kill()
    store.process.wait()
    answer = server.stub.PredictEnjoyment(by_id)
    assert answer.unused.stored_facts_may_be_missing
    assert not rate(server, "rating", movie_ids[1], 1, 1_700_000_001).counts_already
    store.start()

    def answers_again():
        for _ in range(400):
            if (
                server.log()[-1]["event"] == "member_store_answers_again"
                or not server.stub.PredictEnjoyment(by_id).unused.unknown_member
            ):
                return
            time.sleep(0.05)

    answers_again()
    assert server.stub.PredictEnjoyment(by_id).unused.stored_facts_may_be_missing, "it is empty"
    assert refill(place) == 0
    expected = rated(pb.Member(), (movie_ids[0], 5, 1_700_000_000), (movie_ids[1], 1, 1_700_000_001))
    for _ in range(400):
        answer = server.stub.PredictEnjoyment(by_id)
        if not answer.HasField("unused"):
            break
        time.sleep(0.05)
    assert answer == world.predict(expected, *movie_ids)
    assert rate(server, "rating", movie_ids[2], 1, 1_700_000_002).counts_already


def test_a_file_of_another_member_key_is_refused_at_the_start_and_by_a_push(world, tmp_path, capsys):
    members, key = tmp_path / "members.db", tmp_path / "key"
    (tmp_path / "outcomes").mkdir()
    push = ["members", "push", "--outcomes", str(tmp_path / "outcomes"), "--to", f"sqlite:{members}"]
    assert main(push) == 0
    key.write_bytes(SECRET)
    assert main([*push, "--member-key", str(key)]) == 2
    assert "another member key" in capsys.readouterr().err
    call = [sys.executable, "-m", "service", "--models", str(world.models), "--members", f"sqlite:{members}"]
    done = subprocess.run([*call, "--member-key", str(key)], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "another member key" in done.stderr
    opened = SqliteMembers(members)
    assert opened.state("live") == "complete"
    opened.close()
