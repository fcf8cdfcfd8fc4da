"""Health checks after grpc.health.v1, whose Watch streams end when the server stops.

gRPC's own servicer keeps them open, so that a stop uses up its whole grace period.
"""

# ruff: noqa: ARG002, N802 # the methods are those of the protocol

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from service.errors import UnknownService

Context = grpc.aio.ServicerContext[Any, Any]


class Health(health_pb2_grpc.HealthServicer):
    """Reports SERVING for the server ("") while it takes calls, and for its service while a model is loaded too."""

    def __init__(self, service: str, report_serving: Callable[[bool], None]) -> None:
        """`report_serving` is called with `is_serving` at each change."""
        self._services = ("", service)
        self._report_serving = report_serving
        self._ready = False
        self._stopping = False
        self._ended = False
        self._changed = asyncio.Event()

    @property
    def is_serving(self) -> bool:
        """Whether the status of the service is SERVING."""
        return self._ready and not self._stopping

    def model_loaded(self) -> None:
        """The service is SERVING from now on; before, only the server is."""
        self._ready = True
        self._notify()

    def stop(self) -> None:
        """Both are NOT_SERVING from now on."""
        self._stopping = True
        self._notify()

    def end(self) -> None:
        """End all open watches."""
        self._ended = True
        self._notify()

    async def Check(self, request: HealthCheckRequest, context: Context) -> HealthCheckResponse:
        """The status of the service, or of the server; NOT_FOUND for any other."""
        if request.service not in self._services:
            raise UnknownService
        return HealthCheckResponse(status=self._status(request.service))

    async def List(self, request: Any, context: Context) -> Any:
        """The status of both."""
        return health_pb2.HealthListResponse(  # type: ignore[attr-defined] # newer than its stubs
            statuses={service: HealthCheckResponse(status=self._status(service)) for service in self._services}
        )

    async def Watch(self, request: HealthCheckRequest, context: Context) -> AsyncIterator[HealthCheckResponse]:
        """The status now and after each change, until the server stops."""
        known = request.service in self._services
        sent = None
        while True:
            changed, ended = self._changed, self._ended
            status = self._status(request.service) if known else HealthCheckResponse.SERVICE_UNKNOWN
            if status != sent:
                yield HealthCheckResponse(status=status)
                sent = status
            if ended:
                return
            await changed.wait()

    def _status(self, service: str) -> int:
        serving = self.is_serving if service else not self._stopping
        return HealthCheckResponse.SERVING if serving else HealthCheckResponse.NOT_SERVING

    def _notify(self) -> None:
        """Wake every watch."""
        self._report_serving(self.is_serving)
        self._changed.set()
        self._changed = asyncio.Event()
