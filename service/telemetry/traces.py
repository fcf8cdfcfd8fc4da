"""Exports traces: OpenTelemetry spans of sampled calls and of their stages, in the background. Needs extra `otel`."""

from collections.abc import Callable

import grpc
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from service.telemetry.call_sampling import SampledCall

NANOSECONDS = 1_000_000_000
EXPORT_SECONDS = 2.0
"""Timeout of each export, including the last one when the service stops. Spans that take longer are lost."""
FAULTS = (
    grpc.StatusCode.UNKNOWN, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DATA_LOSS,
)  # fmt: skip
"""Status codes that mark a server span as failed, according to OpenTelemetry's conventions for gRPC."""


class Traces:
    """Exports a span for each traced call, with one inside for each stage of the call.

    If its queue is full, spans are dropped so that calls are not delayed.
    """

    def __init__(self, address: str, now: Callable[[], float]) -> None:
        """Set up the export to an OTLP collector at an HTTP address. `now` returns seconds since 1970 UTC."""
        self._now = now
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=Resource.create({"service.name": "coldstart"}), shutdown_on_exit=False
        )
        exporter = OTLPSpanExporter(endpoint=address, timeout=EXPORT_SECONDS)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("coldstart")

    def export(self, call: SampledCall, code: grpc.StatusCode, seconds: float) -> None:
        """Queue the spans of a call that has just ended and took `seconds`, for export."""
        context = None
        if call.parent is not None:
            flags = TraceFlags(TraceFlags.SAMPLED)
            parent = SpanContext(call.parent.trace_id, call.parent.span_id, is_remote=True, trace_flags=flags)
            context = set_span_in_context(NonRecordingSpan(parent))
        service, _, method = call.method.strip("/").rpartition("/")
        attributes: dict[str, str | int | list[str]] = {
            "rpc.system": "grpc", "rpc.service": service, "rpc.method": method,
            "rpc.grpc.status_code": int(code.value[0]), "coldstart.request_id": call.request_id,
        }  # fmt: skip
        if call.version is not None:
            attributes |= {"coldstart.model_version": call.version, "coldstart.answers": call.answers}
            attributes["coldstart.member_evidence"] = sorted(call.evidence)
        start = round((self._now() - seconds) * NANOSECONDS)

        def moment(clock: float) -> int:
            """Return a time on the sampler's clock in nanoseconds since 1970."""
            return start + round((clock - call.began) * NANOSECONDS)

        span = self._tracer.start_span(
            f"{service}/{method}".strip("/"), context, SpanKind.SERVER, attributes, start_time=start
        )
        within = set_span_in_context(span)
        for stage in call.stages:
            self._tracer.start_span(stage.name, within, start_time=moment(stage.began)).end(moment(stage.ended))
        if code in FAULTS:
            span.set_status(Status(StatusCode.ERROR))
        span.end(moment(call.began + seconds))

    def close(self) -> None:
        """Export the remaining spans, waiting at most `EXPORT_SECONDS`."""
        self._provider.force_flush(round(EXPORT_SECONDS * 1000))
