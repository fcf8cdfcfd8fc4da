"""The gRPC methods: their class in admission control, and which ones bypass it or need no token."""

from collections.abc import Sequence

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pool import Default
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_reflection.v1alpha.reflection import SERVICE_NAME as REFLECTION

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from service.telemetry.metrics.labels import CallClass

ENJOYMENT = pb.DESCRIPTOR.services_by_name["EnjoymentService"].full_name
SERVICES = (ENJOYMENT, HEALTH, REFLECTION)
SERVICES_WITHOUT_REFLECTION = (ENJOYMENT, HEALTH)
NEVER_REFUSED = (HEALTH, REFLECTION)
"""Services whose calls bypass admission control. Otherwise, probes would consider an overloaded server dead."""
NOT_COMPUTING = ("RecordOutcome",)
"""Methods that bypass admission control, because they wait for the disk and have their own limit.

Otherwise, calls waiting for a slow disk would use up the concurrency limit.
"""
WITHOUT_TOKEN = (HEALTH,)
"""Services whose calls need no token, because probes have no token."""


def described(names: Sequence[str] = SERVICES) -> tuple[ServiceDescriptor, ...]:
    """Return the protobuf descriptors of the gRPC services with these full names."""
    return tuple(map(Default().FindServiceByName, names))


def paths(service: ServiceDescriptor) -> dict[str, str]:
    """Return the names of a gRPC service's methods, by path."""
    return {f"/{service.full_name}/{method.name}": method.name for method in service.methods}


def call_classes(services: Sequence[ServiceDescriptor]) -> dict[str, CallClass]:
    """Return the class (interactive or bulk) of each method that is subject to admission control, by path."""
    return {
        f"/{service.full_name}/{method.name}": CallClass.BULK if method.client_streaming else CallClass.INTERACTIVE
        for service in services
        if service.full_name not in NEVER_REFUSED
        for method in service.methods
        if method.name not in NOT_COMPUTING
    }


def paths_without_token() -> frozenset[str]:
    """Return the paths of methods that may be called without a bearer token."""
    return frozenset(path for service in described() if service.full_name in WITHOUT_TOKEN for path in paths(service))
