"""Health checks as specified by grpc.health.v1. Watch streams end when the server stops.

gRPC's own health servicer keeps these streams open, so that stopping always takes the full grace period.
"""

# ruff: noqa: ARG002, N802 # names and arguments are given by the protocol

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from service.errors import UnknownService

Context = grpc.aio.ServicerContext[Any, Any]


class Health(health_pb2_grpc.HealthServicer):
    """Reports the health of the server and of its service.

    The server, named "", is SERVING until it stops. The service is SERVING once a model is loaded, until the server
    stops.
    """

    def __init__(self, service: str, report_serving: Callable[[bool], None]) -> None:
        """Start with the service NOT_SERVING.

        Args:
            service: Full name of the service.
            report_serving: Called with `is_serving` after each change.
        """
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
        """Let health checks of the service report SERVING from now on."""
        self._ready = True
        self._notify()

    def stop(self) -> None:
        """Let health checks of the server and of the service report NOT_SERVING from now on."""
        self._stopping = True
        self._notify()

    def end(self) -> None:
        """End all open Watch streams."""
        self._ended = True
        self._notify()

    async def Check(self, request: HealthCheckRequest, context: Context) -> HealthCheckResponse:
        """Return the health status of the service or of the server. Raises UnknownService for any other name."""
        if request.service not in self._services:
            raise UnknownService
        return HealthCheckResponse(status=self._status(request.service))

    async def List(self, request: Any, context: Context) -> Any:
        """Return the health status of the server and of the service."""
        return health_pb2.HealthListResponse(  # type: ignore[attr-defined] # missing in the stubs
            statuses={service: HealthCheckResponse(status=self._status(service)) for service in self._services}
        )

    async def Watch(self, request: HealthCheckRequest, context: Context) -> AsyncIterator[HealthCheckResponse]:
        """Send the current status, then each change, until the server stops."""
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
        """Report `is_serving` and wake all Watch streams."""
        self._report_serving(self.is_serving)
        self._changed.set()
        self._changed = asyncio.Event()
