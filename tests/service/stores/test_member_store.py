"""Members in a real Redis store: the same predictions as from inline facts, and none needed while the store is down."""

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import redis

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.facts.member_record import MemberRecord, RecordedPlay, RecordedRating, record_key, to_json
from service.stores.circuit_breaker import FAILURES, FIRST_SECONDS, Breaker
from training.__main__ import main

PATIENT = ("--members-timeout-seconds", "5")
"""A machine that is busy with other things must not make a sound store look slow."""


@pytest.fixture(scope="module")
def asking(world, lasting_store, start_lasting):
    """A server that asks the store."""
    return start_lasting(world.models, "--members", lasting_store.address, *PATIENT)


def put(store, member_id, content):
    with store.client as client:
        client.set(record_key(member_id), content)


def counts(server):
    return {
        result: server.metric("coldstart_member_store_lookups_total", result=result)
        for result in ("found", "unknown", "failed", "skipped")
    }


def push(capsys, *arguments):
    code = main(["members", "push", *arguments])
    return code, capsys.readouterr()


def test_a_recorded_member_is_answered_as_with_the_same_facts_inline_by_every_rpc(world, store, asking):
    """Ids that no model has seen, with the facts of members of each kind, and the request's own facts on top."""
    server, before = asking, counts(asking)["found"]
    for known in world.some_members(2):
        facts = world.facts(known)
        attributes = {name: getattr(value, value.WhichOneof("kind")) for name, value in facts.attributes.items()}
        plays = [
            RecordedPlay(
                play.movie_id,
                play.completion if play.HasField("completion") else float("nan"),
                play.played_at.seconds if play.HasField("played_at") else float("nan"),
            )
            for play in facts.plays
        ]
        ratings = [
            RecordedRating(
                rating.movie_id,
                rating.rating,
                rating.rated_at.seconds if rating.HasField("rated_at") else float("nan"),
            )
            for rating in facts.ratings
        ]
        member_id = f"new {known}"
        put(store, member_id, to_json(MemberRecord(attributes, plays, ratings)))
        by_id = pb.Member(member_id=member_id, plays=[pb.Play(movie_id=world.movie_ids[5], completion=1)])
        by_id.attributes["age"].number = 41
        inline = pb.Member()
        inline.CopyFrom(facts)
        inline.attributes["age"].number = 41
        inline.plays.add(movie_id=world.movie_ids[5], completion=1)
        asked = [
            ("PredictEnjoyment", pb.PredictEnjoymentRequest, {"movie_ids": world.movie_ids}),
            ("RankMovies", pb.RankMoviesRequest, {}),
            ("ExplainEnjoyment", pb.ExplainEnjoymentRequest, {"movie_id": world.movie_ids[0]}),
        ]
        for name, request, fields in asked:
            stored = getattr(server.stub, name)(request(member=by_id, **fields))
            inline_response = getattr(world.stub, name)(request(member=inline, **fields))
            if name == "RankMovies":  # its token is bound to the request
                stored.next_page_token = inline_response.next_page_token = ""
            assert stored == inline_response
    assert counts(server)["found"] - before == 3 * len(world.some_members(2))


