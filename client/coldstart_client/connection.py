"""How the client connects: addresses, encryption, retries, health-aware balancing and the token of each call."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

SERVICE_CONFIG = Path(__file__).with_name("service_config.json")
"""gRPC's own settings of retries and balancing, which clients in other languages can load too."""
MESSAGE_BYTES = 4 * 1024 * 1024
"""What the service takes and sends at most."""
OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.enable_retries", 1),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.max_receive_message_length", 4 * MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 60_000),  # a server allows pings each 30 seconds
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)


@dataclass(frozen=True)
class Tls:
    """Encrypts the connection."""

    ca: Path | None = None
    """Certificates of those whose word for a server counts, in PEM; None: those that the machine trusts."""
    cert: Path | None = None
    """The client's own certificate in PEM, where the server wants one."""
    key: Path | None = None
    """Its key."""
    server_name: str | None = None
    """The name that the server's certificate must have; None: that of the address."""

    def __post_init__(self) -> None:
        """Raises ValueError for a certificate without its key, or a key alone."""
        if (self.cert is None) != (self.key is None):
            raise ValueError("a client's certificate and its key must be given together")

    def credentials(self) -> grpc.ChannelCredentials:
        """What gRPC takes; raises OSError for a file that can't be read."""
        ca, key, cert = (None if file is None else file.read_bytes() for file in (self.ca, self.key, self.cert))
        return grpc.ssl_channel_credentials(ca, key, cert)


def channel_options(tls: Tls | None) -> list[tuple[str, Any]]:
    """Options of the channel."""
    options = [*OPTIONS, ("grpc.service_config", SERVICE_CONFIG.read_text(encoding="utf-8"))]
    if tls is not None and tls.server_name is not None:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
    return options


def metadata(token: str | None) -> tuple[tuple[str, str], ...]:
    """What is sent with each call."""
    return (("authorization", f"Bearer {token}"),) if token else ()
