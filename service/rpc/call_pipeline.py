"""The edge of the server: times and counts every call, and turns every error into a status."""

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
from service.rpc.methods import kinds, open_paths
from service.rpc.security.tokens import Tokens
from service.telemetry.call_sampling import CallSampler, current_request_id
from service.telemetry.logs import log_event
from service.telemetry.metrics.labels import CallClass
from service.telemetry.metrics.service_metrics import UNKNOWN_METHOD, CallMetrics, Method, Metrics

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context = grpc.aio.ServicerContext[Any, Any]

TYPES = {
    (False, False): "UNARY",
    (False, True): "SERVER_STREAMING",
    (True, False): "CLIENT_STREAMING",
    (True, True): "BIDI_STREAMING",
}
"""Names of the types of calls, by whether requests and responses are streams."""


class CallPipeline(grpc.GenericRpcHandler):
    """Wraps every served method. Messages are parsed here too, so that bytes which are no message are told as such.

    Generated code adds servicers to it as to a server, and it is added to the server in their place: an interceptor
    costs each call one more coroutine, and each method that gRPC knows by name one more future to wait for.
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
        """Without tokens, nobody needs one."""
        self._calls = calls
        self._clock = clock
        self._admission = admission
        self._tokens = tokens
        self._open = open_paths()
        self._unknown = calls.wrap(metrics.of_method(UNKNOWN_METHOD))
        self._counted = {
            f"/{service.full_name}/{method.name}": calls.wrap(
                metrics.of_method(
                    Method(TYPES[method.client_streaming, method.server_streaming], service.full_name, method.name)
                )
            )
            for service in services
            for method in service.methods
        }
        self._kinds = kinds(services)
        self._wrapped: dict[str, Handler] = {}

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """What generated code adds beside the handlers by name, which tell all of it."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Wrap the handlers of a service."""
        for name, handler in handlers.items():
            path = f"/{service}/{name}"
            self._wrapped[path] = self._wrap(path, handler)

    def handlers_of(self, service: str) -> dict[str, Handler]:
        """The wrapped handlers of a service, by name."""
        start = f"/{service}/"
        return {path.removeprefix(start): one for path, one in self._wrapped.items() if path.startswith(start)}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Handler | None":
        """The wrapped handler of a method; gRPC itself answers UNIMPLEMENTED where there is none."""
        method = handler_call_details.method
        known = method if method in self._counted else UNKNOWN_METHOD.grpc_method
        self._calls.start(known, handler_call_details.invocation_metadata)
        try:
            if self._tokens is not None and method not in self._open:
                self._tokens.check(method.rpartition("/")[2], handler_call_details.invocation_metadata)
            kind = self._kinds.get(method)
            if kind is not None:
                self._admission.check(kind)
        except Exception as error:  # noqa: BLE001 # told to the caller as any other
            return self._refusal(method, error)
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            self._unknown.started()
            self._unknown.handled(grpc.StatusCode.UNIMPLEMENTED)
        return wrapped

    def _refusal(self, method: str, error: Exception) -> Handler:
        """A handler that ends the call with the error, without waiting for its message."""
        counted = self._counted.get(method, self._unknown)

        async def refuse(_: object, context: Context) -> None:
            async with _Guard(method, counted, context, self._clock):
                raise error

        return grpc.stream_stream_rpc_method_handler(refuse)

    def _wrap(self, method: str, handler: Any) -> Handler:
        """The handler for bytes in place of messages; it is Any because its type knows no asyncio."""
        counted = self._counted.get(method, self._unknown)
        parse, serialize = handler.request_deserializer, handler.response_serializer
        admission, kind = self._admission, self._kinds.get(method)

        def remaining(context: Context) -> float | None:
            """The time until the caller's deadline; raises DeadlinePassed once it is over."""
            seconds = context.time_remaining()
            if seconds == 0:
                if kind:
                    admission.shed(kind, "deadline")
                raise DeadlinePassed
            return seconds

        def parsed(raw: bytes) -> Any:
            counted.received()
            try:
                return parse(raw)
            except DecodeError as error:
                raise InvalidRequest(Violation("", "the bytes sent are no message of this method")) from error

        def written(response: Any) -> bytes:
            """A handler may answer with the bytes of a message, too."""
            told: bytes = response if type(response) is bytes else serialize(response)
            counted.sent()
            return told

        async def answer(raw: bytes, context: Context) -> bytes:
            async with _Guard(method, counted, context, self._clock):
                seconds = remaining(context)
                request = parsed(raw)
                if kind is None:
                    return written(await handler.unary_unary(request, context))
                async with Turn(admission, kind, method, cost_of(request), seconds):
                    return written(await handler.unary_unary(request, context))

        async def answer_with_stream(raw: bytes, context: Context) -> AsyncIterator[bytes]:
            async with _Guard(method, counted, context, self._clock):
                remaining(context)
                async with aclosing(handler.unary_stream(parsed(raw), context)) as responses:
                    async for response in responses:
                        yield written(response)

        async def answer_stream(raws: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
            async with _Guard(method, counted, context, self._clock), _Turns(admission, kind, method) as turns:
                remaining(context)

                async def parsed_each() -> AsyncIterator[Any]:
                    async for raw in raws:
                        request = parsed(raw)
                        await turns.take(request, context)
                        yield request

                async with aclosing(handler.stream_stream(parsed_each(), context)) as responses:
                    async for response in responses:
                        turns.give_back()
                        yield written(response)

        if handler.request_streaming:
            return grpc.stream_stream_rpc_method_handler(answer_stream)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(answer_with_stream)
        return grpc.unary_unary_rpc_method_handler(answer)


class _Turns:
    """The turns of one stream: each of its requests takes one, each answer gives the oldest back."""

    def __init__(self, admission: Admission, kind: CallClass | None, method: str) -> None:
        self._admission = admission
        self._kind = kind
        self._method = method
        self._taken: deque[Turn] = deque()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        while self._taken:
            self.give_back()

    async def take(self, request: Any, context: Context) -> None:
        """Wait for a turn; none is needed where calls are never refused."""
        if self._kind:
            turn = Turn(self._admission, self._kind, self._method, cost_of(request), context.time_remaining())
            await self._admission.enter(turn)
            self._taken.append(turn)

    def give_back(self) -> None:
        """The oldest request is answered."""
        if self._taken:
            self._admission.leave(self._taken.popleft())


class _Guard:
    """Around one call: counts its begin and end, and answers every error with its status."""

    def __init__(self, method: str, counted: CallMetrics, context: Context, clock: Callable[[], float]) -> None:
        self._method = method
        self._counted = counted
        self._context = context
        self._clock = clock

    async def __aenter__(self) -> Self:
        self._began = self._clock()
        self._counted.started()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self._counted.seconds(self._clock() - self._began)
        if error is None:
            self._counted.handled(grpc.StatusCode.OK)
        elif isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            code = grpc.StatusCode.DEADLINE_EXCEEDED if has_passed(self._context) else grpc.StatusCode.CANCELLED
            self._counted.handled(code)
        elif isinstance(error, grpc.aio.AbortError):
            self._counted.handled(self._context.code())
        else:
            await self._abort(error)

    async def _abort(self, error: BaseException) -> None:
        """Ends the call with the error's status: any error, since gRPC leaves callers waiting on a BaseException."""
        status = rpc_status.to_status(status_of(error))
        self._counted.handled(status.code)
        if not isinstance(error, CallError):
            request_id = current_request_id(self._context.invocation_metadata())
            log_event(logging.ERROR, "internal_error", error, method=self._method, request_id=request_id)
        trailers = (*status.trailing_metadata, *pushback_of(error))
        await self._context.abort(status.code, status.details, trailers)