def test_a_record_counts_before_the_published_table_which_answers_for_all_others(world, store, asking):
    server, before = asking, counts(asking)

    def added():
        return {result: count - before[result] for result, count in counts(server).items()}

    member_id = world.some_members(1)[0]
    by_id = pb.PredictEnjoymentRequest(member=pb.Member(member_id=member_id), movie_ids=world.movie_ids)
    assert server.stub.PredictEnjoyment(by_id) == world.stub.PredictEnjoyment(by_id)
    put(store, member_id, json.dumps({"version": 1, "attributes": {"age": 33}}))
    answer = server.stub.PredictEnjoyment(by_id)
    assert answer.member_evidence == pb.MEMBER_EVIDENCE_ATTRIBUTES
    assert not answer.HasField("unused")
    put(store, member_id, b"nonsense")
    answer = server.stub.PredictEnjoyment(by_id)
    assert answer.unused == pb.UnusedFacts(stored_facts_may_be_missing=True)
    answer.ClearField("unused")
    assert answer == world.stub.PredictEnjoyment(by_id)
    assert added() == {"found": 1, "unknown": 1, "failed": 1, "skipped": 0}
    assert [line["reason"] for line in server.log() if line["event"] == "member_record_unusable"] == [
        "the record is no JSON"
    ]
    nobody = pb.PredictEnjoymentRequest(member=pb.Member(member_id="nobody"), movie_ids=world.movie_ids[:1])
    assert server.stub.PredictEnjoyment(nobody).unused.unknown_member
    server.stub.PredictEnjoyment(pb.PredictEnjoymentRequest(movie_ids=world.movie_ids[:1]))
    assert added() == {"found": 1, "unknown": 2, "failed": 1, "skipped": 0}, "without an id nothing is asked"


def test_while_the_store_hangs_or_is_down_answers_go_on_without_it_and_then_with_it_again(
    world, failing_store, start_server
):
    store = failing_store
    put(store, "recorded", json.dumps({"version": 1, "attributes": {"age": 33}}))
    server = start_server(world.models, "--members", store.address, "--members-timeout-seconds", "0.3")
    member = pb.Member(member_id="recorded", plays=[pb.Play(movie_id=world.movie_ids[1])])
    request = pb.PredictEnjoymentRequest(member=member, movie_ids=world.movie_ids)

    def evidence():
        answer = server.stub.PredictEnjoyment(request, timeout=20)
        missing = answer.member_evidence == pb.MEMBER_EVIDENCE_PLAYS
        assert answer.unused.stored_facts_may_be_missing == missing, "which the answer says"
        return answer.member_evidence

    def answers_with_it():
        for _ in range(600):
            if evidence() == pb.MEMBER_EVIDENCE_ATTRIBUTES_AND_PLAYS:
                return True
            time.sleep(0.05)
        return False

    assert answers_with_it()
    store.process.send_signal(signal.SIGSTOP)
    asked = [evidence() for _ in range(3 * FAILURES)]
    assert set(asked) == {pb.MEMBER_EVIDENCE_PLAYS}, "what the request itself says"
    lookups = counts(server)
    assert lookups["failed"] >= FAILURES
    assert lookups["skipped"] > 0, "after some failures the store is left alone for a while"
    store.process.send_signal(signal.SIGCONT)
    assert answers_with_it()
    store.stop()
    assert {evidence() for _ in range(3 * FAILURES)} == {pb.MEMBER_EVIDENCE_PLAYS}
    store.start()
    put(store, "recorded", json.dumps({"version": 1, "attributes": {"age": 33}}))
    assert answers_with_it()
    events = [line["event"] for line in server.log()]
    assert events.count("member_store_failing") == events.count("member_store_answers_again") >= 2
    assert server.metric("grpc_server_handled_total", grpc_method="PredictEnjoyment", grpc_code="INTERNAL") == 0


