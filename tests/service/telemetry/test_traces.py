"""Spans of sampled calls reach a collector as part of the caller's trace, without anything personal."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from service.telemetry.call_sampling import MOST_STAGES, parent_of

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SERVER = Span.SPAN_KIND_SERVER
PREDICTED = ["decode", "features", "prior", "trees", "interval", "encode"]
"""The stages of a prediction, in their order."""
REQUEST = pb.PredictEnjoymentRequest(member=pb.Member(member_id="CANARY"), movie_ids=["movie-001", "CANARY"])


class Collector:
    """Receives OTLP over HTTP and keeps the bytes."""

    def __init__(self):
        bodies = self.bodies = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server.server_port}/v1/traces"

    def stages(self, parent):
        """The spans inside a span, in the order of their start."""
        inside = [span for span in self.spans() if span.parent_span_id == parent.span_id]
        return sorted(inside, key=lambda span: (span.start_time_unix_nano, span.end_time_unix_nano))

    def spans(self):
        exports = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [
            span
            for export in exports
            for resource in export.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@pytest.fixture(scope="module")
def collector():
    collector = Collector()
    yield collector
    collector.server.shutdown()
    collector.server.server_close()


@pytest.fixture(scope="module")
def spans(world, start_lasting, collector):
    """The spans of a server that has answered some calls and stopped, by request id."""
    server = start_lasting(world.models, "--traces", collector.address, "--trace-sample", "0")
    for number, flags in enumerate(("01", "00", "01")):
        metadata = [
            ("traceparent", f"00-{TRACE}-{SPAN}-{flags}"), ("tracestate", "vendor=CANARY"), ("baggage", "who=CANARY"),
            ("x-request-id", f"{number:032x}"),
        ]  # fmt: skip
        if number < 2:
            server.stub.PredictEnjoyment(REQUEST, metadata=metadata)
        else:
            with pytest.raises(grpc.RpcError):
                server.channel.unary_unary("/CANARY/CANARY")(b"", metadata=metadata)
    server.stub.PredictEnjoyment(REQUEST)
    assert server.stop() == 0
    return {attribute(span, "coldstart.request_id"): span for span in collector.spans() if span.kind == SERVER}


def attribute(span, name):
    [value] = [pair.value for pair in span.attributes if pair.key == name]
    return getattr(value, value.WhichOneof("value"))


def test_a_call_of_a_recorded_trace_is_a_span_below_the_callers(spans, world):
    span = spans[f"{0:032x}"]
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, SPAN)
    assert span.name == "coldstart.v1.EnjoymentService/PredictEnjoyment"
    assert span.kind == Span.SPAN_KIND_SERVER
    assert attribute(span, "rpc.grpc.status_code") == 0
    assert attribute(span, "coldstart.model_version") == world.versions[0]
    assert span.status.code == Status.STATUS_CODE_UNSET
    assert 0 < span.end_time_unix_nano - span.start_time_unix_nano < 10e9
    assert abs(span.end_time_unix_nano / 1e9 - time.time()) < 120


def test_the_stages_of_a_call_are_spans_inside_its_span(spans, collector):
    call = spans[f"{0:032x}"]
    stages = collector.stages(call)
    assert [stage.name for stage in stages] == PREDICTED
    moment = call.start_time_unix_nano
    for stage in stages:
        assert stage.trace_id == call.trace_id
        assert stage.kind == Span.SPAN_KIND_INTERNAL
        assert not stage.attributes
        assert moment <= stage.start_time_unix_nano <= stage.end_time_unix_nano <= call.end_time_unix_nano
        moment = stage.end_time_unix_nano
    assert collector.stages(spans[f"{2:032x}"]) == [], "it had none"


def test_calls_of_every_kind_have_stages_and_a_stream_not_too_many(start_server, world):
    other = Collector()
    store = ("--members", "redis://127.0.0.1:1")
    server = start_server(world.models, "--traces", other.address, "--trace-sample", "1", *store)
    server.stub.RankMovies(pb.RankMoviesRequest(member=REQUEST.member))
    server.stub.ExplainEnjoyment(pb.ExplainEnjoymentRequest(movie_id="movie-001"))
    list(server.stub.StreamPredictEnjoyment(iter([REQUEST] * 20)))
    waiting = [server.stub.PredictEnjoyment.future(REQUEST) for _ in range(10)]
    for call in waiting:
        call.result(timeout=30)
    assert server.stop() == 0
    other.server.shutdown()
    other.server.server_close()
    stages: dict[str, list[list[str]]] = {}
    for span in other.spans():
        if span.kind == SERVER:
            names = [stage.name for stage in other.stages(span)]
            stages.setdefault(span.name.split("/")[1], []).append(names)
    assert stages["RankMovies"] == [["lookup", *PREDICTED]]
    assert stages["ExplainEnjoyment"] == [["decode", "encode"]]
    [of_stream] = stages["StreamPredictEnjoyment"]
    assert len(of_stream) == MOST_STAGES
    assert set(of_stream) == {"lookup", *PREDICTED}
    assert stages["PredictEnjoyment"] == [["lookup", *PREDICTED]] * 10


def test_calls_that_their_callers_do_not_record_are_not_traced_without_a_share(spans):
    assert set(spans) == {f"{0:032x}", f"{2:032x}"}


def test_a_failed_call_is_a_failed_span_without_the_name_that_was_called(spans):
    failed = spans[f"{2:032x}"]
    assert failed.status.code == Status.STATUS_CODE_ERROR
    assert failed.name == "unknown"


def test_nothing_that_a_caller_sent_is_in_a_trace(spans, collector):
    assert spans
    assert not any(b"CANARY" in body for body in collector.bodies)


def test_a_share_of_the_other_calls_is_traced_and_a_collector_that_is_away_holds_nothing_up(start_server, world):
    other = Collector()
    server = start_server(world.models, "--traces", other.address, "--trace-sample", "0.5")
    for _ in range(10):
        server.stub.PredictEnjoyment(REQUEST)
    end = time.monotonic() + 30
    while len(calls := [span for span in other.spans() if span.kind == SERVER]) < 5:
        assert time.monotonic() < end, "they are sent every few seconds"
        time.sleep(0.05)
    other.server.shutdown()
    other.server.server_close()
    assert len(calls) == 5
    assert all(not call.parent_span_id for call in calls)
    began = time.monotonic()
    for _ in range(10):
        server.stub.PredictEnjoyment(REQUEST)
    assert time.monotonic() - began < 5
    assert server.stop() == 0
    assert time.monotonic() - began < 20
    assert all("CANARY" not in str(line) for line in server.log())


@pytest.mark.parametrize(
    "header", ["", "nonsense", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f"ff-{TRACE}-{SPAN}-01",
             f"00-{TRACE.upper()}-{SPAN}-01"],
)  # fmt: skip
def test_an_invalid_parent_is_none(header):
    assert parent_of([("traceparent", header)]) is None
    assert parent_of(None) is None
