"""The methods that are served: which of them go before others, which are never refused, which a token may name."""

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
"""Let in however many calls there are: probes would else take an overloaded server for a dead one."""
BOUNDED_BY_THEMSELVES = ("RecordOutcome",)
"""Methods that wait for the disk rather than for the processor: turns to compute would be held up by a slow one."""
WITHOUT_TOKEN = (HEALTH,)
"""Probes carry none."""


def described(names: Sequence[str] = SERVICES) -> tuple[ServiceDescriptor, ...]:
    """The services of these names."""
    return tuple(map(Default().FindServiceByName, names))


def paths(service: ServiceDescriptor) -> dict[str, str]:
    """The names of a service's methods by the paths under which they are called."""
    return {f"/{service.full_name}/{method.name}": method.name for method in service.methods}


def kinds(services: Sequence[ServiceDescriptor]) -> dict[str, CallClass]:
    """The kind of each method that takes a turn to compute and may be refused it, by path."""
    return {
        f"/{service.full_name}/{method.name}": CallClass.BULK if method.client_streaming else CallClass.INTERACTIVE
        for service in services
        if service.full_name not in NEVER_REFUSED
        for method in service.methods
        if method.name not in BOUNDED_BY_THEMSELVES
    }


def open_paths() -> frozenset[str]:
    """The paths that may be called without a token."""
    return frozenset(path for service in described() if service.full_name in WITHOUT_TOKEN for path in paths(service))
