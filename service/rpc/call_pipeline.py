"""What every call passes through: it is authorized, admitted, timed and counted, and errors become gRPC statuses."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self, TypeAlias

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from service.errors import CallError, DeadlinePassed, InvalidRequest, Violation
from service.rpc.admission.admission import Admission, Turn
from service.rpc.admission.costs import cost_of
from service.rpc.admission.deadlines import has_passed
from service.rpc.error_status import pushback_of, status_of
from service.rpc.methods import call_classes, paths_without_token
from service.rpc.security.tokens import Tokens
from service.telemetry.call_sampling import CallSampler, current_request_id
from service.telemetry.logs import log_event
from service.telemetry.metrics.call_metrics import UNKNOWN_METHOD, Method, MethodMetrics
from service.telemetry.metrics.labels import CallClass
from service.telemetry.metrics.service_metrics import Metrics

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context = grpc.aio.ServicerContext[Any, Any]

CALL_TYPES = {
    (False, False): "UNARY",
    (False, True): "SERVER_STREAMING",
    (True, False): "CLIENT_STREAMING",
    (True, True): "BIDI_STREAMING",
}
"""Values of the label `grpc_type`, keyed by whether requests and whether responses are streamed."""


class CallPipeline(grpc.GenericRpcHandler):
    """Adds authorization, admission control, metrics and error statuses to every gRPC method.

    The pipeline also parses messages, so that malformed bytes raise InvalidRequest.

    Generated code registers servicers with the pipeline as if it were a server, and the pipeline is added to the actual
    server as a generic handler. An interceptor would cost an extra coroutine per call, and registering the methods by
    name an extra future.
    """

    def __init__(
        self,
        metrics: Metrics,
        clock: Callable[[], float],
        services: Sequence[ServiceDescriptor],
        admission: Admission,
        calls: CallSampler,
        tokens: Tokens | None = None,
    ) -> None:
        """Create a pipeline without handlers.

        Args:
            metrics: Metrics of this worker.
            clock: Returns seconds from an arbitrary origin.
            services: Descriptors of the served services.
            admission: Admission control of this worker.
            calls: Samples calls for logs and traces.
            tokens: Bearer tokens; None to authorize every call.
        """
        self._calls = calls
        self._clock = clock
        self._admission = admission
        self._tokens = tokens
        self._paths_without_token = paths_without_token()
        self._unknown_metrics = calls.wrap(metrics.calls.for_method(UNKNOWN_METHOD))
        self._method_metrics = {
            f"/{service.full_name}/{method.name}": calls.wrap(
                metrics.calls.for_method(
                    Method(CALL_TYPES[method.client_streaming, method.server_streaming], service.full_name, method.name)
                )
            )
            for service in services
            for method in service.methods
        }
        self._classes = call_classes(services)
        self._wrapped: dict[str, Handler] = {}

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Do nothing. Generated code calls this method, but also registers the same handlers by name."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Wrap and store the handlers of a service, given by method name. Generated code calls this method."""
        for name, handler in handlers.items():
            path = f"/{service}/{name}"
            metrics = self._method_metrics.get(path, self._unknown_metrics)
            call_class = self._classes.get(path)
            wrapped = _WrappedMethod(path, handler, metrics, self._admission, call_class, self._clock)
            self._wrapped[path] = wrapped.handler()

    def handlers_of(self, service: str) -> dict[str, Handler]:
        """Return the wrapped handlers of a service, keyed by method name."""
        start = f"/{service}/"
        return {path.removeprefix(start): handler for path, handler in self._wrapped.items() if path.startswith(start)}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Handler | None":
        """Return the handler of a method, wrapped in the pipeline, or a handler that refuses the call.

        Returns None if the method doesn't exist; gRPC then responds with UNIMPLEMENTED.
        """
        method = handler_call_details.method
        known = method if method in self._method_metrics else UNKNOWN_METHOD.grpc_method
        self._calls.start(known, handler_call_details.invocation_metadata)
        try:
            if self._tokens is not None and method not in self._paths_without_token:
                self._tokens.check(method.rpartition("/")[2], handler_call_details.invocation_metadata)
            call_class = self._classes.get(method)
            if call_class is not None:
                self._admission.check(call_class)
        except Exception as error:  # noqa: BLE001 # any error ends the call
            return self._refusal(method, error)
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            self._unknown_metrics.started()
            self._unknown_metrics.handled(grpc.StatusCode.UNIMPLEMENTED)
        return wrapped

    def _refusal(self, method: str, error: Exception) -> Handler:
        """Return a handler that ends the call with the error without waiting for a request message."""
        metrics = self._method_metrics.get(method, self._unknown_metrics)

        async def refuse(_: object, context: Context) -> None:
            async with _Guard(method, metrics, context, self._clock):
                raise error

        return grpc.stream_stream_rpc_method_handler(refuse)


