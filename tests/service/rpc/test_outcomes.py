"""Outcomes: on disk before they are answered, recorded once, and compared with what was predicted."""

import math
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.facts.outcome_record import from_line

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def keeping(world, start_lasting, tmp_path_factory):
    """A server of two workers that keeps outcomes, and its folder."""
    folder = tmp_path_factory.mktemp("kept") / "outcomes"
    server = start_lasting(world.models, "--outcomes", str(folder), "--workers", "2")
    server.outcomes = folder
    return server


def kept(folder):
    return [from_line(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_bytes().splitlines(True)]


def outcome(request_id, member_id="somebody", movie_id="movie-001", **fields):
    return pb.RecordOutcomeRequest(request_id=request_id, member_id=member_id, movie_id=movie_id, **fields)


def test_an_outcome_is_on_disk_when_it_is_answered(keeping):
    request = outcome("first", rating=4, completion=0.5)
    request.happened_at.seconds = 1_000_000_000
    assert not keeping.stub.RecordOutcome(request).duplicate
    [first] = [record for record in kept(keeping.outcomes) if record.request_id == "first"]
    assert (first.member_id, first.movie_id, first.rating, first.completion) == ("somebody", "movie-001", 4, 0.5)
    assert first.happened_at == 1_000_000_000 < first.received_at
    assert first.caller is None
    assert all(path.stat().st_mode & 0o077 == 0 for path in keeping.outcomes.iterdir())


def test_the_same_request_is_recorded_once_whichever_worker_gets_it(keeping):
    def record(_):
        with grpc.insecure_channel(keeping.address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            call = channel.unary_unary(
                "/coldstart.v1.EnjoymentService/RecordOutcome",
                pb.RecordOutcomeRequest.SerializeToString,
                pb.RecordOutcomeResponse.FromString,
            )
            return call(outcome("again", completion=1), timeout=10).duplicate

    assert record(0) is False
    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(record, range(12)))
    assert sum(record.request_id == "again" for record in kept(keeping.outcomes)) == 1
    assert keeping.metric("coldstart_outcomes_total", result="duplicate") >= 12


def test_malformed_outcomes_are_refused_with_their_fields_and_not_kept(keeping, malformed):
    record = keeping.stub.RecordOutcome
    assert malformed(lambda: record(pb.RecordOutcomeRequest())) == ["request_id", "member_id", "movie_id", "rating"]
    long = "x" * 257
    assert malformed(lambda: record(outcome(long, long, long, rating=6))) == [
        "request_id", "member_id", "movie_id", "rating",
    ]  # fmt: skip
    assert malformed(lambda: record(outcome("bad", rating=math.nan, completion=2))) == ["rating", "completion"]
    late = outcome("bad", rating=1)
    late.happened_at.nanos = -1
    late.shown.model_version = long
    assert malformed(lambda: record(late)) == [
        "happened_at", "shown.prediction.rating", "shown.prediction.lower", "shown.prediction.upper",
        "shown.member_evidence", "shown.model_version",
    ]  # fmt: skip
    assert "bad" not in {record.request_id for record in kept(keeping.outcomes)}


def sums(server, name, **labels):
    return server.metric(f"coldstart_outcome_{name}_total", **labels)


def test_a_rating_is_compared_with_the_prediction_that_was_shown(keeping, world):
    answer = keeping.stub.PredictEnjoyment(pb.PredictEnjoymentRequest(movie_ids=["movie-002"]))
    shown = pb.ShownPrediction(prediction=answer.predictions[0], member_evidence=3, model_version=answer.model_version)
    shown.prediction.rating, shown.prediction.lower, shown.prediction.upper = 3.5, 3, 5
    shown.prediction.probability_enjoyed = 0.0625
    labels = {"model": "current", "member_evidence": "plays"}
    before = {name: sums(keeping, name, **labels) for name in ("ratings", "squared_error", "covered", "enjoyed")}
    mean = answer.predictions[0].rating
    for number, rating in enumerate((2, 5)):
        keeping.stub.RecordOutcome(outcome(f"shown-{number}", movie_id="movie-002", rating=rating, shown=shown))
    added = {name: sums(keeping, name, **labels) - value for name, value in before.items()}
    assert added == {"ratings": 2, "squared_error": 1.5**2 * 2, "covered": 1, "enjoyed": 1}
    assert sums(keeping, "expected_enjoyed", **labels) == 0.125
    expected = sum((mean - rating) ** 2 for rating in (2, 5))
    assert sums(keeping, "movie_mean_squared_error", **labels) == pytest.approx(expected)
    assert keeping.metric("coldstart_outcome_probability_enjoyed_total", probability="0.1") == 1
    assert keeping.metric("coldstart_outcome_probability_expected_total", probability="0.1") == 0.125
    shown.model_version = "an earlier one"
    keeping.stub.RecordOutcome(outcome("earlier", movie_id="movie-002", rating=3, shown=shown))
    assert sums(keeping, "ratings", model="other", member_evidence="plays") == 1


def test_without_it_the_current_model_predicts_as_if_the_movie_had_not_been_played(keeping, world):
    rater = world.some_members(1)[0]
    movie = world.played(rater)[0]
    answer = keeping.stub.PredictEnjoyment(
        pb.PredictEnjoymentRequest(member=pb.Member(member_id=rater), movie_ids=[movie])
    )
    evidence = pb.MemberEvidence.Name(answer.member_evidence).removeprefix("MEMBER_EVIDENCE_").lower()
    labels = {"model": "current", "member_evidence": evidence}
    before = sums(keeping, "squared_error", **labels)
    keeping.stub.RecordOutcome(outcome("predicted", rater, movie, rating=1))
    error = answer.predictions[0].rating - 1
    assert sums(keeping, "squared_error", **labels) - before == pytest.approx(error**2)


def test_movies_and_members_that_nobody_knows_are_recorded_too(keeping):
    keeping.stub.RecordOutcome(outcome("unknown", "no such member", "no such movie", rating=2))
    assert any(record.movie_id == "no such movie" for record in kept(keeping.outcomes))


def test_a_server_without_a_folder_says_so(start_server, world, refused, details):
    server = start_server(world.models)
    error = refused(lambda: server.stub.RecordOutcome(outcome("x", rating=1)))
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert [info.reason for info in details(error, error_details_pb2.ErrorInfo)] == ["OUTCOMES_OFF"]


def test_a_folder_that_can_not_be_made_is_reported_before_anything_starts(world, tmp_path):
    (tmp_path / "file").write_text("")
    call = [
        sys.executable,
        "-m",
        "service",
        "--models",
        str(world.models),
        "--outcomes",
        str(tmp_path / "file" / "below"),
    ]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: the folder of --outcomes can't be used: it can't be written to: Not a directory\n"


def wait_until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_while_the_folder_is_away_a_new_worker_predicts_and_then_it_knows_what_was_recorded(
    start_server, world, tmp_path, refused
):
    folder, away = tmp_path / "outcomes", tmp_path / "away"
    server = start_server(world.models, "--outcomes", str(folder))
    server.stub.RecordOutcome(outcome("kept", rating=1))
    folder.rename(away)
    before = server.worker_pids()[0]
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: server.worker_pids()[0] != before)
    movies = pb.PredictEnjoymentRequest(movie_ids=["movie-001"])
    assert server.stub.PredictEnjoyment(movies, wait_for_ready=True, timeout=30).predictions
    assert refused(lambda: server.stub.RecordOutcome(outcome("a", rating=1))).code() == grpc.StatusCode.UNAVAILABLE
    away.rename(folder)
    assert not server.stub.RecordOutcome(outcome("a", rating=1)).duplicate
    assert server.stub.RecordOutcome(outcome("a", rating=1)).duplicate
    assert server.stub.RecordOutcome(outcome("kept", rating=2)).duplicate
    assert [record.rating for record in kept(folder) if record.request_id == "kept"] == [1]


