"""Channel options, TLS credentials and call metadata for the clients."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from coldstart_client.errors import InvalidCall

Request = TypeVar("Request", bound=Message)

SERVICE_CONFIG = Path(__file__).with_name("service_config.json")
"""gRPC service config with retry policy, load balancing and health checks; also usable from other languages."""
MESSAGE_BYTES = 4 * 1024 * 1024
"""Maximum size of a request in bytes, equal to the service's default limit."""
OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.enable_retries", 1),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.max_receive_message_length", 4 * MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 60_000),  # the server allows a ping every 30 seconds
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)


@dataclass(frozen=True)
class Tls:
    """TLS settings of a connection. All files are in PEM format."""

    ca: Path | None = None
    """Root certificates; None for gRPC's default roots."""
    cert: Path | None = None
    """Client certificate for mutual TLS; None if not used."""
    key: Path | None = None
    """Private key of the client certificate; None if not used."""
    server_name: str | None = None
    """Name to expect in the server's certificate; None for the host in the address."""

    def __post_init__(self) -> None:
        """Raise ValueError if only one of the client certificate and its key is given."""
        if (self.cert is None) != (self.key is None):
            raise ValueError("a client's certificate and its key must be given together")

    def credentials(self) -> grpc.ChannelCredentials:
        """Load the files into channel credentials. Raises OSError if a file can't be read."""
        ca, key, cert = (None if file is None else file.read_bytes() for file in (self.ca, self.key, self.cert))
        return grpc.ssl_channel_credentials(ca, key, cert)


def channel_options(tls: Tls | None) -> list[tuple[str, Any]]:
    """Return the options of the gRPC channel to the service: retries, limits and, with `tls`, the server's name."""
    options = [*OPTIONS, ("grpc.service_config", SERVICE_CONFIG.read_text(encoding="utf-8"))]
    if tls is not None and tls.server_name is not None:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
    return options


def sendable(request: Request) -> Request:
    """Return the request unchanged. Raises InvalidCall if it is too large for the service, since gRPC would retry."""
    if request.ByteSize() > MESSAGE_BYTES:
        message = f"the request is larger than {MESSAGE_BYTES // 1024**2} MiB: ask for less at once"
        raise InvalidCall(grpc.StatusCode.RESOURCE_EXHAUSTED, message)
    return request


def metadata(token: str | None) -> tuple[tuple[str, str], ...]:
    """Return call metadata with the bearer token, or empty metadata without a token."""
    return (("authorization", f"Bearer {token}"),) if token else ()