class _WrappedMethod:
    """One gRPC method wrapped in the pipeline. Its requests and responses are bytes instead of messages."""

    def __init__(
        self,
        path: str,
        handler: Any,
        metrics: MethodMetrics,
        admission: Admission,
        call_class: CallClass | None,
        clock: Callable[[], float],
    ) -> None:
        """Wrap a handler, which is typed as Any because its stubs lack asyncio.

        If `call_class` is None, calls bypass admission control.
        """
        self._path = path
        self._handler = handler
        self._metrics = metrics
        self._admission = admission
        self._call_class = call_class
        self._clock = clock

    def handler(self) -> Handler:
        """Return the handler to register with gRPC."""
        if self._handler.request_streaming:
            return grpc.stream_stream_rpc_method_handler(self._stream_stream)
        if self._handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(self._unary_stream)
        return grpc.unary_unary_rpc_method_handler(self._unary_unary)

    async def _unary_unary(self, raw: bytes, context: Context) -> bytes:
        async with _Guard(self._path, self._metrics, context, self._clock):
            seconds = self._remaining_seconds(context)
            request = self._deserialize(raw)
            if self._call_class is None:
                return self._serialize(await self._handler.unary_unary(request, context))
            async with Turn(self._admission, self._call_class, self._path, cost_of(request), seconds):
                return self._serialize(await self._handler.unary_unary(request, context))

    async def _unary_stream(self, raw: bytes, context: Context) -> AsyncIterator[bytes]:
        async with _Guard(self._path, self._metrics, context, self._clock):
            self._remaining_seconds(context)
            async with aclosing(self._handler.unary_stream(self._deserialize(raw), context)) as responses:
                async for response in responses:
                    yield self._serialize(response)

    async def _stream_stream(self, raws: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        async with (
            _Guard(self._path, self._metrics, context, self._clock),
            _Turns(self._admission, self._call_class, self._path) as turns,
        ):
            self._remaining_seconds(context)

            async def requests() -> AsyncIterator[Any]:
                async for raw in raws:
                    request = self._deserialize(raw)
                    await turns.take(request, context)
                    yield request

            async with aclosing(self._handler.stream_stream(requests(), context)) as responses:
                async for response in responses:
                    turns.give_back()
                    yield self._serialize(response)

    def _remaining_seconds(self, context: Context) -> float | None:
        """Return the time until the caller's deadline; None if the call has no deadline.

        Raises DeadlinePassed if the deadline has passed.
        """
        seconds = context.time_remaining()
        if seconds == 0:
            if self._call_class:
                self._admission.shed(self._call_class, "deadline")
            raise DeadlinePassed
        return seconds

    def _deserialize(self, raw: bytes) -> Any:
        self._metrics.received()
        try:
            return self._handler.request_deserializer(raw)
        except DecodeError as error:
            raise InvalidRequest(Violation("", "the bytes sent are no message of this method")) from error

    def _serialize(self, response: Any) -> bytes:
        """Serialize a response, unless the handler has already encoded it."""
        raw: bytes = response if type(response) is bytes else self._handler.response_serializer(response)
        self._metrics.sent()
        return raw


class _Turns:
    """The requests of one stream that admission control lets run; each response ends the oldest one's turn."""

    def __init__(self, admission: Admission, call_class: CallClass | None, method: str) -> None:
        self._admission = admission
        self._call_class = call_class
        self._method = method
        self._taken: deque[Turn] = deque()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        while self._taken:
            self.give_back()

    async def take(self, request: Any, context: Context) -> None:
        """Wait until the next request of the stream may run. Does nothing for methods that bypass admission control."""
        if self._call_class:
            turn = Turn(self._admission, self._call_class, self._method, cost_of(request), context.time_remaining())
            await self._admission.enter(turn)
            self._taken.append(turn)

    def give_back(self) -> None:
        """Tell admission control that the oldest request of the stream has been answered."""
        if self._taken:
            self._admission.leave(self._taken.popleft())


class _Guard:
    """Context manager of one call: counts its start and end, and converts any error to a status."""

    def __init__(self, method: str, metrics: MethodMetrics, context: Context, clock: Callable[[], float]) -> None:
        self._method = method
        self._metrics = metrics
        self._context = context
        self._clock = clock

    async def __aenter__(self) -> Self:
        self._began = self._clock()
        self._metrics.started()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self._metrics.seconds(self._clock() - self._began)
        if error is None:
            self._metrics.handled(grpc.StatusCode.OK)
        elif isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            code = grpc.StatusCode.DEADLINE_EXCEEDED if has_passed(self._context) else grpc.StatusCode.CANCELLED
            self._metrics.handled(code)
        elif isinstance(error, grpc.aio.AbortError):
            self._metrics.handled(self._context.code())
        else:
            await self._abort(error)

    async def _abort(self, error: BaseException) -> None:
        """End the call with the error's gRPC status.

        gRPC itself would leave the caller waiting after a BaseException.
        """
        status = rpc_status.to_status(status_of(error))
        self._metrics.handled(status.code)
        if not isinstance(error, CallError):
            request_id = current_request_id(self._context.invocation_metadata())
            log_event(logging.ERROR, "internal_error", error, method=self._method, request_id=request_id)
        trailers = (*status.trailing_metadata, *pushback_of(error))
        await self._context.abort(status.code, status.details, trailers)