def test_a_store_over_tls_with_a_user_of_its_own_is_asked_too_and_the_password_is_nowhere_to_be_seen(
    world, lasting_store, redis_server, start_server, tmp_path
):
    """A user who may read the records and nothing else is enough for the service."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=store"
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *made.split(), *files], check=True, capture_output=True)
    port, password = redis_server.free_port(), redis_server.password
    files = ("--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-auth-clients", "no")
    user = ("--user", "reader", "on", f">{password}", "~coldstart:member:*", "+get", "+client")
    encrypted = redis_server(tmp_path, "--tls-port", str(port), *files, *user, port=port)
    try:
        trusted = f"@127.0.0.1:{port}/0?ssl_ca_certs={certificate}"
        with redis.Redis.from_url(f"rediss://:{password}{trusted}") as client:
            client.set(record_key("recorded"), json.dumps({"version": 1, "attributes": {"age": 33}}))
        address = f"rediss://reader:{password}{trusted}"
        server = start_server(world.models, "--members", address, "--log-level", "debug", *PATIENT)
        request = pb.PredictEnjoymentRequest(member=pb.Member(member_id="recorded"), movie_ids=world.movie_ids[:1])
        assert server.stub.PredictEnjoyment(request).member_evidence == pb.MEMBER_EVIDENCE_ATTRIBUTES
        with redis.Redis.from_url(f"rediss://:{password}{trusted}") as client:
            client.execute_command("ACL SETUSER", "reader", "resetpass", ">another")
            client.execute_command("CLIENT KILL", "USER", "reader")
        for _ in range(FAILURES + 1):
            assert server.stub.PredictEnjoyment(request).unused.unknown_member
        assert counts(server)["failed"] >= FAILURES
        assert password not in server.log_file.read_text() + server.scrape()
        for pid in server.worker_pids().values():
            assert password not in Path(f"/proc/{pid}/cmdline").read_text()
    finally:
        encrypted.stop()


def test_a_pushed_version_answers_as_its_own_table_does_and_a_pushed_directory_too(
    world, sample, store, asking, own_store, capsys
):
    code, output = push(capsys, "--models", str(own_store), "--to", store.address)
    everyone = world.stub.GetModel(pb.GetModelRequest()).data.members
    assert (code, output.out) == (0, f"{everyone:,} members written\n")
    server = asking
    data = own_store.parent / "data"
    shutil.copytree(sample[1].parent / "data", data)
    for source in (["--models", str(own_store)], ["--data", str(data)]):
        assert push(capsys, *source, "--to", store.address)[0] == 0
        before = counts(server)["found"]
        for member_id in world.some_members(4):
            request = pb.PredictEnjoymentRequest(member=pb.Member(member_id=member_id), movie_ids=world.movie_ids)
            assert server.stub.PredictEnjoyment(request) == world.stub.PredictEnjoyment(request)
        assert counts(server)["found"] == before + len(world.some_members(4))


def test_a_push_can_leave_alone_what_is_there(world, store, own_store, capsys):
    someone = world.some_members(1)[0]
    put(store, someone, b"updated by another service")
    code, output = push(capsys, "--models", str(own_store), "--to", store.address, "--keep-existing")
    assert code == 0
    assert output.out.endswith("; 1 were there already\n")
    with store.client as client:
        assert client.get(record_key(someone)) == b"updated by another service"
        keys = [key.decode() for key in client.scan_iter("*", count=1000)]
    assert all(key.startswith("coldstart:member:") for key in keys)
    assert not any(someone in key for key in keys)


def test_a_push_that_fails_says_so_without_the_address(world, store, own_store, capsys, tmp_path):
    wrong = store.address.replace(store.password, "wrong-secret")
    code, output = push(capsys, "--models", str(own_store), "--to", wrong)
    assert code == 1
    assert "AuthenticationError" in output.err
    assert "wrong-secret" not in output.err
    assert push(capsys, "--models", str(own_store), "--to", "http://secret@somewhere")[0] == 2
    code, output = push(capsys, "--models", str(tmp_path / "nothing"), "--to", store.address)
    assert (code, output.err) == (1, "no model is published there\n")


def test_a_breaker_lets_one_call_through_when_its_waiting_is_over_and_waits_longer_each_time():
    now = 100.0
    breaker = Breaker(lambda: now)
    for number in range(1, FAILURES + 1):
        assert breaker.lets_through()
        assert breaker.failed() == (number == FAILURES)
    assert not breaker.lets_through()
    now += FIRST_SECONDS
    assert breaker.lets_through()
    assert not breaker.lets_through(), "the others wait for what the one finds"
    assert not breaker.failed()
    now += FIRST_SECONDS
    assert not breaker.lets_through()
    now += FIRST_SECONDS
    assert breaker.lets_through()
    assert breaker.succeeded()
    assert breaker.lets_through()
    assert not breaker.succeeded()
