"""Health after grpc.health.v1, whose Watch streams end when the server stops.

gRPC's own servicer keeps them open, and a stop then waits for its whole grace.
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
    """Of the server ("") it tells whether it lives, of its service whether it can answer."""

    def __init__(self, service: str, changed: Callable[[bool], None]) -> None:
        """The service's name, and what is told whether it can answer each time that changes."""
        self._services = ("", service)
        self._told = changed
        self._ready = False
        self._stopping = False
        self._ended = False
        self._changed = asyncio.Event()

    @property
    def is_serving(self) -> bool:
        """Whether SERVING is answered of the service."""
        return self._ready and not self._stopping

    def model_loaded(self) -> None:
        """From now on the service can answer; before, only the server is said to be SERVING."""
        self._ready = True
        self._tell()

    def stop(self) -> None:
        """From now on no calls should come."""
        self._stopping = True
        self._tell()

    def end(self) -> None:
        """End all open watches."""
        self._ended = True
        self._tell()

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
        told = None
        while True:
            changed, ended = self._changed, self._ended
            status = self._status(request.service) if known else HealthCheckResponse.SERVICE_UNKNOWN
            if status != told:
                yield HealthCheckResponse(status=status)
                told = status
            if ended:
                return
            await changed.wait()

    def _status(self, service: str) -> int:
        well = self.is_serving if service else not self._stopping
        return HealthCheckResponse.SERVING if well else HealthCheckResponse.NOT_SERVING

    def _tell(self) -> None:
        """Wake every watch."""
        self._told(self.is_serving)
        self._changed.set()
        self._changed = asyncio.Event()
