"""The pipeline around every method: authorizes, admits, measures and counts each call, and maps errors to statuses."""

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
"""The label `grpc_type`, by whether requests and responses are streams."""


class CallPipeline(grpc.GenericRpcHandler):
    """Wraps every served method. It also parses messages, so that malformed bytes get a status of ours.

    Generated code adds servicers to it as to a server, and it is added to the server in their place: an interceptor
    would cost each call one more coroutine, and registering each method by name one more future.
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
        """Without tokens every call is authorized."""
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
        """Called by generated code too; it adds the same handlers by name."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Wrap the handlers of a service."""
        for name, handler in handlers.items():
            path = f"/{service}/{name}"
            self._wrapped[path] = self._wrap(path, handler)

    def handlers_of(self, service: str) -> dict[str, Handler]:
        """The wrapped handlers of a service, by name."""
        start = f"/{service}/"
        return {path.removeprefix(start): handler for path, handler in self._wrapped.items() if path.startswith(start)}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Handler | None":
        """The wrapped handler of a method; gRPC itself answers UNIMPLEMENTED where there is none."""
        method = handler_call_details.method
        known = method if method in self._method_metrics else UNKNOWN_METHOD.grpc_method
        self._calls.start(known, handler_call_details.invocation_metadata)
        try:
            if self._tokens is not None and method not in self._paths_without_token:
                self._tokens.check(method.rpartition("/")[2], handler_call_details.invocation_metadata)
            call_class = self._classes.get(method)
            if call_class is not None:
                self._admission.check(call_class)
        except Exception as error:  # noqa: BLE001 # ends the call, as any error does
            return self._refusal(method, error)
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            self._unknown_metrics.started()
            self._unknown_metrics.handled(grpc.StatusCode.UNIMPLEMENTED)
        return wrapped

    def _refusal(self, method: str, error: Exception) -> Handler:
        """A handler that ends the call with the error, without waiting for its message."""
        metrics = self._method_metrics.get(method, self._unknown_metrics)

        async def refuse(_: object, context: Context) -> None:
            async with _Guard(method, metrics, context, self._clock):
                raise error

        return grpc.stream_stream_rpc_method_handler(refuse)

    def _wrap(self, method: str, handler: Any) -> Handler:
        """A handler of bytes in place of messages; `handler` is Any since its stubs lack asyncio."""
        metrics = self._method_metrics.get(method, self._unknown_metrics)
        deserialize, serialize = handler.request_deserializer, handler.response_serializer
        admission, call_class = self._admission, self._classes.get(method)

        def remaining(context: Context) -> float | None:
            """Seconds until the caller's deadline, None without one; raises DeadlinePassed."""
            seconds = context.time_remaining()
            if seconds == 0:
                if call_class:
                    admission.shed(call_class, "deadline")
                raise DeadlinePassed
            return seconds

        def parsed(raw: bytes) -> Any:
            metrics.received()
            try:
                return deserialize(raw)
            except DecodeError as error:
                raise InvalidRequest(Violation("", "the bytes sent are no message of this method")) from error

        def serialized(response: Any) -> bytes:
            """Handlers may return encoded messages, too."""
            raw: bytes = response if type(response) is bytes else serialize(response)
            metrics.sent()
            return raw

        async def answer(raw: bytes, context: Context) -> bytes:
            async with _Guard(method, metrics, context, self._clock):
                seconds = remaining(context)
                request = parsed(raw)
                if call_class is None:
                    return serialized(await handler.unary_unary(request, context))
                async with Turn(admission, call_class, method, cost_of(request), seconds):
                    return serialized(await handler.unary_unary(request, context))

        async def answer_with_stream(raw: bytes, context: Context) -> AsyncIterator[bytes]:
            async with _Guard(method, metrics, context, self._clock):
                remaining(context)
                async with aclosing(handler.unary_stream(parsed(raw), context)) as responses:
                    async for response in responses:
                        yield serialized(response)

        async def answer_stream(raws: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
            async with _Guard(method, metrics, context, self._clock), _Turns(admission, call_class, method) as turns:
                remaining(context)

                async def parsed_each() -> AsyncIterator[Any]:
                    async for raw in raws:
                        request = parsed(raw)
                        await turns.take(request, context)
                        yield request

                async with aclosing(handler.stream_stream(parsed_each(), context)) as responses:
                    async for response in responses:
                        turns.give_back()
                        yield serialized(response)

        if handler.request_streaming:
            return grpc.stream_stream_rpc_method_handler(answer_stream)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(answer_with_stream)
        return grpc.unary_unary_rpc_method_handler(answer)


class _Turns:
    """The turns of one stream: each request takes one, each response gives the oldest back."""

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
        """Wait for a turn; methods that are never refused need none."""
        if self._call_class:
            turn = Turn(self._admission, self._call_class, self._method, cost_of(request), context.time_remaining())
            await self._admission.enter(turn)
            self._taken.append(turn)

    def give_back(self) -> None:
        """Give the turn of the oldest request back."""
        if self._taken:
            self._admission.leave(self._taken.popleft())


class _Guard:
    """Context of one call: counts its start and end, and ends it with a status on any error."""

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
        """End the call with the error's status, even a BaseException: gRPC would leave its caller waiting."""
        status = rpc_status.to_status(status_of(error))
        self._metrics.handled(status.code)
        if not isinstance(error, CallError):
            request_id = current_request_id(self._context.invocation_metadata())
            log_event(logging.ERROR, "internal_error", error, method=self._method, request_id=request_id)
        trailers = (*status.trailing_metadata, *pushback_of(error))
        await self._context.abort(status.code, status.details, trailers)
