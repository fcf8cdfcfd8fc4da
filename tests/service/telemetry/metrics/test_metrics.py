"""Prometheus gets the standard metrics of calls and the service's own, and nothing personal."""

import re

import grpc
import pytest

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from service.telemetry.metric_definitions import metrics_table

STANDARD = (
    "grpc_server_started_total",
    "grpc_server_handled_total",
    "grpc_server_msg_received_total",
    "grpc_server_msg_sent_total",
    "grpc_server_handling_seconds_count",
)
UNARY = {"grpc_type": "UNARY", "grpc_service": "coldstart.v1.EnjoymentService"}


@pytest.fixture(scope="module")
def server(world, start_lasting):
    """A server that the tests share, with what was scraped of it before the first call."""
    server = start_lasting(world.models, "--log-level", "debug")
    server.at_first = server.scrape()
    return server


def series(scraped):
    """All series with their values."""
    lines = [line for line in scraped.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def values_in(scraped, name):
    """The values of a metric's series, by their labels."""
    by_labels = {}
    for text, value in series(scraped).items():
        if text.split("{")[0] == name:
            by_labels[frozenset(re.findall(r'(\w+)="([^"]*)"', text))] = value
    return by_labels


class Added:
    """What has been added to a server's metrics since this was made."""

    def __init__(self, server):
        self.server = server
        self.before = server.scrape()

    def values(self, name):
        before = values_in(self.before, name)
        return {labels: value - before[labels] for labels, value in values_in(self.server.scrape(), name).items()}

    def metric(self, name, **labels):
        """The value of the one series with these labels among its own."""
        [value] = [value for own, value in self.values(name).items() if labels.items() <= dict(own).items()]
        return value


@pytest.fixture
def added(server):
    return Added(server)


def test_every_series_is_there_at_0_from_the_start(server):
    def values(name):
        return values_in(server.at_first, name)

    methods = ("PredictEnjoyment", "StreamPredictEnjoyment", "RankMovies", "ExplainEnjoyment", "SuggestMoviesToRate")
    for name in STANDARD:
        for method in (*methods, "Check", "Watch", "ServerReflectionInfo", "unknown"):
            counts = [value for labels, value in values(name).items() if ("grpc_method", method) in labels]
            assert counts, (name, method)
            assert set(counts) == {0}
    codes = {dict(labels)["grpc_code"] for labels in values("grpc_server_handled_total")}
    assert codes == {code.name for code in grpc.StatusCode}
    assert len(values("coldstart_predictions_total")) == 18
    stages = {dict(labels)["stage"] for labels in values("coldstart_stage_seconds_count")}
    assert stages == {"lookup", "decode", "features", "prior", "trees", "interval", "encode"}
    assert {dict(labels)["result"] for labels in values("coldstart_model_loads_total")} == {
        "loaded",
        "refused",
        "failed",
    }


def test_the_standard_five_count_calls_messages_and_codes(server, added, refused):
    request = pb.PredictEnjoymentRequest(movie_ids=["a"])
    for _ in range(3):
        server.stub.PredictEnjoyment(request)
    refused(lambda: server.stub.PredictEnjoyment(pb.PredictEnjoymentRequest()))
    assert len(list(server.stub.StreamPredictEnjoyment(iter([request] * 5)))) == 5
    labels = {**UNARY, "grpc_method": "PredictEnjoyment"}
    assert added.metric("grpc_server_started_total", **labels) == 4
    assert added.metric("grpc_server_msg_received_total", **labels) == 4
    assert added.metric("grpc_server_msg_sent_total", **labels) == 3
    assert added.metric("grpc_server_handled_total", **labels, grpc_code="OK") == 3
    assert added.metric("grpc_server_handled_total", **labels, grpc_code="INVALID_ARGUMENT") == 1
    assert added.metric("grpc_server_handling_seconds_count", **labels) == 4
    assert 0 < added.metric("grpc_server_handling_seconds_sum", **labels) < 4
    stream = {"grpc_type": "BIDI_STREAMING", "grpc_method": "StreamPredictEnjoyment"}
    assert added.metric("grpc_server_started_total", **stream) == 1
    assert added.metric("grpc_server_msg_received_total", **stream) == 5
    assert added.metric("grpc_server_msg_sent_total", **stream) == 5


def test_predictions_are_counted_by_evidence_whichever_call_they_came_from(server, added, world):
    member, rated = pb.Member(attributes={"age": pb.AttributeValue(number=3)}), world.tables.ratings["movie_id"][0]
    server.stub.PredictEnjoyment(pb.PredictEnjoymentRequest(member=member, movie_ids=[rated, rated, "nowhere"]))
    server.stub.RankMovies(pb.RankMoviesRequest(page_size=7, genres=["Drama"]))
    server.stub.ExplainEnjoyment(pb.ExplainEnjoymentRequest(movie_id="nowhere"))
    counted = {
        (dict(labels)["member_evidence"], dict(labels)["movie_evidence"]): value
        for labels, value in added.values("coldstart_predictions_total").items()
    }
    assert counted["attributes", "rated"] == 2
    assert counted["attributes", "unknown"] == 1
    assert counted["nothing", "unknown"] == 1
    assert counted["nothing", "rated"] + counted["nothing", "described"] == 7
    assert sum(counted.values()) == 11
    for histogram in ("coldstart_predicted_rating_position", "coldstart_interval_width_position"):
        assert added.metric(f"{histogram}_count") == 11
        assert added.metric(f"{histogram}_bucket", le="1.0") == 11


def test_what_the_model_could_not_use_is_counted(server, added, world):
    member = pb.Member(member_id="nobody", plays=[pb.Play(movie_id="nowhere"), pb.Play(movie_id=world.movie_ids[0])])
    member.attributes["shoe_size"].number = 42
    member.attributes["has_children"].text = "perhaps"
    server.stub.PredictEnjoyment(pb.PredictEnjoymentRequest(member=member, movie_ids=["elsewhere"]))
    assert added.metric("coldstart_unknown_movies_total") == 2
    assert added.metric("coldstart_unknown_members_total") == 1
    assert added.metric("coldstart_unused_attributes_total", reason="unknown_attribute") == 1
    assert added.metric("coldstart_unused_attributes_total", reason="unseen_category") == 1


def test_every_stage_of_a_prediction_is_timed(server, added, world):
    server.stub.PredictEnjoyment(pb.PredictEnjoymentRequest(movie_ids=world.movie_ids[:5]))
    server.stub.RankMovies(pb.RankMoviesRequest())
    counts = {dict(labels)["stage"]: count for labels, count in added.values("coldstart_stage_seconds_count").items()}
    assert counts.pop("lookup") == 0, "there is no external store"
    assert set(counts.values()) == {2}


def test_the_model_is_described(server, world):
    assert server.metric("coldstart_model_info", version=world.versions[0]) == 1
    assert server.metric("coldstart_movies") == len(world.movie_ids)
    assert server.metric("coldstart_members") >= len(world.tables.members)
    assert server.metric("coldstart_model_loads_total", model="current", result="loaded") == 1
    assert server.metric("process_resident_memory_bytes") > 0


def test_no_call_makes_new_series(server, added, refused):
    server.stub.PredictEnjoyment(pb.PredictEnjoymentRequest(movie_ids=["a"]))
    before = series(server.scrape())
    for number in range(50):
        refused(lambda number=number: server.channel.unary_unary(f"/no.service{number}/Method{number}")(b""))
        refused(lambda number=number: server.channel.unary_unary(f"/coldstart.v1.EnjoymentService/M{number}")(b""))
    member = pb.Member(member_id="x", attributes={"x": pb.AttributeValue(text="y")})
    server.stub.PredictEnjoyment(pb.PredictEnjoymentRequest(member=member, movie_ids=["b"]))
    after = series(server.scrape())
    assert set(after) == set(before)
    assert added.metric("grpc_server_handled_total", grpc_method="unknown", grpc_code="UNIMPLEMENTED") == 100
    assert len("\n".join(after)) < 200_000


def test_nothing_personal_is_ever_logged_counted_or_repeated_in_an_error(world, server):
    member_id = world.some_members(1)[0]
    member = pb.Member(member_id="CANARY", plays=[pb.Play(movie_id="CANARY", completion=0.5)])
    member.attributes["CANARY"].text = "CANARY"
    member.attributes["gender"].text = "CANARY"
    broken = pb.Member()
    broken.CopyFrom(member)
    broken.plays[0].completion = 7
    calls = [server.channel.unary_unary("/CANARY/CANARY").future(b"CANARY")]
    for sent in (member, broken, pb.Member(member_id=member_id)):
        calls += [
            server.stub.PredictEnjoyment.future(pb.PredictEnjoymentRequest(member=sent, movie_ids=["CANARY"])),
            server.stub.RankMovies.future(pb.RankMoviesRequest(member=sent, page_token="CANARY")),  # noqa: S106
            server.stub.ExplainEnjoyment.future(pb.ExplainEnjoymentRequest(member=sent, movie_id="CANARY")),
        ]
    errors = [call.details() for call in calls if call.exception()]
    assert len(errors) == 6
    shown = "\n".join([*errors, server.scrape(), server.log_file.read_text()])
    assert "CANARY" not in shown
    assert member_id not in shown
    assert server.log(), "there is a log to look at"


def test_the_table_of_metrics_has_every_metric_that_is_served(server):
    served = {line.split()[2] for line in server.scrape().splitlines() if line.startswith("# TYPE")}
    served -= {name for name in served if name.startswith(("python_", "process_"))}
    assert set(re.findall(r"^\| `(\w+)`", metrics_table(), re.MULTILINE)) == served