def test_an_outcome_that_the_disk_does_not_take_is_not_acknowledged_and_costs_no_worker(
    start_server, world, tmp_path, refused, details
):
    """A process may write files of no more than so many bytes, which is what a full disk is to it."""
    folder = tmp_path / "outcomes"
    server = start_server(world.models, "--outcomes", str(folder))
    shutil.rmtree(folder)
    error = refused(lambda: server.stub.RecordOutcome(outcome("lost", rating=1)))
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert [info.reason for info in details(error, error_details_pb2.ErrorInfo)] == ["OUTCOME_NOT_KEPT"]
    assert details(error, error_details_pb2.RetryInfo)[0].retry_delay.seconds == 1
    assert server.metric("coldstart_outcomes_total", result="failed") == 1
    folder.mkdir()
    assert not server.stub.RecordOutcome(outcome("lost", rating=1)).duplicate
    assert [record.request_id for record in kept(folder)] == ["lost"]
    assert [line["event"] for line in server.log() if "outcomes" in line["event"]] == [
        "outcomes_not_kept", "outcomes_kept_again",
    ]  # fmt: skip
    worker = server.worker_pids()[0]
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (500, 500))
    error = refused(lambda: [server.stub.RecordOutcome(outcome(f"more-{number}", rating=1)) for number in range(5)])
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert server.stub.PredictEnjoyment(pb.PredictEnjoymentRequest(movie_ids=["movie-001"])).predictions
    os.kill(worker, 0)  # it lives
    lines = [line for path in folder.glob("*.jsonl") for line in path.read_bytes().splitlines(True)]
    assert sum(line.endswith(b"\n") for line in lines) >= 2
    assert any(not line.endswith(b"\n") for line in lines), "a line that was cut off, of an outcome that was refused"
